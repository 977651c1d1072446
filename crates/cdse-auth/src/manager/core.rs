//! What the callers and the one flight of a manager share.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use http::HeaderValue;

use super::flight;
use super::header::HeaderCell;
use super::waiting::Waiting;
use crate::clock::{Alert, Clock, Millis, Now};
use crate::endpoint::Service;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{self, EXCHANGE, Means, Offer, PATIENCE, Permit, Plan, View, Want};
use crate::provider::{Ability, AuthProvider, CodeSource, GIVEN_LIFE, GrantData};
use crate::random::Random;
use crate::record::{Hold, Known, Record, Slot, UsedCode, Version};
use crate::secret::{Fingerprint, Secret};
use crate::store::{RecordStore, SimpleStore, TokenStore};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, lock, spawn};
use crate::token::TokenSet;

/// How soon whoever sleeps looks at the store again while somebody is at an exchange, and otherwise.
const SOON: Millis = 250;
const OFTEN: Millis = 1_000;

pub(super) struct Core {
    pub(super) provider: Box<dyn AuthProvider>,
    /// The refresh token that the provider was given.
    pub(super) given: Option<Fingerprint>,
    pub(super) service: Service,
    pub(super) store: Store,
    pub(super) slot: Slot,
    pub(super) skew: Millis,
    pub(super) patience: Millis,
    pub(super) one_shot: bool,
    pub(super) clock: Clock,
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

    pub(super) fn records(&self) -> &dyn RecordStore {
        match (&self.simple, self.tokens.records()) {
            (Some(simple), _) => simple,
            (None, Some(records)) => records,
            (None, None) => unreachable!("`new` has looked"),
        }
    }
}

#[derive(Default)]
pub(super) struct Shared {
    pub(super) seen: Option<Seen>,
    pub(super) flight: Option<Terms>,
    pub(super) ended: Option<Ended>,
    flights: u64,
    /// How many exchanges were begun here; which of them was the last that brought a token, and the last that opened a
    /// session.
    pub(super) exchanges: u64,
    pub(super) last_renewal: u64,
    pub(super) last_login: u64,
    /// How often the record was replaced here, and how often with other tokens.
    pub(super) publishes: u64,
    arrivals: u64,
    /// Who waits, each once, whoever polls it.
    wakers: HashMap<u64, Waker>,
    waiters: u64,
    /// Callers that have no result yet, and what the last exchange brought: they get it even if it was cleared meanwhile.
    callers: usize,
    brought: Option<Arc<Record>>,
    /// Something has changed: everybody is woken when the lock is given back.
    changed: bool,
    /// After this manager's own `logout()` or `clear()`, until a login.
    pub(super) logged_out: bool,
    /// How often that has happened: what began before it must not go on after it.
    pub(super) logouts: u64,
    pub(super) closing: bool,
    /// The last handle is gone.
    pub(super) abandoned: bool,
    pub(super) last_error: Option<Error>,
    /// The record in `seen` could not be saved over this one.
    pub(super) unsaved: Option<Unsaved>,
    /// Refresh tokens of sessions that were opened here and that nobody will use: to be ended.
    pub(super) orphans: Vec<Secret>,
    /// Codes that were sent from here: never again, whatever is stored.
    pub(super) sent_codes: Vec<UsedCode>,
    pub(super) problems: Vec<String>,
    pub(super) waiting: Option<Waiting>,
}

/// The lock on what is shared. Whoever waits for a change is woken after it is given back, for a waker may run anything.
pub(super) struct Locked<'a> {
    guard: Option<MutexGuard<'a, Shared>>,
    sleepers: &'a Condvar,
}

impl std::ops::Deref for Locked<'_> {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        self.guard.as_ref().unwrap_or_else(|| unreachable!("given back on drop only"))
    }
}

impl std::ops::DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Shared {
        self.guard.as_mut().unwrap_or_else(|| unreachable!("given back on drop only"))
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let Some(mut shared) = self.guard.take() else { return };
        if std::mem::take(&mut shared.changed) {
            let wakers = std::mem::take(&mut shared.wakers);
            drop(shared);
            self.sleepers.notify_all();
            wakers.into_values().for_each(Waker::wake);
        }
    }
}

#[derive(Clone)]
pub(super) struct Seen {
    pub(super) record: Arc<Record>,
    pub(super) anchor: Millis,
    /// What the store holds in its place: the record itself, or an older state that somebody has put back.
    pub(super) base: Option<Version>,
}

pub(super) struct Unsaved {
    pub(super) base: Option<Version>,
    pub(super) error: Error,
    /// Its session was opened here, and nobody else knows it.
    pub(super) opened_here: bool,
}

/// What the running flight is for.
pub(super) struct Terms {
    pub(super) id: u64,
    /// One of each kind, the first of all before.
    wants: Vec<Want>,
    /// How often that has changed.
    joins: u64,
    /// What it works for in this turn, and what its result is a result for.
    worked_for: Want,
    /// How many logouts there had been when it began.
    pub(super) logouts: u64,
    /// The most patient caller's deadline (monotonic).
    pub(super) until: Millis,
    /// The hold that it waits for.
    pub(super) held: Option<(Hold, End)>,
    /// What it waits for beside a hold, as an error: the holder of the guard, another code.
    pub(super) blocked: Option<Error>,
    /// Somebody is asked for a code: nothing is at stake until there is one.
    pub(super) asking: bool,
}

/// What a flight's decision rests on: how often its wants had changed, and what is known.
#[derive(Clone, Copy, Default)]
pub(super) struct Basis {
    pub(super) joins: u64,
    pub(super) publishes: u64,
}

impl Terms {
    /// Whether anybody wants another token than this one.
    pub(super) fn want_another_than(&self, record: &Record) -> bool {
        let current = record.tokens.as_ref().map(|tokens| tokens.access.fingerprint());
        self.wants.iter().any(|want| matches!(want, Want::Not(refused) if current.as_ref() == Some(refused)))
    }

    fn join(&mut self, want: &Want) {
        let kind = std::mem::discriminant(want);
        match self.wants.iter_mut().find(|known| std::mem::discriminant(*known) == kind) {
            Some(known) if known.covers(want) => return,
            Some(known) => known.clone_from(want),
            None => {
                self.wants.push(want.clone());
                self.wants.sort_by_key(|want| std::cmp::Reverse(rank(want)));
            }
        }
        self.joins += 1;
    }
}

pub(super) struct Ended {
    id: u64,
    want: Want,
    logouts: u64,
    at: Millis,
    /// What was known then.
    publishes: u64,
    result: Result<()>,
}

/// What a caller remembers of the moment at which it came.
struct Caller {
    want: Want,
    /// Wall clock.
    came: Millis,
    deadline: Millis,
    exchanges: u64,
    logouts: u64,
    /// Has looked at the store itself.
    looked: bool,
    /// Has got a token without life from a renewal, and gone on.
    went_on: bool,
    /// Wait until then at most, then look again.
    limit: Option<Millis>,
    /// The flight that it has waited for.
    flight: Option<u64>,
    /// How many tokens had come when it began to wait; `None` if it waits for the flight's end in any case.
    arrivals: Option<u64>,
    publishes: u64,
    /// What the flight is held by holds this one, too.
    is_held: bool,
}

enum Step {
    Serve(Arc<Record>),
    /// Look at the store, for nobody here has.
    Look,
    Wait,
}

fn rank(want: &Want) -> u8 {
    match want {
        Want::Fresh => 0,
        Want::Validity(_) => 1,
        Want::Renewal { .. } => 2,
        Want::Not(_) => 3,
        Want::Session { .. } => 4,
        Want::NewSession { .. } => 5,
    }
}

impl Shared {
    pub(super) fn waiter(&mut self) -> u64 {
        self.waiters += 1;
        self.waiters
    }

    pub(super) fn wake_me(&mut self, waiter: u64, waker: &Waker) {
        self.wakers.entry(waiter).and_modify(|known| known.clone_from(waker)).or_insert_with(|| waker.clone());
    }

    pub(super) fn wake_no_more(&mut self, waiter: u64) {
        self.wakers.remove(&waiter);
    }

    /// What nobody waits for any more is not kept.
    pub(super) fn forget_what_was_brought(&mut self) {
        if self.callers == 0 {
            self.brought = None;
        }
    }

    pub(super) fn view<'a>(&self, seen: &'a Seen, core: &Core, now: Now) -> View<'a> {
        View { record: &seen.record, anchor: seen.anchor, now, skew: core.skew }
    }
}

impl Core {
    pub(super) fn shared(&self) -> Locked<'_> {
        Locked { guard: Some(lock(&self.shared)), sleepers: &self.changed }
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
        view.permit(want, &means, |mark| mark.is_of(&self.credentials()))
    }

    /// What tells refused credentials from corrected ones: the form, and where its codes come from, but no code.
    pub(super) fn credentials(&self) -> GrantData {
        let mut data = self.provider.grant_data();
        match self.provider.code_source() {
            CodeSource::None => {}
            CodeSource::Given(_) => data.push(("second_factor", "given".into())),
            CodeSource::Totp(secret) => data.push(("second_factor", secret.code(0))),
            CodeSource::Asked(_) => data.push(("second_factor", "asked".into())),
        }
        data
    }

    /// A valid header for `want`, waiting for an exchange if one is needed.
    pub(super) async fn obtain(self: &Arc<Self>, want: Want, patience: Option<Millis>) -> Result<HeaderValue> {
        let long_lived = matches!(want, Want::Validity(_));
        let record = self.reach(want, patience).await?;
        let made = || {
            record.tokens.as_ref().map_or_else(|| HeaderValue::from_static("Bearer"), TokenSet::authorization_header)
        };
        // What is published is of this record or of a newer one, and thousands may wait for it: making one costs a copy of
        // the token. Of a newer one nobody has said how long it lives.
        Ok(if long_lived { made() } else { self.header.get(&self.clock, |header| header, made) })
    }

    /// The record that meets `want`.
    pub(super) async fn reach(self: &Arc<Self>, want: Want, patience: Option<Millis>) -> Result<Arc<Record>> {
        let now = self.clock.now();
        let _present = Present::begin(self);
        let mut caller = {
            let shared = self.shared();
            Caller {
                want,
                came: now.wall,
                deadline: now.mono.saturating_add(patience.unwrap_or(self.patience)),
                exchanges: shared.exchanges,
                logouts: shared.logouts,
                looked: false,
                went_on: false,
                limit: None,
                flight: None,
                arrivals: None,
                publishes: 0,
                is_held: false,
            }
        };
        if let Want::Renewal { not, after, .. } = &mut caller.want {
            // What is stored now was not begun after this call. What is wrong with the store is the flight's to report.
            let _ = self.look();
            (*not, *after) = self.shared().seen.as_ref().map_or((None, None), |seen| {
                let token = seen.record.tokens.as_ref().map(|tokens| tokens.access.fingerprint());
                (token, seen.base.map(|_| seen.record.version()))
            });
            caller.looked = true;
        }
        loop {
            match self.step(&mut caller)? {
                Step::Serve(record) => {
                    log::debug!("serves the token of generation {}", record.generation);
                    return Ok(record);
                }
                Step::Look => {
                    // What is wrong with the store is the flight's to report.
                    let _ = self.look();
                }
                Step::Wait => {
                    Wait::of(self, &caller).await;
                }
            }
        }
    }

    /// One look at the situation of a caller.
    fn step(self: &Arc<Self>, caller: &mut Caller) -> Result<Step> {
        let now = self.clock.now();
        let mut shared = self.shared();
        if shared.closing {
            return Err(shut_down());
        }
        if shared.logged_out || shared.logouts != caller.logouts {
            return Err(logged_out());
        }
        if (shared.seen.is_none() || caller.want.is_explicit_login()) && !caller.looked {
            caller.looked = true;
            return Ok(Step::Look);
        }
        let seen = shared.seen.clone().unwrap_or_else(|| self.nothing(now));
        let view = shared.view(&seen, self, now);
        if matches!(&caller.want, Want::Not(refused) if !view.is_current(refused)) {
            // Somebody has replaced it already.
            caller.want = Want::Fresh;
        }
        let valid = view.left() > 0;
        let serve = || Ok(Step::Serve(Arc::clone(&seen.record)));
        if self.is_met(&shared, &view, caller) {
            if valid || caller.want.is_explicit_login() {
                return serve();
            }
            if let Some(brought) = shared.brought.clone().filter(|_| seen.record.tokens.is_none()) {
                // It came for this caller, and was cleared before the caller was back.
                return Ok(Step::Serve(brought));
            }
            if seen.record.tokens.as_ref().is_some_and(|tokens| tokens.life == 0) {
                // In the last moment of a session a renewal brings no more. The next one tells whether it was that.
                if caller.went_on || shared.last_login > caller.exchanges {
                    return Err(stillborn());
                }
                caller.went_on = true;
            }
            // It came and ended before its caller was back.
            caller.exchanges = shared.exchanges;
        }
        // A caller that only wants a token takes the one that is there rather than an error.
        let may_serve = valid && caller.want == Want::Fresh;
        if let Some(result) = take_result(&shared, caller) {
            match result {
                Err(_) if may_serve => return serve(),
                Err(error) => return Err(error),
                Ok(()) => {}
            }
        }
        let permit = self.permit(&shared, &view, &caller.want);
        caller.is_held = matches!(permit, Permit::Held(_));
        let flight = shared.flight.as_ref().filter(|flight| caller.flight == Some(flight.id));
        if let Some((hold, end)) = flight.and_then(|flight| flight.held.as_ref())
            && caller.is_held
            && end.left(now) > caller.deadline.saturating_sub(now.mono)
        {
            return if may_serve { serve() } else { Err(hold.error(now.wall, caller.came)) };
        }
        if let Some(limit) = caller.limit
            && now.mono >= limit
        {
            if may_serve {
                return serve();
            }
            if now.mono >= caller.deadline {
                return Err(self.out_of_patience(&shared, &view, &permit, caller.came));
            }
            caller.limit = Some(caller.deadline);
        }
        let offer = view.offer(&caller.want, &permit, caller.deadline.saturating_sub(now.mono));
        if let Some(error) = recent_failure(&shared, now)
            && caller.want == Want::Fresh
            && caller.flight.is_none()
        {
            match offer {
                Offer::ServeAndRenew => return serve(),
                Offer::Wait(_) if !valid && matches!(permit, Permit::Nothing) => return Err(error.clone()),
                _ => {}
            }
        }
        if self.one_shot && matches!(offer, Offer::ServeAndRenew) {
            // The token is all that was asked for: from here on this is a caller like any other.
            caller.want = Want::Fresh;
        }
        match offer {
            Offer::Serve => serve(),
            Offer::Fail(_) | Offer::Refused(_) if !caller.looked => {
                caller.looked = true;
                Ok(Step::Look)
            }
            Offer::Fail(error) => Err(error),
            Offer::Refused(hold) => Err(hold.error(now.wall, caller.came)),
            Offer::ServeAndRenew if !self.one_shot => {
                // Without a thread the token is as good as before.
                let _ = self.join_or_start(&mut shared, &Want::Fresh, now.mono.saturating_add(PATIENCE));
                serve()
            }
            Offer::ServeAndRenew if !matches!(permit, Permit::Go(Plan::Refresh)) => serve(),
            Offer::ServeAndRenew => self.wait_for(&mut shared, caller, now.mono.saturating_add(EXCHANGE)),
            Offer::Wait(most) => match self.wait_for(&mut shared, caller, now.mono.saturating_add(most)) {
                Err(_) if may_serve => serve(),
                step => step,
            },
        }
    }

    fn wait_for(self: &Arc<Self>, shared: &mut Shared, caller: &mut Caller, limit: Millis) -> Result<Step> {
        caller.flight = Some(self.join_or_start(shared, &caller.want, caller.deadline)?);
        // What still follows a login (the end of the session that it replaced) is part of it; and so it is for a process
        // that ends with its answer.
        let to_the_end = self.one_shot || caller.want.is_explicit_login();
        caller.arrivals = (!to_the_end).then_some(shared.arrivals);
        caller.publishes = shared.publishes;
        caller.limit.get_or_insert(limit);
        Ok(Step::Wait)
    }

    fn is_met(&self, shared: &Shared, view: &View<'_>, caller: &Caller) -> bool {
        let renewed = shared.last_renewal > caller.exchanges;
        let logged_in = shared.last_login > caller.exchanges;
        match &caller.want {
            // A new token offers no more than this.
            Want::Fresh | Want::Validity(_) | Want::Renewal { .. } if renewed => true,
            // Without credentials of its own a provider has only the session that it was given.
            Want::NewSession { .. } => logged_in || (renewed && self.provider.ability() == Ability::Never),
            Want::Session { .. } => logged_in || view.satisfies(&caller.want),
            Want::Renewal { .. } => view.satisfies(&caller.want),
            Want::Fresh | Want::Validity(_) | Want::Not(_) => false,
        }
    }

    fn out_of_patience(&self, shared: &Shared, view: &View<'_>, permit: &Permit, came: Millis) -> Error {
        if let Some(blocked) = shared.flight.as_ref().and_then(|flight| flight.blocked.clone()) {
            return blocked;
        }
        // A hold that has ended while the caller waited for it says why there is no token.
        let recent = view.record.hold.as_ref().filter(|hold| hold.until > view.now.wall.saturating_sub(self.patience));
        match (permit, recent) {
            (Permit::Held(hold) | Permit::Refused(hold), _) | (_, Some(hold)) => hold.error(view.now.wall, came),
            _ => {
                let why = "no valid token came within the time that the caller would wait; try again";
                shared.last_error.clone().unwrap_or_else(|| Error::new(ErrorKind::Network, why))
            }
        }
    }

    pub(super) fn nothing(&self, now: Now) -> Seen {
        Seen { record: Arc::new(Record::new(Some(self.slot.clone()), &self.random)), anchor: now.mono, base: None }
    }

    // ---- the flight, seen from the callers ----

    fn join_or_start(self: &Arc<Self>, shared: &mut Shared, want: &Want, until: Millis) -> Result<u64> {
        if let Some(flight) = &mut shared.flight {
            let id = flight.id;
            // One that a logout has overtaken ends without a token; whoever waits for it begins another.
            if flight.logouts == shared.logouts {
                flight.until = flight.until.max(until);
                let before = flight.joins;
                flight.join(want);
                if flight.joins != before {
                    // What it sleeps for may not hold this one back.
                    self.changed.notify_all();
                }
            }
            return Ok(id);
        }
        shared.flights += 1;
        let id = shared.flights;
        shared.flight = Some(Terms {
            id,
            wants: vec![want.clone()],
            joins: 0,
            worked_for: want.clone(),
            logouts: shared.logouts,
            until,
            held: None,
            blocked: None,
            asking: false,
        });
        let core = Arc::clone(self);
        if let Err(error) = spawn("cdse-auth", move || Landing { core, id, result: None }.fly()) {
            shared.flight = None;
            let why = format!("no thread could be started to renew the token: {error}");
            return Err(Error::new(ErrorKind::Network, why));
        }
        Ok(id)
    }

    /// What the flight is for by now, the first of all before, until when, and how often that has changed.
    pub(super) fn terms(&self) -> Result<(Vec<Want>, Millis, u64)> {
        let mut shared = self.shared();
        if shared.closing {
            return Err(shut_down());
        }
        self.check_overtaken(&shared)?;
        match &mut shared.flight {
            Some(flight) => {
                flight.held = None;
                Ok((flight.wants.clone(), flight.until, flight.joins))
            }
            None => Err(shut_down()),
        }
    }

    /// What a decision of now rests on.
    pub(super) fn basis(&self) -> Basis {
        let shared = self.shared();
        Basis { joins: shared.flight.as_ref().map_or(0, |flight| flight.joins), publishes: shared.publishes }
    }

    /// From now on the flight's result is one for this.
    pub(super) fn works_for(&self, want: &Want) {
        if let Some(flight) = &mut self.shared().flight {
            flight.worked_for = want.clone();
        }
    }

    /// A logout since the flight began ends it (M9).
    pub(super) fn check_overtaken(&self, shared: &Shared) -> Result<()> {
        match &shared.flight {
            Some(flight) if flight.logouts != shared.logouts => Err(logged_out()),
            _ => Ok(()),
        }
    }

    /// The flight sleeps until then on the wall clock, or until it is wanted for something else, or until something else is
    /// stored (W: what anybody obtains ends everybody's wait); no longer than that was when it began, for the clock may be
    /// set back meanwhile. Whatever has come since `basis` ends it at once.
    pub(super) fn sleep(&self, until: Millis, hold: Option<Hold>, basis: Basis) {
        let end = End::at(until, self.clock.now());
        {
            let mut shared = self.shared();
            shared.changed = true;
            if let Some(flight) = &mut shared.flight {
                flight.held = hold.map(|hold| (hold, end));
            }
        }
        let goes_on = |shared: &Shared| {
            !shared.closing
                && self.check_overtaken(shared).is_ok()
                && shared.flight.as_ref().is_some_and(|flight| flight.joins == basis.joins)
                && shared.publishes == basis.publishes
                && !end.has_come(self.clock.now())
        };
        loop {
            let mut shared = lock(&self.shared);
            let under_way = shared.seen.as_ref().is_some_and(|seen| seen.record.is_under_way());
            let now = self.clock.now();
            let look = End::at(now.wall.saturating_add(if under_way { SOON } else { OFTEN }), now);
            while goes_on(&shared) && !look.has_come(self.clock.now()) {
                shared = self.clock.wait(&self.changed, shared, until.min(look.wall));
                if self.clock.is_manual() {
                    break;
                }
            }
            if !goes_on(&shared) {
                return;
            }
            drop(shared);
            // What is wrong with the store is found by the next turn, if it lasts.
            let _ = self.look();
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

    pub(super) fn wake_all(&self) {
        self.shared().changed = true;
    }

    // ---- the record ----

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
            let orphan = shared.seen.take().and_then(|seen| seen.record.tokens.as_ref()?.refresh.clone());
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
            if seen.base.is_some() && known.lineage == stored.lineage && known.generation > stored.generation {
                // An older state was put back (from a backup, say): the next commit replaces it.
                seen.base = version;
                return;
            }
            if *seen.record == stored {
                seen.base = version;
                return;
            }
            // The same token keeps the anchor that was taken when it was new.
            if seen.record.tokens == stored.tokens {
                anchor = seen.anchor;
            }
        }
        self.publish(shared, Seen { record: Arc::new(stored), anchor, base: version });
    }

    /// From now on this is what everybody here sees.
    pub(super) fn publish(&self, shared: &mut Shared, seen: Seen) {
        match &seen.record.tokens {
            Some(tokens) if !shared.logged_out && !shared.closing => {
                self.header.set(&shared.view(&seen, self, self.clock.now()), tokens);
            }
            _ => self.header.clear(),
        }
        let before = shared.seen.as_ref().and_then(|seen| seen.record.tokens.as_ref());
        if before != seen.record.tokens.as_ref() {
            shared.arrivals += 1;
        }
        shared.publishes += 1;
        shared.seen = Some(seen);
        shared.changed = true;
    }

    /// What an exchange has brought, for those who wait for it.
    pub(super) fn publish_brought(&self, shared: &mut Shared, seen: Seen) {
        shared.brought = (shared.callers > 0).then(|| Arc::clone(&seen.record));
        self.publish(shared, seen);
    }
}

/// The end of a wait: on the wall clock, or when as much time has passed as it was away at first.
#[derive(Clone, Copy)]
pub(super) struct End {
    wall: Millis,
    mono: Millis,
}

impl End {
    pub(super) fn at(wall: Millis, now: Now) -> Self {
        Self { wall, mono: now.mono.saturating_add(wall.saturating_sub(now.wall)) }
    }

    pub(super) fn has_come(self, now: Now) -> bool {
        self.left(now) <= 0
    }

    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.mono < other.mono
    }

    fn left(self, now: Now) -> Millis {
        self.wall.saturating_sub(now.wall).min(self.mono.saturating_sub(now.mono))
    }
}

pub(super) fn note(shared: &mut Shared, problem: String) {
    if !shared.problems.contains(&problem) {
        shared.problems.push(problem);
    }
}

/// Whether the code was sent, or was about to be.
pub(super) fn was_sent(shared: &Shared, record: &Record, code: &UsedCode) -> bool {
    record.otp.as_ref().and_then(Known::word) == Some(code) || shared.sent_codes.contains(code)
}

/// The result of the flight that the caller waited for, once, if it was for what the caller wants: what kept a new
/// session from being opened says nothing about renewing the old one.
fn take_result(shared: &Shared, caller: &mut Caller) -> Option<Result<()>> {
    let ended = shared.ended.as_ref()?;
    if ended.id < caller.flight? {
        return None;
    }
    caller.flight = None;
    let same = std::mem::discriminant(&ended.want) == std::mem::discriminant(&caller.want);
    (same && ended.logouts == caller.logouts).then(|| ended.result.clone())
}

/// What the last flight failed with, if that was less than a second ago and nothing else is known since: it is not tried
/// again for each caller.
fn recent_failure(shared: &Shared, now: Now) -> Option<&Error> {
    let ended = shared.ended.as_ref()?;
    let recent = ended.logouts == shared.logouts && now.mono.saturating_sub(ended.at) < 1000;
    ended.result.as_ref().err().filter(|_| recent && ended.publishes == shared.publishes)
}

fn shut_down() -> Error {
    Error::new(ErrorKind::ShutDown, "the token manager was shut down; make a new one")
}

pub(super) fn defect() -> Error {
    let why = "what was asked for failed for a reason that is a defect of this program; please report it";
    Error::new(ErrorKind::Configuration, why)
}

pub(super) fn logged_out() -> Error {
    Error::new(ErrorKind::ReauthRequired, "you logged out; log in again")
}

fn stillborn() -> Error {
    let why = "the identity service issued an access token that had ended already; its clock or its settings are wrong";
    Error::new(ErrorKind::MalformedAnswer, why)
}

/// Ends a flight whatever happens to it.
struct Landing {
    core: Arc<Core>,
    id: u64,
    result: Option<Result<()>>,
}

impl Landing {
    fn fly(mut self) {
        self.result = Some(flight::run(&self.core));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or_else(|| Err(defect()));
        if let Err(error) = &result {
            log::info!("no token: {error}");
        }
        let mut shared = self.core.shared();
        let flight = shared.flight.take();
        let (want, logouts) = flight.map_or((Want::Fresh, 0), |flight| (flight.worked_for, flight.logouts));
        shared.forget_what_was_brought();
        shared.waiting = None;
        shared.last_error = result.as_ref().err().cloned();
        let at = self.core.clock.now().mono;
        let publishes = shared.publishes;
        shared.ended = Some(Ended { id: self.id, want, logouts, at, publishes, result });
        shared.changed = true;
    }
}

/// Until other tokens have come, the record is another, the flight has ended or is held, or the limit has come.
struct Wait<'a> {
    core: &'a Arc<Core>,
    waiter: u64,
    flight: u64,
    arrivals: Option<u64>,
    publishes: u64,
    is_held: bool,
    limit: Millis,
    deadline: Millis,
    /// What the clock wakes at the limit.
    alert: Option<(Waker, Alert)>,
}

impl<'a> Wait<'a> {
    fn of(core: &'a Arc<Core>, caller: &Caller) -> Self {
        Self {
            core,
            waiter: core.shared().waiter(),
            flight: caller.flight.unwrap_or(0),
            arrivals: caller.arrivals,
            publishes: caller.publishes,
            is_held: caller.is_held,
            limit: caller.limit.unwrap_or(caller.deadline),
            deadline: caller.deadline,
            alert: None,
        }
    }
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let now = self.core.clock.now();
        let mut shared = self.core.shared();
        let held = shared.flight.as_ref().filter(|_| self.is_held).and_then(|flight| flight.held.as_ref());
        let held = held.is_some_and(|(_, end)| end.left(now) > self.deadline.saturating_sub(now.mono));
        let flying = shared.flight.as_ref().is_some_and(|flight| flight.id == self.flight);
        let arrived = self.arrivals.is_some_and(|arrivals| arrivals != shared.arrivals);
        // Whether it is held is another question now.
        let changed = self.arrivals.is_some() && self.publishes != shared.publishes;
        if arrived || changed || !flying || held || now.mono >= self.limit || shared.closing {
            return Poll::Ready(());
        }
        shared.wake_me(self.waiter, context.waker());
        drop(shared);
        if !self.alert.as_ref().is_some_and(|(known, _)| known.will_wake(context.waker())) {
            let waker = context.waker().clone();
            self.alert = Some((waker.clone(), self.core.clock.wake_at(self.limit, waker)));
        }
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.core.shared().wake_no_more(self.waiter);
    }
}

/// A caller from its first look until it has its result: what comes for it is kept so long.
struct Present<'a>(&'a Core);

impl<'a> Present<'a> {
    fn begin(core: &'a Core) -> Self {
        core.shared().callers += 1;
        Self(core)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        let mut shared = self.0.shared();
        shared.callers -= 1;
        if shared.flight.is_none() {
            shared.forget_what_was_brought();
        }
    }
}
