//! One caller: what it is offered, what it waits for, and its result.

use http::HeaderValue;

use super::changed::Changed;
use super::core::Core;
use super::shared::{Seen, Shared, logged_out, shut_down};
use crate::clock::{Millis, Now};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{EXCHANGE, Offer, PATIENCE, Permit, Plan, View, Want};
use crate::provider::Ability;
use crate::record::Record;
use crate::sync::Arc;
use crate::token::TokenSet;

/// What a caller wants, what it remembers of the moment at which it came, and how far it has got.
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
    /// Waits until then at most, then looks again.
    limit: Option<Millis>,
    /// The flight whose result it waits for.
    flight: Option<u64>,
}

/// What a caller does next.
enum Step {
    Serve(Arc<Record>),
    /// Look at the store, for nobody here has.
    Look,
    Wait(Until),
}

/// What ends a wait.
struct Until {
    flight: u64,
    /// How many tokens had come when it began; `None` if it is for the flight's end in any case.
    arrivals: Option<u64>,
    /// How often the record had been replaced when it began.
    publishes: u64,
    /// What the flight is held by holds the caller, too.
    is_held: bool,
    limit: Millis,
    deadline: Millis,
}

impl Until {
    /// Other tokens have come, the record is another, the flight has ended or is held, or the limit has come.
    fn has_come(&self, core: &Core, shared: &Shared) -> bool {
        let now = core.clock.now();
        let held = self.is_held && shared.hold_beyond(self.deadline, now).is_some();
        let flying = shared.flight.as_ref().is_some_and(|flight| flight.id == self.flight);
        let arrived = self.arrivals.is_some_and(|arrivals| arrivals != shared.arrivals);
        // Whether it is held is another question now.
        let changed = self.arrivals.is_some() && self.publishes != shared.publishes;
        arrived || changed || !flying || held || now.mono >= self.limit || shared.closing
    }
}

/// What a caller sees in one step.
struct Sight<'a> {
    seen: &'a Seen,
    view: View<'a>,
}

impl Sight<'_> {
    fn has_valid_token(&self) -> bool {
        self.view.left() > 0
    }

    fn serve(&self) -> Step {
        Step::Serve(Arc::clone(&self.seen.record))
    }

    /// A caller that only wants a token takes the one that is there rather than an error.
    fn has_enough_for(&self, caller: &Caller) -> bool {
        self.has_valid_token() && caller.want == Want::Fresh
    }

    fn serve_or(&self, caller: &Caller, error: impl FnOnce() -> Error) -> Result<Step> {
        if self.has_enough_for(caller) { Ok(self.serve()) } else { Err(error()) }
    }
}

impl Core {
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
        self.shared().callers += 1;
        let _present = Present(self);
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
                    caller.looked = true;
                }
                Step::Wait(until) => {
                    Changed::new(self, |shared: &Shared| until.has_come(self, shared)).and_at(until.limit).await;
                }
            }
        }
    }

    /// One look at the situation of a caller. The passes follow each other, and the first that knows what comes next ends it:
    ///
    /// ```text
    /// may_ask          shut down, logged out                                    fail
    /// must_look        nobody here has looked at the store                      look
    /// has_come         what it wants came while it waited                       serve, fail
    /// flight_failed    the flight that it waited for                            serve, fail
    /// is_held_too_long the flight waits longer than the caller would            serve, fail
    /// time_is_up       a limit of its wait has come                             serve, fail
    /// take_offer       what the plan offers                                     serve, look, wait, fail
    /// ```
    fn step(self: &Arc<Self>, caller: &mut Caller) -> Result<Step> {
        let now = self.clock.now();
        let mut shared = self.shared();
        may_ask(&shared, caller)?;
        if must_look(&shared, caller) {
            return Ok(Step::Look);
        }
        let seen = shared.seen.clone().unwrap_or_else(|| self.nothing(now));
        let sight = Sight { seen: &seen, view: self.view(&seen, now) };
        if matches!(&caller.want, Want::Not(refused) if !sight.view.is_current(refused)) {
            // Somebody has replaced it already.
            caller.want = Want::Fresh;
        }
        if let Some(step) = self.has_come(&shared, &sight, caller)? {
            return Ok(step);
        }
        if let Some(step) = flight_failed(&shared, &sight, caller)? {
            return Ok(step);
        }
        let permit = self.permit(&shared, &sight.view, &caller.want);
        if let Some(step) = is_held_too_long(&shared, &sight, &permit, caller)? {
            return Ok(step);
        }
        if let Some(step) = self.time_is_up(&shared, &sight, &permit, caller)? {
            return Ok(step);
        }
        self.take_offer(&mut shared, &sight, &permit, caller)
    }

    /// What came while the caller waited, and whether it is of use.
    fn has_come(&self, shared: &Shared, sight: &Sight<'_>, caller: &mut Caller) -> Result<Option<Step>> {
        if !self.is_met(shared, &sight.view, caller) {
            return Ok(None);
        }
        if sight.has_valid_token() || caller.want.is_explicit_login() {
            return Ok(Some(sight.serve()));
        }
        let tokens = sight.seen.record.tokens.as_ref();
        if let Some(brought) = shared.brought.clone().filter(|_| tokens.is_none()) {
            // It came for this caller, and was cleared before the caller was back.
            return Ok(Some(Step::Serve(brought)));
        }
        if tokens.is_some_and(|tokens| tokens.life == 0) {
            // In the last moment of a session a renewal brings no more. The next one tells whether it was that.
            if caller.went_on || shared.last_login > caller.exchanges {
                return Err(stillborn());
            }
            caller.went_on = true;
        }
        // It came and ended before its caller was back.
        caller.exchanges = shared.exchanges;
        Ok(None)
    }

    /// The first limit is that of what was offered, the last one the caller's patience.
    fn time_is_up(
        &self,
        shared: &Shared,
        sight: &Sight<'_>,
        permit: &Permit,
        caller: &mut Caller,
    ) -> Result<Option<Step>> {
        let now = sight.view.now.mono;
        if caller.limit.is_none_or(|limit| now < limit) {
            return Ok(None);
        }
        if now < caller.deadline && !sight.has_enough_for(caller) {
            caller.limit = Some(caller.deadline);
            return Ok(None);
        }
        sight.serve_or(caller, || self.out_of_patience(shared, &sight.view, permit, caller.came)).map(Some)
    }

    /// What can be had now, by the plan; what it begins goes on without the caller, too.
    fn take_offer(
        self: &Arc<Self>,
        shared: &mut Shared,
        sight: &Sight<'_>,
        permit: &Permit,
        caller: &mut Caller,
    ) -> Result<Step> {
        let now = sight.view.now;
        let offer = sight.view.offer(&caller.want, permit, caller.deadline.saturating_sub(now.mono));
        let failed = recent_failure(shared, now).filter(|_| caller.want == Want::Fresh && caller.flight.is_none());
        match offer {
            Offer::ServeAndRenew if failed.is_some() => Ok(sight.serve()),
            Offer::Wait(_)
                if let Some(error) = failed
                    && !sight.has_valid_token()
                    && matches!(permit, Permit::Nothing) =>
            {
                Err(error.clone())
            }
            Offer::Serve => Ok(sight.serve()),
            Offer::Fail(_) | Offer::Refused(_) if !caller.looked => Ok(Step::Look),
            Offer::Fail(error) => Err(error),
            Offer::Refused(hold) => Err(hold.error(now.wall, caller.came)),
            Offer::ServeAndRenew if !self.one_shot => {
                // Without a thread the token is as good as before.
                let _ = self.join_or_start(shared, &Want::Fresh, now.mono.saturating_add(PATIENCE));
                Ok(sight.serve())
            }
            Offer::ServeAndRenew if !matches!(permit, Permit::Go(Plan::Refresh)) => Ok(sight.serve()),
            Offer::ServeAndRenew => {
                // The token is all that was asked for: from here on this is a caller like any other.
                caller.want = Want::Fresh;
                self.wait_for(shared, caller, permit, now.mono.saturating_add(EXCHANGE))
            }
            Offer::Wait(most) => {
                let step = self.wait_for(shared, caller, permit, now.mono.saturating_add(most));
                step.or_else(|error| sight.serve_or(caller, || error))
            }
        }
    }

    fn wait_for(
        self: &Arc<Self>,
        shared: &mut Shared,
        caller: &mut Caller,
        permit: &Permit,
        limit: Millis,
    ) -> Result<Step> {
        let flight = self.join_or_start(shared, &caller.want, caller.deadline)?;
        caller.flight = Some(flight);
        // What still follows a login (the end of the session that it replaced) is part of it; and so it is for a process
        // that ends with its answer.
        let to_the_end = self.one_shot || caller.want.is_explicit_login();
        Ok(Step::Wait(Until {
            flight,
            arrivals: (!to_the_end).then_some(shared.arrivals),
            publishes: shared.publishes,
            is_held: matches!(permit, Permit::Held(_)),
            limit: *caller.limit.get_or_insert(limit),
            deadline: caller.deadline,
        }))
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
                let why = "no valid token came within the time that the caller would wait";
                shared.last_error.clone().unwrap_or_else(|| Error::new(ErrorKind::Network, why).with_hint("try again"))
            }
        }
    }
}

fn may_ask(shared: &Shared, caller: &Caller) -> Result<()> {
    if shared.closing {
        return Err(shut_down());
    }
    if shared.logged_out || shared.logouts != caller.logouts {
        return Err(logged_out());
    }
    Ok(())
}

fn must_look(shared: &Shared, caller: &Caller) -> bool {
    (shared.seen.is_none() || caller.want.is_explicit_login()) && !caller.looked
}

/// What the flight that the caller waited for has failed with, said once, and if it was for what the caller wants: what kept
/// a new session from being opened says nothing about renewing the old one.
fn flight_failed(shared: &Shared, sight: &Sight<'_>, caller: &mut Caller) -> Result<Option<Step>> {
    let Some(flight) = caller.flight else { return Ok(None) };
    let mut since = shared.ended.iter().filter(|ended| ended.id >= flight).peekable();
    if since.peek().is_none() {
        return Ok(None);
    }
    caller.flight = None;
    let same = since.find(|ended| ended.want.is_of_the_kind_of(&caller.want) && ended.logouts == caller.logouts);
    match same.map(|ended| &ended.result) {
        Some(Err(error)) => sight.serve_or(caller, || error.clone()).map(Some),
        _ => Ok(None),
    }
}

/// The flight that the caller waits for sleeps, for a hold that is the caller's too and outlasts its patience.
fn is_held_too_long(shared: &Shared, sight: &Sight<'_>, permit: &Permit, caller: &Caller) -> Result<Option<Step>> {
    let now = sight.view.now;
    let is_mine = shared.flight.as_ref().is_some_and(|flight| caller.flight == Some(flight.id));
    match shared.hold_beyond(caller.deadline, now) {
        Some(hold) if is_mine && matches!(permit, Permit::Held(_)) => {
            sight.serve_or(caller, || hold.error(now.wall, caller.came)).map(Some)
        }
        _ => Ok(None),
    }
}

/// What the last flight failed with, if that was less than a second ago and nothing else is known since: it is not tried
/// again for each caller.
fn recent_failure(shared: &Shared, now: Now) -> Option<&Error> {
    let ended = shared.ended.last()?;
    let recent = ended.logouts == shared.logouts && now.mono.saturating_sub(ended.at) < 1000;
    ended.result.as_ref().err().filter(|_| recent && ended.publishes == shared.publishes)
}

fn stillborn() -> Error {
    let why = "the identity service issued an access token that had already ended: its clock or its settings are wrong";
    Error::new(ErrorKind::MalformedAnswer, why)
}

/// A caller from its first look until it has its result: what comes for it is kept so long.
struct Present<'a>(&'a Core);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        let mut shared = self.0.shared();
        shared.callers -= 1;
        if shared.flight.is_none() {
            shared.forget_what_was_brought();
        }
    }
}
