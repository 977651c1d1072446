//! The core of a manager: its settings, its store, and the record as everybody here sees it.

use super::header::HeaderCell;
use super::shared::{Locked, Seen, Shared, logged_out, note, was_sent};
use super::waiting::{WaitCause, Waiting};
use crate::clock::{Clock, Millis, Now, Timer};
use crate::endpoint::{FAREWELL, Service};
use crate::error::Result;
use crate::plan::{self, Dice, Means, Permit, View, Want};
use crate::problem::{Problem, ProblemKind};
use crate::provider::{Ability, AuthProvider, CodeSource, GIVEN_LIFE, GrantData};
use crate::random::Random;
use crate::record::{Record, Slot, UsedCode};
use crate::secret::{Fingerprint, Secret};
use crate::store::{Commit, Holder, MemoryTokenStore, RecordStore, SimpleStore, TokenStore};
use crate::sync::{Arc, Condvar, Mutex, OnceLock, lock};
use crate::token::moment;

pub(super) struct Core {
    /// The process that it belongs to.
    pub(super) process: u32,
    /// That of a process which this one has forked, in that process.
    pub(super) child: OnceLock<Arc<Self>>,
    pub(super) provider: Arc<dyn AuthProvider>,
    /// The refresh token that the provider was given.
    pub(super) given: Option<Fingerprint>,
    pub(super) service: Service,
    pub(super) store: Store,
    pub(super) slot: Slot,
    pub(super) skew: Millis,
    pub(super) patience: Millis,
    pub(super) one_shot: bool,
    pub(super) clock: Clock,
    pub(super) timer: Arc<Timer>,
    /// How far the clock is ahead of the system's, by which codes were given.
    pub(super) ahead: Now,
    pub(super) random: Random,
    pub(super) header: HeaderCell,
    pub(super) shared: Mutex<Shared>,
    /// Wakes the flight where it sleeps.
    pub(super) changed: Arc<Condvar>,
    /// Held while the guard is: a process that is to be stopped waits for it.
    pub(super) section: Mutex<()>,
    /// `pid@host`
    pub(super) me: String,
}

/// The store of the manager, as a store of records.
pub(super) struct Store {
    tokens: Arc<dyn TokenStore>,
    pub(super) simple: Option<SimpleStore>,
}

impl Store {
    pub(super) fn new(tokens: Arc<dyn TokenStore>, random: &Random) -> Self {
        let simple = tokens.records().is_none().then(|| SimpleStore::new(Arc::clone(&tokens), random.clone()));
        Self { tokens, simple }
    }

    /// For a forked process: what only its parent knows is left to it.
    pub(super) fn anew(&self, random: &Random) -> Self {
        let tokens = Arc::clone(&self.tokens);
        if self.simple.is_some() {
            return Self { simple: Some(SimpleStore::in_forked_process(Arc::clone(&tokens), random.clone())), tokens };
        }
        if self.records().description().shared {
            return Self { tokens, simple: None };
        }
        Self::new(Arc::new(MemoryTokenStore::new()), random)
    }

    pub(super) fn records(&self) -> &dyn RecordStore {
        let simple = self.simple.as_ref().map(|simple| simple as &dyn RecordStore);
        simple.or_else(|| self.tokens.records()).unwrap_or_else(|| unreachable!("`new` has looked"))
    }
}

impl Core {
    pub(super) fn shared(&self) -> Locked<'_> {
        Locked { guard: Some(lock(&self.shared)), sleepers: &self.changed }
    }

    pub(super) fn view<'a>(&self, seen: &'a Seen, now: Now) -> View<'a> {
        View { record: &seen.record, anchor: seen.anchor, now, skew: self.skew }
    }

    pub(super) fn dice(&self) -> Dice {
        Dice { jitter: self.random.between(900, 1101), backoff: self.random.between(500, 1001) }
    }

    /// What the provider can do now. A code that was given is good once, for a minute.
    pub(super) fn means(&self, shared: &Shared, record: &Record, now: Now) -> Means {
        let spent = match self.provider.code_source() {
            CodeSource::Given(code) => {
                now.since(code.given_at.shifted(self.ahead)) > GIVEN_LIFE
                    || was_sent(shared, record, &UsedCode::Given(code.digits.fingerprint()))
            }
            _ => false,
        };
        let able = self.provider.ability() == Ability::Login;
        Means { login: able && !spent, spent, given: self.given.clone() }
    }

    pub(super) fn permit(&self, shared: &Shared, view: &View<'_>, want: &Want) -> Permit {
        let means = self.means(shared, view.record, view.now);
        view.permit(want, &means, |mark| self.credentials().is_ok_and(|form| mark.is_of(&form)))
    }

    /// What tells refused credentials from corrected ones: the form, and where its codes come from, but no code.
    pub(super) fn credentials(&self) -> Result<GrantData> {
        let mut data = self.provider.grant_data()?;
        match self.provider.code_source() {
            CodeSource::None => {}
            CodeSource::Given(_) => data.push(("second_factor".into(), "given".into())),
            CodeSource::Totp(secret) => data.push(("second_factor".into(), secret.code(0))),
            CodeSource::Asked(_) => data.push(("second_factor".into(), "asked".into())),
        }
        Ok(data)
    }

    pub(super) fn nothing(&self, now: Now) -> Seen {
        Seen { record: Arc::new(Record::new(Some(self.slot.clone()), &self.random)), anchor: now.mono, base: None }
    }

    /// A logout since the flight began ends it (M9).
    pub(super) fn check_overtaken(&self, shared: &Shared) -> Result<()> {
        match &shared.flight {
            Some(flight) if flight.logouts != shared.logouts => Err(logged_out()),
            _ => Ok(()),
        }
    }

    /// A login begins: what a logout had shut is open again.
    pub(super) fn be_open(&self) {
        let mut shared = self.shared();
        shared.logged_out = false;
        if let Some(seen) = shared.seen.clone() {
            self.publish(&mut shared, seen);
        }
    }

    pub(super) fn guard_holder(&self) -> Option<Holder> {
        self.store.records().guard_holder(&self.slot)
    }

    pub(super) fn wake_all(&self) {
        self.shared().changed = true;
    }

    /// Reads the store and takes over what it holds, unless this process knows better.
    pub(super) fn look(&self) -> Result<()> {
        loop {
            let before = self.shared().publishes;
            let stored = self.store.records().read(&self.slot);
            let mut shared = self.shared();
            for warning in self.store.records().take_warnings() {
                note(&mut shared, warning);
            }
            let stored = stored?;
            // What was read before something was published here may be older than that.
            if shared.publishes == before {
                self.adopt(&mut shared, stored);
                return Ok(());
            }
        }
    }

    fn adopt(&self, shared: &mut Shared, stored: Option<Record>) {
        let now = self.clock.now();
        let version = stored.as_ref().map(Record::version);
        if let Some(unsaved) = &shared.unsaved {
            if unsaved.base == version {
                return;
            }
            // The store took it, and only said so too late.
            if let (Some(seen), Some(stored)) = (&mut shared.seen, &stored)
                && *seen.record == *stored
            {
                seen.base = version;
                shared.unsaved = None;
                return;
            }
            // Somebody else has written: what is stored counts, whatever its generation, and a session that was opened
            // here is nobody's.
            let opened_here = unsaved.opened_here;
            let orphan = shared.seen.take().and_then(|seen| seen.record.refresh_token().cloned());
            shared.orphans.extend(orphan.filter(|_| opened_here));
            shared.unsaved = None;
        }
        let Some(stored) = stored else {
            if shared.seen.as_ref().is_none_or(|seen| seen.base.is_some()) {
                let nothing = self.nothing(now);
                self.publish(shared, nothing);
            }
            return;
        };
        let mut anchor = plan::anchor(&stored, now);
        if let Some(seen) = &mut shared.seen {
            let known = seen.record.version();
            // An older state was put back (from a backup, say): the next commit replaces it.
            let is_older =
                seen.base.is_some() && known.lineage == stored.lineage && known.generation > stored.generation;
            if is_older || *seen.record == stored {
                seen.base = version;
                return;
            }
            // The same token keeps the anchor that was taken when it was new.
            if seen.record.tokens == stored.tokens {
                anchor = seen.anchor;
            }
        }
        self.publish(shared, Seen::stored(stored, anchor));
    }

    /// From now on this is what everybody here sees.
    pub(super) fn publish(&self, shared: &mut Shared, seen: Seen) {
        match &seen.record.tokens {
            Some(tokens) if !shared.logged_out && !shared.closing => {
                self.header.set(&self.view(&seen, self.clock.now()), tokens);
            }
            _ => self.header.clear(),
        }
        if shared.seen.as_ref().and_then(|seen| seen.record.tokens()) != seen.record.tokens() {
            shared.arrivals += 1;
        }
        shared.publishes += 1;
        shared.seen = Some(seen);
        shared.changed = true;
    }

    /// Commits `next` in the place of what was seen, and publishes it.
    pub(super) fn replace(&self, seen: &Seen, next: Record) -> Result<Commit> {
        let commit = self.store.records().commit(&self.slot, seen.base, &next)?;
        if commit == Commit::Done {
            self.publish(&mut self.shared(), Seen::stored(next, seen.anchor));
        }
        Ok(commit)
    }

    /// From now on it waits for this, until then (wall clock) at most.
    pub(super) fn waits_for(&self, cause: WaitCause, until: Millis) {
        let text = cause.to_string();
        // The identity service is told of by its requests.
        let is_told = matches!(cause, WaitCause::Service);
        let before = self.shared().waiting.replace(Waiting { cause, until: moment(until) });
        // Whoever listens may ask this manager.
        if !is_told && before.is_none_or(|before| before.cause.to_string() != text) {
            let seconds = until.saturating_sub(self.clock.now().wall) / 1000;
            log::info!("waits for {text}, at most {seconds} s");
        }
    }

    /// The wait for whoever holds the session's lock, until then on the monotonic clock.
    pub(super) fn waits_for_lock(&self, holder: Option<Holder>, until: Millis) {
        let now = self.clock.now();
        let until = now.wall.saturating_add(until.saturating_sub(now.mono));
        self.waits_for(WaitCause::Lock(holder.map(|holder| holder.process)), until);
    }

    pub(super) fn waits_no_more(&self) {
        self.shared().waiting = None;
    }

    /// The wait for an answer of the service.
    pub(super) fn asks<T>(&self, patience: Millis, request: impl FnOnce() -> T) -> T {
        self.waits_for(WaitCause::Service, self.clock.now().wall.saturating_add(patience));
        let answer = request();
        self.waits_no_more();
        answer
    }

    /// Ends a session that nobody will use, or says that it is left open.
    pub(super) fn end_left_over(&self, refresh_token: &Secret) {
        if let Err(error) = self.end_at_service(refresh_token) {
            note(&mut self.shared(), Problem::new(ProblemKind::SessionLeftOpen, error.message()));
        }
    }

    /// Ends a session at the service.
    pub(super) fn end_at_service(&self, refresh_token: &Secret) -> Result<()> {
        self.asks(FAREWELL, || self.service.logout(self.provider.client_id(), refresh_token))
    }
}
