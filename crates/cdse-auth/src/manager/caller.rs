//! One caller: what it is offered, what it waits for, and its result.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use http::HeaderValue;

use super::core::Core;
use super::shared::{Shared, logged_out, shut_down};
use crate::clock::{Alert, Millis, Now};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{EXCHANGE, Offer, PATIENCE, Permit, Plan, View, Want};
use crate::provider::Ability;
use crate::record::Record;
use crate::sync::Arc;
use crate::token::TokenSet;

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
        let view = self.view(&seen, now);
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

fn stillborn() -> Error {
    let why = "the identity service issued an access token that had ended already; its clock or its settings are wrong";
    Error::new(ErrorKind::MalformedAnswer, why)
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
