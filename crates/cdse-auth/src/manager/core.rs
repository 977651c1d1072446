//! What the callers and the one flight of a manager share.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use http::HeaderValue;

use super::flight;
use super::header::HeaderCell;
use crate::clock::{Clock, Millis, Now};
use crate::endpoint::Service;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{self, Means, Offer, PATIENCE, Permit, View, Want};
use crate::provider::{Ability, AuthProvider, CodeSource, GIVEN_LIFE};
use crate::random::Random;
use crate::record::{Grant, Hold, Record, Slot, UsedCode, Version};
use crate::secret::Fingerprint;
use crate::store::{MemoryTokenStore, RecordStore, SimpleStore, TokenStore};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, lock, spawn};

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
    pub(super) tokens: Arc<dyn TokenStore>,
    pub(super) simple: Option<SimpleStore>,
    /// In place of a store that cannot be written (S5).
    pub(super) fallback: OnceLock<MemoryTokenStore>,
}

impl Store {
    pub(super) fn new(tokens: Arc<dyn TokenStore>, random: &Random) -> Self {
        let simple = tokens.records().is_none().then(|| SimpleStore::new(Arc::clone(&tokens), random.clone()));
        Self { tokens, simple, fallback: OnceLock::new() }
    }

    pub(super) fn records(&self) -> &dyn RecordStore {
        match (self.fallback.get(), &self.simple, self.tokens.records()) {
            (Some(fallback), _, _) => fallback,
            (None, Some(simple), _) => simple,
            (None, None, Some(records)) => records,
            // `new` has looked.
            (None, None, None) => self.fallback.get_or_init(MemoryTokenStore::new),
        }
    }
}

#[derive(Default)]
pub(super) struct Shared {
    pub(super) seen: Option<Seen>,
    /// When the store was looked at last (monotonic).
    pub(super) looked: Option<Millis>,
    pub(super) flight: Option<Terms>,
    pub(super) ended: Option<Ended>,
    flights: u64,
    /// Exchanges that were begun here.
    pub(super) begun: u64,
    /// The last one of them that brought a token, and the last that opened a session.
    pub(super) renewed: u64,
    pub(super) opened: u64,
    pub(super) wakers: Vec<Waker>,
    /// After this manager's own `logout()` or `clear()`.
    pub(super) logged_out: bool,
    pub(super) closing: bool,
    pub(super) last_error: Option<Error>,
    /// The record in `seen` could not be saved over this one.
    pub(super) unsaved: Option<Unsaved>,
    pub(super) problems: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Seen {
    pub(super) record: Arc<Record>,
    pub(super) anchor: Millis,
}

pub(super) struct Unsaved {
    pub(super) base: Option<Version>,
    pub(super) error: Error,
}

/// What the running flight is for.
pub(super) struct Terms {
    pub(super) id: u64,
    pub(super) want: Want,
    /// The most patient caller's deadline (monotonic).
    pub(super) until: Millis,
    /// The hold that it waits for.
    pub(super) held: Option<Hold>,
    /// The holder of the guard that it waits for, as an error.
    pub(super) blocked: Option<Error>,
}

pub(super) struct Ended {
    id: u64,
    rank: u8,
    result: Result<()>,
}

/// What a caller remembers of the moment at which it came.
struct Caller {
    want: Want,
    deadline: Millis,
    begun: u64,
    opened: u64,
    came: Now,
    /// Wait until then at most, then look again.
    limit: Option<Millis>,
    /// The flight that it has waited for.
    flight: Option<u64>,
}

enum Step {
    Serve(Arc<Record>),
    Wait,
}

fn rank(want: &Want) -> u8 {
    match want {
        Want::Fresh => 0,
        Want::Validity(_) => 1,
        Want::Not(_) | Want::Renewal => 2,
        Want::Session => 3,
        Want::NewSession => 4,
    }
}

impl Shared {
    pub(super) fn view<'a>(&self, seen: &'a Seen, core: &Core, now: Now) -> View<'a> {
        View { record: &seen.record, anchor: seen.anchor, now, skew: core.skew }
    }
}

impl Core {
    pub(super) fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    /// What the provider can do now. A code that was given is good once, for a minute.
    pub(super) fn means(&self, record: &Record, now: Now) -> Means {
        let spent = match self.provider.code_source() {
            CodeSource::Given(code) => {
                now.mono.saturating_sub(code.given_at) > GIVEN_LIFE
                    || record.otp == Some(UsedCode::Given(code.digits.fingerprint()))
            }
            _ => false,
        };
        Means { login: self.provider.ability() == Ability::Login && !spent, given: self.given.clone() }
    }

    pub(super) fn permit(&self, view: &View<'_>, want: &Want) -> Permit {
        let means = self.means(view.record, view.now);
        view.permit(want, &means, |mark| mark.is_of(&self.provider.grant_data()))
    }

    /// A valid header for `want`, waiting for an exchange if one is needed.
    pub(super) async fn obtain(self: &Arc<Self>, want: Want, patience: Option<Millis>) -> Result<HeaderValue> {
        let record = self.reach(want, patience).await?;
        Ok(record.tokens.as_ref().map_or_else(|| HeaderValue::from_static("Bearer"), |t| t.authorization_header()))
    }

    /// The record that meets `want`. It has tokens.
    pub(super) async fn reach(self: &Arc<Self>, want: Want, patience: Option<Millis>) -> Result<Arc<Record>> {
        let now = self.clock.now();
        let mut caller = {
            let shared = self.shared();
            Caller {
                want,
                deadline: now.mono.saturating_add(patience.unwrap_or(self.patience)),
                begun: shared.begun,
                opened: shared.opened,
                came: now,
                limit: None,
                flight: None,
            }
        };
        loop {
            match self.step(&mut caller)? {
                Step::Serve(record) => return Ok(record),
                Step::Wait => {
                    let limit = caller.limit.unwrap_or(caller.deadline);
                    Wait {
                        core: self,
                        flight: caller.flight.unwrap_or(0),
                        limit,
                        patience_ends: caller.deadline,
                        timed: None,
                    }
                    .await;
                }
            }
        }
    }

    /// One look at the situation of a caller.
    fn step(self: &Arc<Self>, caller: &mut Caller) -> Result<Step> {
        let now = self.clock.now();
        if self.shared().seen.is_none() {
            // What is wrong with the store is the flight's to report.
            let _ = self.look();
        }
        let mut shared = self.shared();
        if shared.closing {
            return Err(shut_down());
        }
        if shared.logged_out && !caller.want.is_explicit_login() {
            return Err(logged_out());
        }
        let seen = shared.seen.clone().unwrap_or_else(|| self.nothing(now));
        let view = shared.view(&seen, self, now);
        let valid = view.left() > 0;
        let serve = || Ok(Step::Serve(Arc::clone(&seen.record)));
        if self.is_met(&shared, &view, caller) {
            return if valid || caller.want.is_explicit_login() { serve() } else { Err(stillborn()) };
        }
        let spared = valid && caller.want == Want::Fresh
            || matches!(&caller.want, Want::Not(_) if valid && view.satisfies(&caller.want));
        if let Some(result) = ended_for(&shared, caller) {
            match result {
                Err(_) if spared => return serve(),
                Err(error) => return Err(error),
                Ok(()) => {}
            }
        }
        if let Some(hold) = shared.flight.as_ref().filter(|f| caller.flight == Some(f.id)).and_then(|f| f.held.as_ref())
            && hold.until.saturating_sub(now.wall) > caller.deadline.saturating_sub(now.mono)
            && !caller.want.is_explicit_login()
        {
            return if spared { serve() } else { Err(hold.error()) };
        }
        if let Some(limit) = caller.limit
            && now.mono >= limit
        {
            if spared {
                return serve();
            }
            if now.mono >= caller.deadline {
                return Err(self.out_of_patience(&shared));
            }
            caller.limit = Some(caller.deadline);
        }
        let permit = self.permit(&view, &caller.want);
        match view.offer(&caller.want, &permit, caller.deadline.saturating_sub(now.mono)) {
            Offer::Serve => serve(),
            Offer::Fail(error) => Err(error),
            Offer::ServeAndRenew => {
                if self.one_shot {
                    if !matches!(permit, Permit::Go(plan::Plan::Refresh)) {
                        return serve();
                    }
                    self.wait_for(&mut shared, caller, plan::EXCHANGE.saturating_add(now.mono))?;
                    return Ok(Step::Wait);
                }
                // Without a thread left the token is as good as before.
                let _ = self.join_or_start(&mut shared, &caller.want, now.mono.saturating_add(PATIENCE));
                serve()
            }
            Offer::Wait(most) => {
                self.wait_for(&mut shared, caller, now.mono.saturating_add(most))?;
                Ok(Step::Wait)
            }
        }
    }

    fn wait_for(self: &Arc<Self>, shared: &mut Shared, caller: &mut Caller, limit: Millis) -> Result<()> {
        caller.flight = Some(self.join_or_start(shared, &caller.want, caller.deadline)?);
        caller.limit.get_or_insert(limit);
        Ok(())
    }

    fn is_met(&self, shared: &Shared, view: &View<'_>, caller: &Caller) -> bool {
        let renewed = shared.renewed > caller.begun;
        match &caller.want {
            Want::Renewal => renewed || view.record.tokens.as_ref().is_some_and(|tokens| tokens.t0 > caller.came.wall),
            // Without credentials of its own a provider has only the session that it was given.
            Want::NewSession => shared.opened > caller.opened || (renewed && self.provider.ability() == Ability::Never),
            // A new token offers no more than this.
            Want::Validity(_) | Want::Fresh | Want::Not(_) if renewed => {
                !matches!(&caller.want, Want::Not(_)) || view.satisfies(&caller.want)
            }
            Want::Session => view.satisfies(&caller.want) || shared.opened > caller.opened,
            _ => false,
        }
    }

    fn out_of_patience(&self, shared: &Shared) -> Error {
        if let Some(blocked) = shared.flight.as_ref().and_then(|flight| flight.blocked.clone()) {
            return blocked;
        }
        if let Some(hold) = shared.seen.as_ref().and_then(|seen| seen.record.hold.as_ref()) {
            return hold.error();
        }
        let why = "no valid token came within the time that the caller would wait; try again";
        shared.last_error.clone().unwrap_or_else(|| Error::new(ErrorKind::Network, why))
    }

    pub(super) fn nothing(&self, now: Now) -> Seen {
        Seen { record: Arc::new(Record::new(Some(self.slot.clone()), &self.random)), anchor: now.mono }
    }

    // ---- the flight, seen from the callers ----

    fn join_or_start(self: &Arc<Self>, shared: &mut Shared, want: &Want, until: Millis) -> Result<u64> {
        if let Some(flight) = &mut shared.flight {
            flight.until = flight.until.max(until);
            if rank(want) > rank(&flight.want) {
                flight.want = want.clone();
                self.changed.notify_all();
            }
            return Ok(flight.id);
        }
        shared.flights += 1;
        let id = shared.flights;
        shared.flight = Some(Terms { id, want: want.clone(), until, held: None, blocked: None });
        let core = Arc::clone(self);
        if let Err(error) = spawn("cdse-auth", move || Landing { core, id, result: None }.fly()) {
            shared.flight = None;
            let why = format!("no thread could be started to renew the token: {error}");
            return Err(Error::new(ErrorKind::Network, why));
        }
        Ok(id)
    }

    /// What the flight is for by now.
    pub(super) fn terms(&self) -> Result<(Want, Millis)> {
        let mut shared = self.shared();
        if shared.closing {
            return Err(shut_down());
        }
        match &mut shared.flight {
            Some(flight) => {
                flight.held = None;
                Ok((flight.want.clone(), flight.until))
            }
            None => Err(shut_down()),
        }
    }

    /// The flight sleeps until then on the wall clock, or until it is wanted for something else.
    pub(super) fn sleep(&self, until: Millis, hold: Option<Hold>) {
        let mut shared = self.shared();
        let before = shared.flight.as_ref().map(|flight| flight.want.clone());
        if let Some(flight) = &mut shared.flight {
            flight.held = hold;
        }
        self.wake(&mut shared);
        while !shared.closing
            && shared.flight.as_ref().map(|flight| flight.want.clone()) == before
            && self.clock.now().wall < until
        {
            shared = self.clock.wait(&self.changed, shared, until);
        }
    }

    fn wake(&self, shared: &mut Shared) {
        for waker in shared.wakers.drain(..) {
            waker.wake();
        }
        self.changed.notify_all();
    }

    pub(super) fn wake_all(&self) {
        self.wake(&mut self.shared());
    }

    // ---- the record ----

    /// Reads the store and takes over what it holds, unless this process knows better.
    pub(super) fn look(&self) -> Result<()> {
        let stored = self.store.records().read(&self.slot);
        let mut shared = self.shared();
        shared.looked = Some(self.clock.now().mono);
        for warning in self.store.records().take_warnings() {
            note(&mut shared, warning);
        }
        self.adopt(&mut shared, stored?);
        Ok(())
    }

    fn adopt(&self, shared: &mut Shared, stored: Option<Record>) {
        let now = self.clock.now();
        let version = stored.as_ref().map(Record::version);
        if let Some(unsaved) = &shared.unsaved {
            if unsaved.base == version {
                return;
            }
            shared.unsaved = None;
        }
        let Some(stored) = stored else {
            let nothing = self.nothing(now);
            self.publish(shared, nothing);
            return;
        };
        if let Some(seen) = &shared.seen {
            let known = seen.record.version();
            if known.lineage == stored.lineage && known.generation >= stored.generation {
                return;
            }
            // The same token keeps the anchor that was taken when it was new.
            if seen.record.tokens == stored.tokens {
                let seen = Seen { record: Arc::new(stored), anchor: seen.anchor };
                self.publish(shared, seen);
                return;
            }
        }
        let anchor = plan::anchor(&stored, now);
        self.publish(shared, Seen { record: Arc::new(stored), anchor });
    }

    /// From now on this is what everybody here sees.
    pub(super) fn publish(&self, shared: &mut Shared, seen: Seen) {
        match &seen.record.tokens {
            Some(tokens) if !shared.logged_out && !shared.closing => {
                self.header.set(&shared.view(&seen, self, self.clock.now()), tokens);
            }
            _ => self.header.clear(),
        }
        shared.seen = Some(seen);
        self.wake(shared);
    }
}

pub(super) fn note(shared: &mut Shared, problem: String) {
    if !shared.problems.contains(&problem) {
        shared.problems.push(problem);
    }
}

/// The result of the flight that the caller waited for, if it was for no less than the caller wants.
fn ended_for(shared: &Shared, caller: &mut Caller) -> Option<Result<()>> {
    let ended = shared.ended.as_ref()?;
    let flight = caller.flight?;
    if ended.id < flight {
        return None;
    }
    caller.flight = None;
    (ended.rank >= rank(&caller.want)).then(|| ended.result.clone())
}

fn shut_down() -> Error {
    Error::new(ErrorKind::ShutDown, "the token manager was shut down; make a new one")
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
        let result = self.result.take().unwrap_or_else(|| {
            let why = "renewing the token failed for a reason that is a defect of this library; please report it";
            Err(Error::new(ErrorKind::Configuration, why))
        });
        let mut shared = self.core.shared();
        let rank = shared.flight.take().map_or(0, |flight| rank(&flight.want));
        if let Err(error) = &result {
            shared.last_error = Some(error.clone());
        } else {
            shared.last_error = None;
        }
        shared.ended = Some(Ended { id: self.id, rank, result });
        self.core.wake(&mut shared);
    }
}

/// Until the flight has ended, something about it has changed, or the limit has come.
struct Wait<'a> {
    core: &'a Arc<Core>,
    flight: u64,
    limit: Millis,
    patience_ends: Millis,
    /// The waker that the clock has.
    timed: Option<Waker>,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let now = self.core.clock.now();
        let mut shared = self.core.shared();
        let held = shared.flight.as_ref().is_some_and(|flight| {
            flight
                .held
                .as_ref()
                .is_some_and(|hold| hold.until.saturating_sub(now.wall) > self.patience_ends.saturating_sub(now.mono))
        });
        let flying = shared.flight.as_ref().is_some_and(|flight| flight.id == self.flight);
        if !flying || held || now.mono >= self.limit || shared.closing {
            return Poll::Ready(());
        }
        shared.wakers.push(context.waker().clone());
        drop(shared);
        if !self.timed.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
            self.timed = Some(context.waker().clone());
            self.core.clock.wake_at(self.limit, context.waker().clone());
        }
        Poll::Pending
    }
}
