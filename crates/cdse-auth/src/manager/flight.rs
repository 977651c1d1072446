//! The exclusive section: one flight per manager, one exchange at a time per slot.
//!
//! It runs on a thread of the library's own, so that no caller's cancellation and no runtime's end can come between an
//! exchange and the saving of its result. The numbers are the steps of the model:
//!
//! ```text
//! 1 look: satisfied? held? may anything be sent?        <---------------+
//! 2 try the guard, look again                                            |
//! 3 satisfied or held: give the guard back               ----------------+
//! 4 a code that must be waited for: give the guard back  ----------------+
//! 5 end a dead session that still holds its place                        |
//! 6 commit what is about to be sent                      -- moved -------+
//! 7 one POST                                                             |
//! 8 commit what came of it                               -- not ok ------+
//! 9 give the guard back, wake everybody
//! 10 end the session that was replaced
//! ```

use super::core::Core;
use super::exchange::{Exchanges, Turn, end_orphans};
use super::explain;
use super::shared::{Basis, End, EndedFlight, RunningFlight, Shared, defect, no_thread, note, shut_down, was_sent};
use super::waiting::WaitCause;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{self, Permit, Plan, State, View, Want};
use crate::problem::{Problem, ProblemKind};
use crate::provider::{CodeSource, GIVEN_LIFE};
use crate::record::{Grant, Hold, UsedCode};
use crate::store::{Commit, Holder};
use crate::sync::{Arc, lock, spawn};
use crate::token::moment;

/// How soon whoever sleeps looks at the store again while somebody is at an exchange, and otherwise.
const SOON: Millis = 250;
const OFTEN: Millis = 1_000;
/// A stored code step that is further ahead was written by a clock that has been set back since.
const STEPS_AHEAD: i64 = 2;
const SET_ASIDE_TRIES: u32 = 20;
/// How soon a source that gave a used code is asked again.
const SAME_CODE: Millis = 5_000;

impl Core {
    pub(super) fn join_or_start(self: &Arc<Self>, shared: &mut Shared, want: &Want, until: Millis) -> Result<u64> {
        if let Some(flight) = &mut shared.flight {
            let id = flight.id;
            // One that a logout has overtaken ends without a token; whoever waits for it begins another.
            if flight.logouts == shared.logouts {
                flight.until = flight.until.max(until);
                if flight.join(want) {
                    // What it sleeps for may not hold this one back.
                    self.changed.notify_all();
                }
            }
            return Ok(id);
        }
        shared.flights += 1;
        let id = shared.flights;
        shared.flight = Some(RunningFlight {
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
            return Err(no_thread("renew the token", error));
        }
        Ok(id)
    }
}

/// Ends a flight whatever happens to it.
struct Landing {
    core: Arc<Core>,
    id: u64,
    result: Option<Result<()>>,
}

impl Landing {
    fn fly(mut self) {
        self.result = Some(run(&self.core));
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
        shared.keep_ended(EndedFlight { id: self.id, want, logouts, at, publishes, result });
        shared.changed = true;
    }
}

fn run(core: &Core) -> Result<()> {
    let began = core.clock.now().wall;
    let mut flight = Flight { core, began, basis: Basis::default(), exchanges: Exchanges::new(core) };
    let landed = flight.fly();
    end_orphans(core);
    landed
}

struct Flight<'a> {
    core: &'a Core,
    /// Wall clock.
    began: Millis,
    basis: Basis,
    exchanges: Exchanges<'a>,
}

/// What a look at the record says.
enum Finding {
    Satisfied,
    Send(Plan),
    /// Nothing may be sent before then (wall clock).
    Sleep {
        until: Millis,
        hold: Option<Hold>,
        cause: WaitCause,
        error: Error,
    },
    AskForCode,
}

impl Flight<'_> {
    fn fly(&mut self) -> Result<()> {
        while self.turn()? != Turn::Landed {}
        Ok(())
    }

    fn turn(&mut self) -> Result<Turn> {
        let (wants, until, joins) = self.core.terms()?;
        self.basis.joins = joins;
        self.read(&wants[0])?;
        match self.choose(&wants)? {
            (_, Finding::Send(_)) => {}
            (want, other) => return self.without_guard(other, &want, until),
        }
        // First the section: whoever stops this process must not stop it with the guard.
        let section = lock(&self.core.section);
        let Some(guard) = self.core.store.records().try_guard(&self.core.slot)? else {
            drop(section);
            return self.guard_is_taken(&wants, until);
        };
        self.core.blocked_by(None);
        self.core.waits_no_more();
        log::debug!("has the session's lock");
        self.read(&wants[0])?;
        if self.judge()? == Commit::Moved {
            drop(guard);
            drop(section);
            return self.after_conflict(until);
        }
        match self.choose(&wants)? {
            (want, Finding::Send(plan)) => match self.exchanges.make(guard, plan, &want)? {
                Turn::Moved => {
                    drop(section);
                    self.after_conflict(until)
                }
                turn => Ok(turn),
            },
            (want, other) => {
                drop(guard);
                drop(section);
                self.without_guard(other, &want, until)
            }
        }
    }

    /// Under the guard: a mark that is under way is of somebody who has gone, for whoever exchanges has the guard.
    fn judge(&self) -> Result<Commit> {
        let core = self.core;
        let Some(seen) = core.shared().seen.clone() else { return Ok(Commit::Done) };
        let client = core.slot.grant == Grant::ClientCredentials;
        let Some(judged) = plan::abandoned(&seen.record, client, core.dice()) else { return Ok(Commit::Done) };
        log::info!("an exchange was broken off: its answer is lost");
        core.replace(&seen, judged)
    }

    /// Reads the store.
    fn read(&self, want: &Want) -> Result<()> {
        match self.core.look() {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::StoreDamaged => self.set_aside(&error, want),
            Err(error) => Err(error),
        }
    }

    /// Steps 1 to 4: what follows from what is known. What one want sleeps for does not hold back the next one.
    fn choose(&mut self, wants: &[Want]) -> Result<(Want, Finding)> {
        self.basis.publishes = self.core.shared().publishes;
        let mut first = None;
        for want in wants {
            self.core.works_for(want);
            let found = self.find(want)?;
            let is_late = first.is_some() && matches!(found, Finding::Satisfied);
            if !is_late && !matches!(found, Finding::Sleep { .. }) {
                return Ok((want.clone(), found));
            }
            first.get_or_insert((want.clone(), found));
        }
        let first = first.unwrap_or((Want::Fresh, Finding::Satisfied));
        self.core.works_for(&first.0);
        Ok(first)
    }

    fn find(&self, want: &Want) -> Result<Finding> {
        let shared = self.core.shared();
        let now = self.core.clock.now();
        let seen = shared.seen.clone().unwrap_or_else(|| self.core.nothing(now));
        let view = self.core.view(&seen, now);
        self.core.check_overtaken(&shared)?;
        if view.satisfies(want) {
            return Ok(Finding::Satisfied);
        }
        match self.core.permit(&shared, &view, want) {
            Permit::Refused(hold) => Err(hold.error(now.wall, self.began)),
            Permit::StillRefused => Err(plan::still_refused()),
            Permit::Go(Plan::Login) => self.find_code(&shared, &view),
            Permit::Go(plan) => Ok(Finding::Send(plan)),
            // Whoever has the guard will tell.
            Permit::UnderWay => Ok(Finding::Send(Plan::UnderWay)),
            Permit::Held(hold) => {
                let (error, cause) = (hold.error(now.wall, self.began), WaitCause::Hold(hold.reason()));
                Ok(Finding::Sleep { until: hold.until, error, cause, hold: Some(hold) })
            }
            Permit::TooSoon => {
                let t0 = view.record.tokens.as_ref().map_or(now.wall, |tokens| tokens.t0);
                let gap = view.windows().map_or(0, |windows| windows.gap);
                let why = "the identity service issues access tokens that end before they may be renewed";
                let error = Error::new(ErrorKind::ServiceUnavailable, why);
                let cause = WaitCause::Hold(error.clone());
                Ok(Finding::Sleep { until: t0.saturating_add(gap), hold: None, cause, error })
            }
            // What there is is all that can be had, and it tells how long it lives.
            Permit::Rests if matches!(want, Want::Validity(_)) && view.left() > 0 => Ok(Finding::Satisfied),
            Permit::Rests => Err(explain::suspect(&view, self.exchanges.lost.as_ref())),
            Permit::Nothing => Err(explain::nothing(self.core, &shared, &view)),
        }
    }

    /// Step 4 for a login: is its one-time code at hand, and not used yet?
    fn find_code(&self, shared: &Shared, view: &View<'_>) -> Result<Finding> {
        match self.core.provider.code_source() {
            CodeSource::Totp(secret) => {
                let step = secret.step_at(view.now.wall);
                // A word of a newer version: as if the code of now were used.
                let stored = view.record.otp.as_ref().map(|otp| otp.word().cloned().unwrap_or(UsedCode::Step(step)));
                let used = shared.sent_codes.iter().cloned().chain(stored).filter_map(|code| match code {
                    UsedCode::Step(used) => Some(used).filter(|used| (step..=step + STEPS_AHEAD).contains(used)),
                    UsedCode::Given(_) => None,
                });
                let Some(used) = used.max() else { return Ok(Finding::Send(Plan::Login)) };
                let why = "the next one-time code is due only after the time that the caller would wait";
                let error = Error::new(ErrorKind::ServiceUnavailable, why).with_hint("try again");
                let until = secret.start_of(used + 1);
                Ok(Finding::Sleep { until, hold: None, cause: WaitCause::Code, error })
            }
            CodeSource::Asked(_) if !self.has_code(shared, view) => Ok(Finding::AskForCode),
            _ => Ok(Finding::Send(Plan::Login)),
        }
    }

    fn has_code(&self, shared: &Shared, view: &View<'_>) -> bool {
        self.exchanges.code.as_ref().is_some_and(|(digits, at)| {
            view.now.since(*at) <= GIVEN_LIFE && !was_sent(shared, view.record, &UsedCode::Given(digits.fingerprint()))
        })
    }

    /// Everything that may wait happens here, without the guard.
    fn without_guard(&mut self, finding: Finding, want: &Want, until: Millis) -> Result<Turn> {
        match finding {
            Finding::Satisfied => {
                log::debug!("the stored session has what is wanted");
                Ok(Turn::Landed)
            }
            Finding::Send(_) => Ok(Turn::Again),
            Finding::Sleep { until: end, hold, cause, error } => {
                let now = self.core.clock.now();
                let patience = until.saturating_sub(now.mono);
                let is_beyond = end.saturating_sub(now.wall) > patience;
                // Whoever is at an exchange just now may have what is wanted in a moment.
                let may_come = self.core.is_under_way() && patience > 0;
                if (*want == Want::Fresh && self.core.one_shot_serves()) || (is_beyond && !may_come) {
                    return Err(error);
                }
                let end = if is_beyond { now.wall.saturating_add(patience) } else { end };
                self.core.waits_for(cause, end);
                self.core.sleep(end, hold.filter(|_| !may_come), self.basis);
                Ok(Turn::Again)
            }
            Finding::AskForCode => {
                self.ask_for_code(until)?;
                Ok(Turn::Again)
            }
        }
    }

    fn ask_for_code(&mut self, until: Millis) -> Result<()> {
        let CodeSource::Asked(ask) = self.core.provider.code_source() else { return Ok(()) };
        self.core.waits_no_more();
        self.core.asking(true);
        let answer = ask();
        self.core.asking(false);
        let digits = answer?;
        let used = UsedCode::Given(digits.fingerprint());
        let now = self.core.clock.now();
        let stale = {
            let shared = self.core.shared();
            shared.seen.as_ref().is_some_and(|seen| was_sent(&shared, &seen.record, &used))
        };
        self.exchanges.code = Some((digits, now));
        if !stale {
            self.core.blocked_by(None);
            return Ok(());
        }
        let why = "the source of one-time codes gave a code that was already used";
        let error = Error::new(ErrorKind::ReauthRequired, why).with_hint("try again with the next code");
        if now.mono >= until {
            return Err(error);
        }
        // A generator gives the same code for half a minute.
        self.core.blocked_by(Some(error));
        let next = now.mono.saturating_add(SAME_CODE).min(until).saturating_sub(now.mono);
        let next = now.wall.saturating_add(next);
        self.core.waits_for(WaitCause::Code, next);
        self.core.sleep(next, None, self.core.basis());
        Ok(())
    }

    /// Another process has written in between: its record is read first.
    fn after_conflict(&self, until: Millis) -> Result<Turn> {
        if self.core.clock.now().mono >= until {
            let why = "other processes changed the stored session again and again";
            return Err(Error::new(ErrorKind::LockWait, why).with_hint("try again"));
        }
        self.core.clock.pause(self.core.random.between(10, 250));
        Ok(Turn::Again)
    }

    fn guard_is_taken(&self, wants: &[Want], until: Millis) -> Result<Turn> {
        let holder = self.core.guard_holder();
        let named = match &holder {
            Some(Holder { process, since: Some(since) }) => {
                let length = moment(self.core.clock.now().wall).duration_since(*since).unwrap_or_default();
                format!(" ({process}, for {} s)", length.as_secs())
            }
            Some(Holder { process, since: None }) => format!(" ({process})"),
            None => String::new(),
        };
        let why = format!("another process{named} holds the session's lock");
        let error = Error::new(ErrorKind::LockWait, why).with_hint("try again when it is done");
        let now = self.core.clock.now();
        let waited_long_enough = now.mono >= until;
        if waited_long_enough || (*wants == [Want::Fresh] && self.core.one_shot_serves()) {
            return Err(error);
        }
        self.core.blocked_by(Some(error));
        self.core.waits_for_lock(holder, until);
        self.core.clock.pause(self.core.random.between(10, 250));
        Ok(Turn::Again)
    }

    /// A damaged record is moved away under the guard, and said; only a person's login goes on over it.
    fn set_aside(&self, error: &Error, want: &Want) -> Result<()> {
        let records = self.core.store.records();
        // Whoever has the guard is about to find the same, or to give it back.
        let guard = (0..SET_ASIDE_TRIES).find_map(|nth| {
            if nth > 0 {
                self.core.clock.pause(self.core.random.between(10, 50));
            }
            records.try_guard(&self.core.slot).ok().flatten()
        });
        let aside = if guard.is_some() { records.set_aside(&self.core.slot)? } else { None };
        let aside = aside.map_or_else(String::new, |path| format!("; it was set aside as {}", path.display()));
        let found = error.clone().retold(|what| format!("{what}{aside}"));
        if want.is_explicit_login() && guard.is_some() {
            note(&mut self.core.shared(), Problem::new(ProblemKind::Store, found.message()));
            return self.core.look();
        }
        Err(found.with_hint("log in again"))
    }
}

impl Core {
    /// What the flight is for by now, the first of all before, until when, and how often that has changed.
    fn terms(&self) -> Result<(Vec<Want>, Millis, u64)> {
        let mut shared = self.shared();
        if shared.closing {
            return Err(shut_down());
        }
        self.check_overtaken(&shared)?;
        let flight = shared.flight.as_mut().ok_or_else(shut_down)?;
        flight.held = None;
        Ok((flight.wants.clone(), flight.until, flight.joins))
    }

    /// What a decision of now rests on.
    fn basis(&self) -> Basis {
        let shared = self.shared();
        Basis { joins: shared.flight.as_ref().map_or(0, |flight| flight.joins), publishes: shared.publishes }
    }

    fn change_flight(&self, change: impl FnOnce(&mut RunningFlight)) {
        if let Some(flight) = &mut self.shared().flight {
            change(flight);
        }
    }

    /// From now on the flight's result is one for this.
    fn works_for(&self, want: &Want) {
        self.change_flight(|flight| flight.worked_for = want.clone());
    }

    /// The flight sleeps until then on the wall clock, or until it is wanted for something else, or until something else is
    /// stored (W: what anybody obtains ends everybody's wait); no longer than that was when it began, for the clock may be
    /// set back meanwhile. Whatever has come since `basis` ends it at once.
    fn sleep(&self, until: Millis, hold: Option<Hold>, basis: Basis) {
        let end = End::at(until, self.clock.now());
        self.change_flight(|flight| flight.held = hold.map(|hold| (hold, end)));
        self.wake_all();
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

    fn asking(&self, asking: bool) {
        self.change_flight(|flight| flight.asking = asking);
        self.wake_all();
    }

    fn blocked_by(&self, error: Option<Error>) {
        self.change_flight(|flight| flight.blocked = error);
    }

    fn is_under_way(&self) -> bool {
        self.shared().seen.as_ref().is_some_and(|seen| seen.record.is_under_way())
    }

    /// A one-shot command that has a usable token does not wait for a better one.
    fn one_shot_serves(&self) -> bool {
        let shared = self.shared();
        let now = self.clock.now();
        self.one_shot && shared.seen.as_ref().is_some_and(|seen| self.view(seen, now).state() == State::Early)
    }
}
