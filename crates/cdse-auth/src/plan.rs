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
use crate::record::{Class, Dead, Hold, Known, Mark, Record, Refused, Sent, UsedCode, Version, Worked};
use crate::secret::{CredentialMark, Fingerprint, Secret};
use crate::token::{LONGEST_LIFE, TokenSet};

const SECOND: Millis = 1000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;

/// X: one exchange takes no longer.
pub(crate) const EXCHANGE: Millis = 20 * SECOND;
/// B: how long a caller waits by default.
pub(crate) const PATIENCE: Millis = 60 * SECOND;
/// How far ahead of its time a record may be before a clock must have been set back.
const FUTURE: Millis = MINUTE;
/// What two readings of the same end may differ by.
const SAME_END: Millis = 2 * SECOND;
const STRIKES: [Millis; 4] = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR];
const LONGEST_RETRY_AFTER: Millis = 300 * SECOND;
const LONGEST_AFTER_LOST_LOGIN: Millis = 5 * MINUTE;
/// After any refusal nobody logs in for so long.
const AFTER_REFUSAL: Millis = 2 * SECOND;
/// How often running a person's login goes past what holds everybody else.
const PASSES: u32 = 3;
/// How many refused credentials are told apart.
const REFUSED_MARKS: usize = 4;
/// What may follow from a login whose answer was lost.
pub(crate) const MAY_BE_OPEN: &str = "a session may have been opened all the same";
/// How often running a login is tried again that the service was too busy for, as far as it said.
const BUSY_TRIES: u32 = 2;

/// What a caller wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Want {
    /// A token that need not be renewed yet.
    Fresh,
    /// A token that is valid for at least so long.
    Validity(Millis),
    /// Another token than this one, which a service refused. What waits or is remembered must not keep a token.
    Not(Fingerprint),
    /// A token of an exchange that was announced after what was stored at the call (`after`; `None`: nothing), by whomever.
    /// `not` is the token that the caller knew, `since` when it called (wall clock).
    Renewal { since: Millis, not: Option<Fingerprint>, after: Option<Version> },
    /// A session: the stored one if it lives, else a new one. Said by a person, at `since`.
    Session { since: Millis },
    /// A new session, whatever is stored. Said by a person, at `since`.
    NewSession { since: Millis },
}

impl Want {
    /// When an explicit login was said: it goes past what held everybody else back then.
    pub(crate) fn explicit_login(&self) -> Option<Millis> {
        match self {
            Self::Session { since } | Self::NewSession { since } => Some(*since),
            _ => None,
        }
    }

    pub(crate) fn is_of_the_kind_of(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whoever gets what this wants has what `other`, of the same kind, wants.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Validity(mine), Self::Validity(theirs)) => mine >= theirs,
            (Self::Renewal { after: Some(mine), .. }, Self::Renewal { after: Some(theirs), .. })
                if mine.lineage == theirs.lineage =>
            {
                mine.generation >= theirs.generation
            }
            (Self::Session { .. }, Self::Session { .. }) | (Self::NewSession { .. }, Self::NewSession { .. }) => true,
            _ => self == other,
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
    /// Nothing as long as a token is good: the answer to the last refresh is lost.
    Rests,
    /// Somebody may be renewing it: only whoever has the guard can tell.
    UnderWay,
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
    /// Waiting mends nothing: the same credentials would be refused again.
    Refused(Hold),
}

/// Whether an exchange may begin.
#[derive(Clone, Debug)]
pub(crate) enum Permit {
    Go(Plan),
    /// Everybody waits until then (wall clock).
    Held(Hold),
    /// These credentials were refused, and are not sent again before.
    Refused(Hold),
    /// The service refuses a token that was renewed for a refusal a moment ago.
    StillRefused,
    /// The exchange before was too short ago.
    TooSoon,
    /// The refresh token was sent already and its answer is lost: while another token is good it is not sent again.
    Rests,
    /// Somebody may be renewing: only whoever has the guard can tell.
    UnderWay,
    /// There is nothing that could be sent.
    Nothing,
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
        self.record.refresh_token().filter(|_| !self.record.is_dead())
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
        let known = self.record.tokens.as_ref().zip(self.record.hard_end);
        known.is_some_and(|(tokens, end)| tokens.access_end() >= end.saturating_sub(SAME_END))
    }

    /// Whether the session can still be renewed, as far as is known here.
    pub(crate) fn session_lives(&self) -> bool {
        let refreshable = self.living_refresh().is_some() && !self.refresh_is_over();
        let client = self.record.tokens.as_ref().is_some_and(|tokens| tokens.refresh.is_none());
        refreshable || (client && self.left() > 0)
    }

    /// The session has ended as this machine's clock has it, and the service has not said so: the refresh token is tried
    /// once more where nothing else can be sent.
    pub(crate) fn has_ended_by_the_clock(&self) -> bool {
        self.left() <= 0 && self.living_refresh().is_some() && self.refresh_is_over()
    }

    /// What would be sent. `unwanted`: the token that is held was refused by a service and is worth nothing.
    pub(crate) fn plan(&self, means: &Means, unwanted: bool) -> Plan {
        let living = self.living_refresh();
        if let Some(token) = living
            && !self.refresh_is_over()
            && !self.reaches_hard_end()
        {
            let mark = self.record.mark.as_ref().filter(|mark| mark.is_of_refresh(&token.fingerprint()));
            let late = self.windows().map_or(0, |windows| windows.late);
            let spare = !unwanted && !self.is_from_future() && self.left() > late;
            return match mark.filter(|_| spare) {
                Some(mark) if mark.lost => Plan::Rests,
                Some(_) => Plan::UnderWay,
                None => Plan::Refresh,
            };
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

    /// Whether an exchange for `want` may begin now. `is_own` tells whether a mark is of the provider's credentials.
    pub(crate) fn permit(&self, want: &Want, means: &Means, is_own: impl Fn(&CredentialMark) -> bool) -> Permit {
        let unwanted = matches!(want, Want::Not(refused) if self.is_current(refused));
        let plan = match want {
            Want::NewSession { .. } if means.login => Plan::Login,
            Want::NewSession { .. } if means.spent => Plan::Nothing,
            _ => self.plan(means, unwanted),
        };
        match plan {
            Plan::Nothing => return Permit::Nothing,
            _ if unwanted && self.is_still_refused() => return Permit::StillRefused,
            Plan::Rests => return Permit::Rests,
            Plan::UnderWay => return Permit::UnderWay,
            _ => {}
        }
        if plan == Plan::Login
            && let Some((hold, own)) = self.refusal(want, is_own)
        {
            return if own && !want.is_explicit_login() { Permit::Refused(hold) } else { Permit::Held(hold) };
        }
        if let Some(hold) = self.hold(want) {
            return Permit::Held(hold);
        }
        if *want == Want::Fresh && self.is_too_soon() {
            return Permit::TooSoon;
        }
        Permit::Go(plan)
    }

    /// The token is the answer to a refusal, or follows one, and that was a moment ago.
    fn is_still_refused(&self) -> bool {
        let (Some(tokens), Some(windows)) = (&self.record.tokens, self.windows()) else { return false };
        tokens.refused_at != 0
            && !self.is_from_future()
            && self.now.wall < tokens.refused_at.saturating_add(windows.refusal_gap)
    }

    fn is_too_soon(&self) -> bool {
        let (Some(tokens), Some(windows)) = (&self.record.tokens, self.windows()) else { return false };
        // A token of no life at all must not make anybody spin.
        !self.is_from_future() && self.elapsed(tokens) < windows.gap.min(tokens.life.max(SECOND))
    }

    /// What holds everybody back from the service.
    fn hold(&self, want: &Want) -> Option<Hold> {
        let hold = self.record.hold.as_ref().filter(|hold| hold.credentials.is_none() && self.is_in_force(hold))?;
        // What its own try brought about holds a login like everybody else.
        let passes = want.explicit_login().is_some_and(|said| hold.since < said && self.record.passes < PASSES);
        (!passes).then(|| hold.clone())
    }

    /// What a refusal holds back, and whether it is of these credentials.
    fn refusal(&self, want: &Want, is_own: impl Fn(&CredentialMark) -> bool) -> Option<(Hold, bool)> {
        // An older version kept it among what holds everybody.
        let older = self.record.hold.as_ref().and_then(|hold| hold.credentials.map(|mark| (hold, vec![mark])));
        let refused = self.record.refused.as_ref().map(|refused| (&refused.hold, refused.marks.clone()));
        let in_force = refused.into_iter().chain(older).filter(|(hold, _)| self.is_in_force(hold));
        let held = in_force.filter_map(|(hold, marks)| {
            let own = marks.iter().any(&is_own);
            let most = match want.explicit_login() {
                None if own => Millis::MAX,
                Some(_) if own && self.record.passes >= PASSES => MINUTE,
                _ => AFTER_REFUSAL,
            };
            let until = hold.until.min(hold.since.saturating_add(most));
            (self.now.wall < until).then(|| (Hold { until, ..hold.clone() }, own))
        });
        held.min_by_key(|(_, own)| !own)
    }

    fn is_in_force(&self, hold: &Hold) -> bool {
        let set_back = hold.since > self.now.wall.saturating_add(FUTURE);
        let left = hold.until.saturating_sub(self.now.wall);
        !set_back && left > 0 && left <= longest(hold.class.word().copied())
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
            Want::Renewal { since, not, after } => self.left() > 0 && self.is_renewed(*since, not.as_ref(), *after),
            Want::NewSession { .. } => false,
        }
    }

    fn is_renewed(&self, since: Millis, not: Option<&Fingerprint>, after: Option<Version>) -> bool {
        let Some(tokens) = &self.record.tokens else { return false };
        if not.is_some_and(|not| tokens.access.fingerprint() == *not) {
            return false;
        }
        match (tokens.begun, after) {
            (Some(begun), Some(after)) if after.lineage == self.record.lineage => begun > after.generation,
            (Some(_), None) => true,
            // Whoever knew no token cannot tell one of the same tick from a later one.
            _ => !self.is_from_future() && (tokens.t0 > since || (tokens.t0 == since && not.is_some())),
        }
    }

    /// What a caller with `want` gets now, given what [`View::permit`] says.
    pub(crate) fn offer(&self, want: &Want, permit: &Permit, patience: Millis) -> Offer {
        let go = matches!(permit, Permit::Go(_));
        match want {
            _ if matches!(permit, Permit::StillRefused) => Offer::Fail(still_refused()),
            _ if let Permit::Refused(hold) = permit
                && self.left() <= 0 =>
            {
                Offer::Refused(hold.clone())
            }
            Want::Not(refused) if self.is_current(refused) => Offer::Wait(patience),
            Want::Fresh | Want::Not(_) => match self.state() {
                State::Fresh => Offer::Serve,
                State::Early if go => Offer::ServeAndRenew,
                State::Late if go => Offer::Wait(patience.min(10 * SECOND).min(self.left() / 2)),
                State::Early | State::Late => Offer::Serve,
                State::Expired | State::Empty => Offer::Wait(patience),
            },
            // A longer one cannot be had before the one that rests is tried again.
            Want::Validity(_) if self.left() > 0 && matches!(permit, Permit::Rests) => Offer::Serve,
            Want::Validity(_) if go && self.satisfies(want) && self.state() != State::Fresh => Offer::ServeAndRenew,
            _ if self.satisfies(want) => Offer::Serve,
            _ => Offer::Wait(patience),
        }
    }
}

pub(crate) fn still_refused() -> Error {
    let why = "the service refused an access token that was renewed a moment ago: the account may lack a permission for \
               this request, or one of the two clocks is wrong";
    Error::new(ErrorKind::StillRefused, why)
}

/// The longest hold of each kind; one that ends later was written by a clock that has been set back since.
fn longest(class: Option<Class>) -> Millis {
    match class {
        Some(Class::Unsent | Class::Lost) => LONGEST_RETRY_AFTER.max(LONGEST_AFTER_LOST_LOGIN),
        Some(Class::Limit | Class::Configuration) => MINUTE,
        Some(Class::Dead | Class::Refused) | None => HOUR,
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
    /// One that something else than the service itself tells of.
    pub(crate) fn new(class: Class, error: Error) -> Self {
        Self { class, error, retry_after: None, words: String::new() }
    }

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
    /// A service has refused the access token that it replaces.
    pub(crate) because: bool,
    /// The grant is a machine client's: it opens no session and may be sent as often as needed.
    pub(crate) client: bool,
    pub(crate) code: Option<UsedCode>,
    /// The provider's credentials, for a login.
    pub(crate) credentials: Option<CredentialMark>,
    /// Those among the refused ones that are the provider's, too.
    pub(crate) own_refusals: Vec<CredentialMark>,
    /// The mark that was there before.
    pub(crate) was: Option<Mark>,
    /// A refused code is no strike: another machine may have used it, and a later one will be tried.
    pub(crate) forgive_refusal: bool,
    /// A full account holds nobody back: the session that is to be replaced will be ended first, and the login tried
    /// again.
    pub(crate) makes_room: bool,
}

impl Attempt {
    /// Nobody's wish, without credentials of the provider's.
    pub(crate) fn new(plan: Plan, sent: Sent, begun: Now, was: Option<Mark>) -> Self {
        Self {
            plan,
            sent,
            begun,
            explicit: false,
            because: false,
            client: false,
            code: None,
            credentials: None,
            own_refusals: Vec::new(),
            was,
            forgive_refusal: false,
            makes_room: false,
        }
    }

    /// The refresh token was sent before, and its answer is not known: that it is refused now is no wonder.
    pub(crate) fn was_suspect(&self) -> bool {
        self.was.as_ref().is_some_and(|mark| !mark.is_of_login())
    }

    /// Whether it may be sent again where it is not known whether the service has worked on it, as after a 503: a gateway
    /// answers one also when the service behind it has, and the connection broke.
    pub(crate) fn is_repeatable(&self, before: &Record) -> bool {
        self.client || (self.plan == Plan::Login && self.code.is_none() && before.fails < BUSY_TRIES)
    }
}

/// The record that must be stored before anything is sent.
pub(crate) fn intent(record: &Record, attempt: &Attempt, by: &str) -> Record {
    let mut next = record.next();
    // A login tells nothing about the refresh token that rests.
    if attempt.sent != Sent::Login || !attempt.was_suspect() {
        let (sent, since) = (Known::Word(attempt.sent.clone()), attempt.begun.wall);
        next.mark = Some(Mark { sent, since, by: by.to_owned(), lost: false });
    }
    if let Some(code) = &attempt.code {
        next.otp = Some(Known::Word(code.clone()));
    }
    next
}

/// The record after a look under the guard at a mark that is under way: whoever left it has gone, and its answer is lost.
pub(crate) fn abandoned(record: &Record, client: bool, dice: Dice) -> Option<Record> {
    let mark = record.mark.as_ref().filter(|mark| !mark.lost)?;
    let mut next = record.next();
    if mark.is_of_login() && !client {
        let until = mark.since.saturating_add(lost_login(&mut next, None, dice));
        let why = format!("a login was interrupted and its answer is lost; {MAY_BE_OPEN}");
        next.hold = Some(Hold::new(mark.since, until, Class::Lost, &Error::new(ErrorKind::Network, why)));
    }
    next.mark = Some(Mark { lost: true, ..mark.clone() });
    Some(next)
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
        Ok(granted) => settle_ok(&mut next, intent.generation, attempt, granted, dice),
        Err(failure) => settle_failure(&mut next, attempt, failure, now, dice),
    }
    next
}

fn settle_ok(next: &mut Record, begun: u64, attempt: &Attempt, granted: &Granted, dice: Dice) {
    let before = next.tokens.take();
    // A renewal a moment after the one that a refusal has caused does not make the token good.
    let follows = before.as_ref().filter(|before| {
        let gap = Windows::of(before, 0).refusal_gap;
        attempt.begun.wall < before.refused_at.saturating_add(gap)
    });
    let refused_at = if attempt.because { attempt.begun.wall } else { follows.map_or(0, |before| before.refused_at) };
    let renewed = before.as_ref().filter(|_| attempt.plan == Plan::Refresh);
    let tokens = TokenSet {
        access: granted.access.clone(),
        // A machine client asks again with its secret; it has no session.
        refresh: granted.refresh.clone().filter(|_| !attempt.client).or_else(|| renewed?.refresh.clone()),
        session_id: granted.session_id.clone().or_else(|| renewed?.session_id.clone()),
        t0: attempt.begun.wall,
        life: granted.life.clamp(0, LONGEST_LIFE),
        refresh_life: granted.refresh_life,
        jitter: dice.jitter,
        refused_at,
        begun: Some(begun),
    };
    match renewed {
        Some(before) => refreshed(next, before, &tokens),
        None => next.hard_end = None,
    }
    if attempt.plan == Plan::Login {
        let at = attempt.begun.wall;
        next.worked = attempt.credentials.map(|credentials| Worked { credentials, at, forgiven: false });
        next.to_end = None;
        next.uses_otp = Some(attempt.code.is_some());
        if attempt.explicit || attempt.client {
            next.strikes = 0;
        }
    }
    if let (Plan::RefreshGiven, Sent::Refresh(given)) = (attempt.plan, &attempt.sent) {
        next.seed = Some(given.clone());
    }
    if let Some(refused) = &mut next.refused {
        refused.marks.retain(|mark| !attempt.own_refusals.contains(mark));
    }
    next.refused = next.refused.take().filter(|refused| !refused.marks.is_empty());
    next.tokens = Some(tokens);
    next.mark = None;
    next.dead = None;
    next.hold = None;
    (next.fails, next.lost, next.passes) = (0, 0, 0);
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
    settle_mark(next, attempt, failure.class);
    // A certificate that is not trusted here, a proxy's password: what this process is set to holds nobody else back.
    if failure.class == Class::Unsent && !failure.error.is_transient() {
        return;
    }
    let holds = [next.hold.as_ref(), next.refused.as_ref().map(|refused| &refused.hold)];
    if attempt.explicit && holds.into_iter().flatten().any(|hold| hold.until > attempt.begun.wall) {
        next.passes = next.passes.saturating_add(1);
    }
    let length = match failure.class {
        Class::Lost if login && !attempt.client => Some(lost_login(next, failure.retry_after, dice)),
        Class::Unsent | Class::Lost => Some(back_off(next, failure, dice)),
        Class::Refused if attempt.forgive_refusal => {
            // Once: the next refusal counts, whoever meets it.
            next.worked = next.worked.map(|worked| Worked { forgiven: true, ..worked });
            None
        }
        Class::Refused => strike(next, 0),
        Class::Dead => {
            let early = dies_early(next, now) && !attempt.was_suspect();
            if let Sent::Refresh(token) = &attempt.sent {
                next.dead = Some(Dead { token: token.clone(), words: failure.words.clone(), at: now.wall });
            }
            // The first one may be somebody's "log out everywhere"; a second one is a pattern.
            if early { strike(next, 1) } else { None }
        }
        Class::Limit if attempt.makes_room && failure.is_spoken() => None,
        Class::Limit | Class::Configuration => Some(MINUTE),
    };
    let until = |length| now.wall.saturating_add(length);
    let hold = length.map(|length| Hold::new(now.wall, until(length), failure.class, &failure.error));
    match failure.class {
        Class::Refused => refuse(next, attempt, hold, now),
        _ => next.hold = hold,
    }
}

/// What was not worked on says nothing about an earlier answer that is not known.
fn settle_mark(next: &mut Record, attempt: &Attempt, class: Class) {
    let Some(mark) = next.mark.as_mut().filter(|mark| mark.sent.word() == Some(&attempt.sent)) else { return };
    match class {
        Class::Lost => mark.lost = true,
        Class::Dead | Class::Refused => next.mark = None,
        Class::Unsent | Class::Limit | Class::Configuration => {
            next.mark = attempt.was.clone().filter(|was| was.sent == mark.sent);
        }
    }
}

/// Only these credentials are held, so that corrected ones work at once.
fn refuse(next: &mut Record, attempt: &Attempt, hold: Option<Hold>, now: Now) {
    let Some(hold) = hold else { return };
    let others = next.refused.take().filter(|refused| refused.hold.until > now.wall).map(|refused| refused.marks);
    let others = others.into_iter().flatten().filter(|mark| !attempt.own_refusals.contains(mark));
    let marks = attempt.credentials.into_iter().chain(others).take(REFUSED_MARKS).collect();
    next.refused = Some(Refused { hold, marks });
}

fn back_off(next: &mut Record, failure: &Failure, dice: Dice) -> Millis {
    next.fails = next.fails.saturating_add(1);
    match failure.retry_after {
        Some(asked) => asked.clamp(SECOND, LONGEST_RETRY_AFTER),
        None => (SECOND << next.fails.min(10)).min(30 * SECOND) * dice.backoff / 1000,
    }
}

/// Each may have opened a session that nobody knows.
fn lost_login(next: &mut Record, retry_after: Option<Millis>, dice: Dice) -> Millis {
    next.fails = next.fails.saturating_add(1);
    next.lost = next.lost.saturating_add(1);
    let length = ((30 * SECOND) << next.lost.min(8)).min(LONGEST_AFTER_LOST_LOGIN) * dice.backoff / 1000;
    length.max(retry_after.map_or(0, |asked| asked.clamp(SECOND, LONGEST_RETRY_AFTER)))
}

/// The length of the hold; the first `free` ones only count.
fn strike(next: &mut Record, free: u32) -> Option<Millis> {
    next.strikes = next.strikes.saturating_add(1);
    let nth = next.strikes.checked_sub(1 + free)?;
    STRIKES.get(usize::try_from(nth).unwrap_or(usize::MAX).min(STRIKES.len() - 1)).copied()
}

/// Whether the session ends before the time that the service had named.
fn dies_early(record: &Record, now: Now) -> bool {
    let Some(tokens) = &record.tokens else { return false };
    let named = tokens.refresh_end().into_iter().chain(record.hard_end).min();
    named.is_none_or(|end| now.wall < end.saturating_sub(SAME_END))
}

#[cfg(test)]
mod edges;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod tests;
