//! The heart: everything that is decided about time, and what each outcome of an exchange leaves behind.
//!
//! Pure: a record, a want and two clocks go in, a decision or the next record comes out. No I/O, no lock, no clock of
//! its own. What everything else does follows from here and from the contract of the [store](crate::store).
//! The scenarios that it must obey are data: `plan/scenarios.txt`.
//!
//! ```text
//! t0 ------------------------- D --------------- A-L --------- A
//!   Fresh: served, no wait      Early: served,    Late: waits    Expired: waits for a renewal
//!                               renewed behind    a little
//! ```

use crate::clock::{Millis, Now};
use crate::error::{Error, ErrorKind};
use crate::record::{Dead, Hold, HoldClass, Record, Sent, Suspect, UsedCode, Worked};
use crate::secret::{CredentialMark, Fingerprint, Secret};
use crate::token::{LONGEST_LIFE, TokenSet};

const SECOND: Millis = 1000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;

/// X: one exchange takes no longer.
pub(crate) const EXCHANGE: Millis = 20 * SECOND;
/// B: how long a caller waits unless it says otherwise.
pub(crate) const PATIENCE: Millis = 60 * SECOND;
/// How far ahead of its time a record may be before a clock must have been set back.
const FUTURE: Millis = MINUTE;
/// What two readings of the same end may differ by.
const SAME_END: Millis = 2 * SECOND;
const STRIKES: [Millis; 4] = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR];
const LONGEST_RETRY_AFTER: Millis = 300 * SECOND;

/// What a caller wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Want {
    /// A token that need not be renewed yet.
    Fresh,
    /// A token that is valid for at least so long.
    Validity(Millis),
    /// Another token than this one, which a service refused. What waits or is remembered must not keep a token.
    Not(Fingerprint),
    /// Another token than `not`, of an exchange that began at `since` (wall clock) or later, by whomever; `not` is the
    /// one that the caller knew.
    Renewal { since: Millis, not: Option<Fingerprint> },
    /// A session: the stored one if it lives, else a new one. Said by a person, at `since`.
    Session { since: Millis },
    /// A new session, whatever is stored. Said by a person, at `since`.
    NewSession { since: Millis },
}

impl Want {
    /// An explicit login goes past what held everybody else back when it was said.
    pub(crate) fn explicit_login(&self) -> Option<Millis> {
        match self {
            Self::Session { since } | Self::NewSession { since } => Some(*since),
            _ => None,
        }
    }

    pub(crate) fn is_explicit_login(&self) -> bool {
        self.explicit_login().is_some()
    }
}

/// What the provider can do without the stored session.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Means {
    /// It can open a session, now or after waiting for a code.
    pub(crate) login: bool,
    /// It could, but for the one-time code, which was used or is too old.
    pub(crate) spent: bool,
    /// It was given this refresh token.
    pub(crate) given: Option<Fingerprint>,
}

/// What to send next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Plan {
    /// The stored refresh token.
    Refresh,
    /// The refresh token that the provider was given.
    RefreshGiven,
    /// The provider's own grant.
    Login,
    /// Nothing as long as a token is good: the answer to the last refresh is not known.
    Suspect,
    Nothing,
}

/// The first that fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Fresh,
    Early,
    Late,
    Expired,
    Empty,
}

/// The spans that follow from a token's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Windows {
    /// L
    pub(crate) late: Millis,
    /// D, after t0
    pub(crate) due: Millis,
    /// F
    pub(crate) gap: Millis,
    /// G
    pub(crate) refusal_gap: Millis,
}

impl Windows {
    pub(crate) fn of(tokens: &TokenSet, skew: Millis) -> Self {
        let life = tokens.life;
        let late = skew.clamp(0, life / 4);
        let early = (late * 3 / 2).max(life / 5) * tokens.jitter / 1000;
        let of_access = life - early;
        let due = match tokens.refresh_life.filter(|_| tokens.refresh.is_some()) {
            Some(rest) => of_access.min(rest.saturating_sub(early.min(rest / 4))),
            None => of_access,
        };
        // A refresh token that ends soon must not be outlived by the gap.
        let gap = (life / 4).clamp(SECOND, 10 * SECOND).min(due.max(SECOND));
        Self { late, due, gap, refusal_gap: (life / 4).min(MINUTE) }
    }
}

/// One look at a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) record: &'a Record,
    /// The monotonic moment of t0: known for a token of this process, derived at first sight for a stored one.
    pub(crate) anchor: Millis,
    pub(crate) now: Now,
    /// The caller's `expiry_skew`.
    pub(crate) skew: Millis,
}

/// The monotonic moment of `tokens.t0`, for a record that was seen for the first time `now`.
pub(crate) fn anchor(record: &Record, now: Now) -> Millis {
    let age = record.tokens.as_ref().map_or(0, |tokens| now.wall.saturating_sub(tokens.t0));
    now.mono.saturating_sub(age.clamp(0, 400 * 24 * HOUR))
}

/// What a caller gets at once.
#[derive(Clone, Debug)]
pub(crate) enum Offer {
    /// The token.
    Serve,
    /// The token, and an exchange behind the caller's back.
    ServeAndRenew,
    /// An exchange is wanted: wait so long, then look again.
    Wait(Millis),
    /// Nothing helps.
    Fail(Error),
}

/// Whether an exchange may begin.
#[derive(Clone, Debug)]
pub(crate) enum Permit {
    Go(Plan),
    /// Everybody waits until then (wall clock).
    Held(Hold),
    /// The exchange before was too short ago.
    TooSoon,
    /// The refresh token was sent already and its answer is not known: while another token is good it is not sent again.
    Suspect,
    /// There is nothing that could be sent.
    Nothing,
}

impl Permit {
    /// Held because these credentials were refused.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Held(hold) if hold.class == HoldClass::Refused)
    }
}

impl View<'_> {
    pub(crate) fn windows(&self) -> Option<Windows> {
        self.record.tokens.as_ref().map(|tokens| Windows::of(tokens, self.skew))
    }

    /// A clock was set back since the token was obtained, or the file is from a machine whose clock is ahead.
    fn is_from_future(&self) -> bool {
        self.record.tokens.as_ref().is_some_and(|tokens| tokens.t0 > self.now.wall.saturating_add(FUTURE))
    }

    /// Time since t0 by the clock that says more.
    fn elapsed(&self, tokens: &TokenSet) -> Millis {
        let wall = self.now.wall.saturating_sub(tokens.t0);
        let mono = self.now.mono.saturating_sub(self.anchor);
        wall.max(mono).max(0)
    }

    pub(crate) fn left(&self) -> Millis {
        self.record.tokens.as_ref().map_or(0, |tokens| tokens.life.saturating_sub(self.elapsed(tokens)))
    }

    pub(crate) fn state(&self) -> State {
        let (Some(tokens), Some(windows)) = (&self.record.tokens, self.windows()) else { return State::Empty };
        let left = self.left();
        if left <= 0 {
            State::Expired
        } else if self.is_from_future() {
            State::Late
        } else if self.elapsed(tokens) < windows.due {
            State::Fresh
        } else if left > windows.late {
            State::Early
        } else {
            State::Late
        }
    }

    /// The stored refresh token, unless the service has refused it.
    fn living_refresh(&self) -> Option<&Secret> {
        let token = self.record.tokens.as_ref()?.refresh.as_ref()?;
        let dead = self.record.dead.as_ref().is_some_and(|dead| dead.token == token.fingerprint());
        (!dead).then_some(token)
    }

    /// R has passed by both clocks.
    fn refresh_is_over(&self) -> bool {
        let Some(tokens) = &self.record.tokens else { return false };
        tokens.refresh_life.is_some_and(|life| {
            self.now.wall >= tokens.t0.saturating_add(life) && self.now.mono >= self.anchor.saturating_add(life)
        })
    }

    /// The token that is held already reaches the session's hard end: a refresh would gain nothing.
    fn reaches_hard_end(&self) -> bool {
        match (&self.record.tokens, self.record.hard_end) {
            (Some(tokens), Some(end)) => tokens.access_end() >= end.saturating_sub(SAME_END),
            _ => false,
        }
    }

    /// Whether the session can still be renewed, as far as is known here.
    pub(crate) fn session_lives(&self) -> bool {
        let refreshable = self.living_refresh().is_some() && !self.refresh_is_over();
        let client = self.record.tokens.as_ref().is_some_and(|tokens| tokens.refresh.is_none());
        refreshable || (client && self.left() > 0)
    }

    /// What would be sent. `unwanted`: the token that is held was refused by a service and is worth nothing.
    pub(crate) fn plan(&self, means: &Means, unwanted: bool) -> Plan {
        let living = self.living_refresh();
        if let Some(token) = living
            && !self.refresh_is_over()
            && !self.reaches_hard_end()
        {
            let suspect = self.record.suspect.as_ref().is_some_and(|s| s.sent == Sent::Refresh(token.fingerprint()));
            let late = self.windows().map_or(0, |windows| windows.late);
            let spare = !unwanted && !self.is_from_future() && self.left() > late;
            return if suspect && spare { Plan::Suspect } else { Plan::Refresh };
        }
        if means.login {
            return Plan::Login;
        }
        if living.is_some() && self.refresh_is_over() {
            return Plan::Refresh;
        }
        match &means.given {
            Some(given)
                if self.record.seed.as_ref() != Some(given)
                    && self.record.dead.as_ref().is_none_or(|dead| dead.token != *given) =>
            {
                Plan::RefreshGiven
            }
            _ => Plan::Nothing,
        }
    }

    pub(crate) fn is_current(&self, refused: &Fingerprint) -> bool {
        self.record.tokens.as_ref().is_some_and(|tokens| tokens.access.fingerprint() == *refused)
    }

    /// Whether an exchange for `want` may begin now. `credentials` tells whether a mark is of the provider's.
    pub(crate) fn permit(
        &self,
        want: &Want,
        means: &Means,
        credentials: impl FnOnce(&CredentialMark) -> bool,
    ) -> Permit {
        let unwanted = matches!(want, Want::Not(refused) if self.is_current(refused));
        let plan = match want {
            Want::NewSession { .. } if means.login => Plan::Login,
            Want::NewSession { .. } if means.spent => Plan::Nothing,
            _ => self.plan(means, unwanted),
        };
        match plan {
            Plan::Nothing => return Permit::Nothing,
            Plan::Suspect => return Permit::Suspect,
            _ => {}
        }
        if let Some(hold) = self.hold(want, plan, credentials) {
            return Permit::Held(hold);
        }
        if matches!(want, Want::Fresh | Want::Not(_)) && self.is_too_soon() {
            return Permit::TooSoon;
        }
        Permit::Go(plan)
    }

    fn is_too_soon(&self) -> bool {
        let (Some(tokens), Some(windows)) = (&self.record.tokens, self.windows()) else { return false };
        // A token of no life at all must not make anybody spin.
        !self.is_from_future() && self.elapsed(tokens) < windows.gap.min(tokens.life.max(SECOND))
    }

    fn hold(&self, want: &Want, plan: Plan, credentials: impl FnOnce(&CredentialMark) -> bool) -> Option<Hold> {
        let mut hold = self.record.hold.clone()?;
        let set_back = hold.since > self.now.wall.saturating_add(FUTURE);
        if set_back || hold.until.saturating_sub(self.now.wall) > longest(hold.class) {
            return None;
        }
        if let Some(said) = want.explicit_login() {
            match hold.class {
                // What its own try brought about holds a login like everybody else.
                HoldClass::Unsent | HoldClass::Dead if hold.since < said => return None,
                HoldClass::Unsent | HoldClass::Dead => {}
                HoldClass::Refused => hold.until = hold.until.min(hold.since.saturating_add(2 * SECOND)),
                HoldClass::Lost | HoldClass::Limit | HoldClass::Configuration => {}
            }
        }
        if let Some(mark) = &hold.credentials
            && (plan != Plan::Login || !credentials(mark))
        {
            return None;
        }
        (self.now.wall < hold.until).then_some(hold)
    }

    /// Whether `want` is met by what is stored.
    pub(crate) fn satisfies(&self, want: &Want) -> bool {
        match want {
            Want::Fresh => self.state() == State::Fresh,
            Want::Validity(least) => {
                let is_new = self.is_too_soon() && !self.is_from_future();
                self.left() > 0 && (self.left() >= *least || is_new)
            }
            Want::Not(refused) => self.left() > 0 && !self.is_current(refused),
            Want::Session { .. } => self.session_lives(),
            Want::Renewal { since, not } => {
                let begun = self.record.tokens.as_ref().is_some_and(|tokens| match not {
                    Some(not) => tokens.t0 >= *since && tokens.access.fingerprint() != *not,
                    // Whoever knew no token cannot tell one of the same tick from a later one.
                    None => tokens.t0 > *since,
                });
                self.left() > 0 && !self.is_from_future() && begun
            }
            Want::NewSession { .. } => false,
        }
    }

    /// What a caller with `want` gets now, given what [`View::permit`] says.
    pub(crate) fn offer(&self, want: &Want, permit: &Permit, patience: Millis) -> Offer {
        let go = matches!(permit, Permit::Go(_));
        match want {
            Want::Not(refused) if self.is_current(refused) => {
                let windows = self.windows();
                let elapsed = self.record.tokens.as_ref().map_or(0, |tokens| self.elapsed(tokens));
                let renewable = !matches!(permit, Permit::Nothing);
                if renewable && windows.is_some_and(|w| elapsed < w.refusal_gap) {
                    return Offer::Fail(still_refused());
                }
                Offer::Wait(patience)
            }
            // Waiting mends nothing: the same credentials would be refused again.
            _ if self.left() <= 0 && !want.is_explicit_login() && permit.is_refusal() => match permit {
                Permit::Held(hold) => Offer::Fail(hold.error()),
                _ => Offer::Wait(patience),
            },
            Want::Fresh | Want::Not(_) => match self.state() {
                State::Fresh => Offer::Serve,
                State::Early if go => Offer::ServeAndRenew,
                State::Late if go => Offer::Wait(patience.min(10 * SECOND).min(self.left() / 2)),
                State::Early | State::Late => Offer::Serve,
                State::Expired | State::Empty => Offer::Wait(patience),
            },
            Want::Validity(_) if go && self.satisfies(want) && self.state() != State::Fresh => Offer::ServeAndRenew,
            _ if self.satisfies(want) => Offer::Serve,
            _ => Offer::Wait(patience),
        }
    }
}

fn still_refused() -> Error {
    let why = "the service refused an access token that was renewed a moment ago: the account may lack the right to \
               what was asked for, or the clock of one side is wrong";
    Error::new(ErrorKind::StillRefused, why)
}

/// The longest hold of each kind; one that ends later was written by a clock that has been set back since.
fn longest(class: HoldClass) -> Millis {
    match class {
        HoldClass::Unsent => LONGEST_RETRY_AFTER,
        HoldClass::Limit | HoldClass::Configuration => MINUTE,
        HoldClass::Lost | HoldClass::Dead | HoldClass::Refused => HOUR,
    }
}

/// The tokens of a 200 answer, its numbers already read leniently.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) access: Secret,
    pub(crate) refresh: Option<Secret>,
    pub(crate) session_id: Option<String>,
    pub(crate) life: Millis,
    pub(crate) refresh_life: Option<Millis>,
}

/// The classes of failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// The service has not worked on it: anything may be sent again.
    Unsent,
    /// Nobody knows whether the service has worked on it.
    Lost,
    /// The refresh token is refused for good.
    Dead,
    /// The credentials are refused.
    Refused,
    /// The account is full.
    Limit,
    /// Anything that waiting does not mend.
    Configuration,
}

/// Why an exchange brought no token.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    pub(crate) error: Error,
    pub(crate) retry_after: Option<Millis>,
    /// The service's own words, cleaned; empty where there are none.
    pub(crate) words: String,
}

impl Failure {
    /// The service itself has said so, and not something in front of it.
    pub(crate) fn is_spoken(&self) -> bool {
        !self.words.is_empty()
    }
}

pub(crate) type Outcome = Result<Granted, Failure>;

/// One exchange, as it is about to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) plan: Plan,
    pub(crate) sent: Sent,
    pub(crate) begun: Now,
    /// A person asked for it.
    pub(crate) explicit: bool,
    /// The grant is a machine client's: it opens no session and may be sent as often as needed.
    pub(crate) client: bool,
    pub(crate) code: Option<UsedCode>,
    /// The provider's credentials, for a login.
    pub(crate) credentials: Option<CredentialMark>,
    /// The refresh token was sent before, and its answer is not known: that it is refused now is no wonder.
    pub(crate) was_suspect: bool,
    /// A refused code is no strike: another machine may have used it, and a later one will be tried.
    pub(crate) forgive_refusal: bool,
    /// A full account holds nobody back: the session that is to be replaced will be ended first, and the login tried
    /// again.
    pub(crate) makes_room: bool,
}

/// The record that must be stored before anything is sent.
pub(crate) fn intent(record: &Record, attempt: &Attempt, by: &str) -> Record {
    let mut next = record.next();
    // A login tells nothing about the refresh token that rests.
    let rests = attempt.sent == Sent::Login && record.suspect.as_ref().is_some_and(|s| s.sent != Sent::Login);
    if !rests {
        next.suspect = Some(Suspect { sent: attempt.sent.clone(), since: attempt.begun.wall, by: by.to_owned() });
    }
    if attempt.code.is_some() {
        next.otp.clone_from(&attempt.code);
    }
    next
}

/// Random numbers that a settlement may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice {
    /// 900 to 1100
    pub(crate) jitter: i64,
    /// 500 to 1000
    pub(crate) backoff: i64,
}

/// The record after an exchange: the table of outcomes.
pub(crate) fn settle(intent: &Record, attempt: &Attempt, outcome: &Outcome, now: Now, dice: Dice) -> Record {
    let mut next = intent.next();
    match outcome {
        Ok(granted) => settle_ok(&mut next, attempt, granted, dice),
        Err(failure) => settle_failure(&mut next, attempt, failure, now, dice),
    }
    next
}

fn settle_ok(next: &mut Record, attempt: &Attempt, granted: &Granted, dice: Dice) {
    let before = next.tokens.take();
    let tokens = TokenSet {
        access: granted.access.clone(),
        // A machine client asks again with its secret; it has no session.
        refresh: granted.refresh.clone().filter(|_| !attempt.client).or_else(|| match attempt.plan {
            Plan::Refresh => before.as_ref().and_then(|tokens| tokens.refresh.clone()),
            _ => None,
        }),
        session_id: granted.session_id.clone().or_else(|| match attempt.plan {
            Plan::Refresh => before.as_ref().and_then(|tokens| tokens.session_id.clone()),
            _ => None,
        }),
        t0: attempt.begun.wall,
        life: granted.life.clamp(0, LONGEST_LIFE),
        refresh_life: granted.refresh_life,
        jitter: dice.jitter,
    };
    if attempt.plan == Plan::Refresh {
        if let Some(before) = &before {
            refreshed(next, before, &tokens);
        }
    } else {
        next.hard_end = None;
    }
    if attempt.plan == Plan::Login {
        next.worked = attempt.credentials.map(|credentials| Worked { credentials, at: attempt.begun.wall });
        next.uses_otp = Some(attempt.code.is_some());
        if attempt.explicit || attempt.client {
            next.strikes = 0;
        }
    }
    if let (Plan::RefreshGiven, Sent::Refresh(given)) = (attempt.plan, &attempt.sent) {
        next.seed = Some(given.clone());
    }
    next.tokens = Some(tokens);
    next.suspect = None;
    next.dead = None;
    next.hold = None;
    next.fails = 0;
    next.out = false;
}

/// What a successful refresh tells about the session: its hard end, and that it lives.
fn refreshed(next: &mut Record, before: &TokenSet, after: &TokenSet) {
    let windows = Windows::of(before, 0);
    let since = after.t0.saturating_sub(before.t0);
    if since >= windows.gap {
        next.strikes = 0;
    }
    match (before.refresh_end(), after.refresh_end()) {
        (Some(old), Some(new)) if (new.saturating_sub(old)).abs() <= SAME_END => {
            if since >= (10 * SECOND).max(before.life / 4) {
                next.hard_end = Some(new);
            }
        }
        _ => next.hard_end = None,
    }
}

fn settle_failure(next: &mut Record, attempt: &Attempt, failure: &Failure, now: Now, dice: Dice) {
    let login = attempt.plan == Plan::Login;
    // What was not worked on says nothing about an earlier answer that is not known.
    let tells = match failure.class {
        Class::Lost => false,
        Class::Dead | Class::Refused => true,
        Class::Unsent | Class::Limit | Class::Configuration => !attempt.was_suspect,
    };
    if tells && next.suspect.as_ref().is_some_and(|suspect| suspect.sent == attempt.sent) {
        next.suspect = None;
    }
    let length = match failure.class {
        Class::Unsent => Some(back_off(next, failure, dice)),
        Class::Lost if login && !attempt.client => strike(next),
        Class::Lost => Some(back_off(next, failure, dice)),
        Class::Refused if attempt.forgive_refusal => {
            // Once: the next refusal counts, whoever meets it.
            next.worked = None;
            None
        }
        Class::Refused => strike(next),
        Class::Dead => {
            let early = dies_early(next, now) && !attempt.was_suspect;
            if let Sent::Refresh(token) = &attempt.sent {
                next.dead = Some(Dead { token: token.clone(), words: failure.words.clone(), at: now.wall });
            }
            // The first one may be somebody's "log out everywhere"; a second one is a pattern.
            if early { strike(next).filter(|_| next.strikes > 1) } else { None }
        }
        Class::Limit if attempt.makes_room && failure.is_spoken() => None,
        Class::Limit | Class::Configuration => Some(MINUTE),
    };
    next.hold = length.map(|length| Hold {
        until: now.wall.saturating_add(length),
        since: now.wall,
        class: match failure.class {
            Class::Unsent => HoldClass::Unsent,
            Class::Lost => HoldClass::Lost,
            Class::Dead => HoldClass::Dead,
            Class::Refused => HoldClass::Refused,
            Class::Limit => HoldClass::Limit,
            Class::Configuration => HoldClass::Configuration,
        },
        kind: failure.error.kind(),
        message: failure.error.message().to_owned(),
        credentials: attempt.credentials.filter(|_| failure.class == Class::Refused),
    });
}

fn back_off(next: &mut Record, failure: &Failure, dice: Dice) -> Millis {
    next.fails = next.fails.saturating_add(1);
    match failure.retry_after {
        Some(asked) => asked.clamp(SECOND, LONGEST_RETRY_AFTER),
        None => (SECOND << next.fails.min(10)).min(30 * SECOND) * dice.backoff / 1000,
    }
}

fn strike(next: &mut Record) -> Option<Millis> {
    next.strikes = next.strikes.saturating_add(1);
    let nth = usize::try_from(next.strikes - 1).unwrap_or(usize::MAX).min(STRIKES.len() - 1);
    STRIKES.get(nth).copied()
}

/// Whether the session ends before the time that the service had named.
fn dies_early(record: &Record, now: Now) -> bool {
    let Some(tokens) = &record.tokens else { return false };
    let named = match (tokens.refresh_end(), record.hard_end) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    named.is_none_or(|end| now.wall < end.saturating_sub(SAME_END))
}

#[cfg(test)]
mod edges;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod tests;
