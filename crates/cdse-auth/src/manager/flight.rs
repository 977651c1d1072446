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

use std::time::Duration;

use super::core::{Basis, Core, Seen, Shared, Terms, Unsaved, note, was_sent};
use super::waiting::WaitCause;
use super::{explain, logout};
use crate::clock::{Millis, Now};
use crate::endpoint::{Asked, Exchange};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{self, Attempt, Class, Dice, EXCHANGE, Outcome, Permit, Plan, State, View, Want};
use crate::provider::{CodeSource, GIVEN_LIFE, GrantData, refresh_grant};
use crate::record::{Grant, Hold, Known, Record, Sent, UsedCode};
use crate::secret::{CredentialMark, Secret};
use crate::store::{Commit, Guard};
use crate::sync::{Arc, lock};
use crate::token::TokenSet;

/// How much longer than one exchange the guard must last.
const SAVING: Millis = 5_000;
/// A stored code step that is further ahead was written by a clock that has been set back since.
const STEPS_AHEAD: i64 = 2;
const SET_ASIDE_TRIES: u32 = 20;
/// How soon a source that gave a used code is asked again.
const SAME_CODE: Millis = 5_000;

pub(super) fn run(core: &Core) -> Result<()> {
    let began = core.clock.now().wall;
    let mut flight = Flight {
        core,
        began,
        code: None,
        tried_later_code: false,
        made_room: false,
        lost: None,
        basis: Basis::default(),
    };
    let landed = loop {
        match flight.turn() {
            Ok(Turn::Landed) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    end_orphans(core);
    landed
}

/// Ends the sessions that were opened here and that nobody will use.
fn end_orphans(core: &Core) {
    let orphans = std::mem::take(&mut core.shared().orphans);
    for token in orphans {
        if let Err(error) = core.end_at_service(&token) {
            note(&mut core.shared(), error.message().to_owned());
        }
    }
}

struct Flight<'a> {
    core: &'a Core,
    /// Wall clock.
    began: Millis,
    /// A code that somebody was asked for, and when.
    code: Option<(Secret, Now)>,
    tried_later_code: bool,
    made_room: bool,
    /// Why the answer to a renewal did not come.
    lost: Option<Error>,
    basis: Basis,
}

#[derive(PartialEq, Eq)]
enum Turn {
    Again,
    /// Somebody else has written to the store meanwhile.
    Moved,
    Landed,
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
    fn turn(&mut self) -> Result<Turn> {
        let (wants, until, joins) = self.core.terms()?;
        self.basis.joins = joins;
        self.read(&wants[0])?;
        match self.choose(&wants)? {
            (_, Finding::Send(_)) => {}
            (want, other) => return self.outside(other, &want, until),
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
        if self.judge()? == Turn::Moved {
            drop(guard);
            drop(section);
            return self.moved(until);
        }
        match self.choose(&wants)? {
            (want, Finding::Send(plan)) => match self.exchange(guard, plan, &want)? {
                Turn::Moved => {
                    drop(section);
                    self.moved(until)
                }
                turn => Ok(turn),
            },
            (want, other) => {
                drop(guard);
                drop(section);
                self.outside(other, &want, until)
            }
        }
    }

    /// Under the guard: a mark that is under way is of somebody who has gone, for whoever exchanges has the guard.
    fn judge(&self) -> Result<Turn> {
        let core = self.core;
        let Some(seen) = core.shared().seen.clone() else { return Ok(Turn::Again) };
        let client = core.slot.grant == Grant::ClientCredentials;
        let Some(judged) = plan::abandoned(&seen.record, client, self.dice()) else { return Ok(Turn::Again) };
        log::info!("an exchange was broken off: its answer is lost");
        if core.store.records().commit(&core.slot, seen.base, &judged)? == Commit::Moved {
            return Ok(Turn::Moved);
        }
        let base = Some(judged.version());
        core.publish(&mut core.shared(), Seen { record: Arc::new(judged), anchor: seen.anchor, base });
        Ok(Turn::Again)
    }

    fn dice(&self) -> Dice {
        Dice { jitter: self.core.random.between(900, 1101), backoff: self.core.random.between(500, 1001) }
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
            match self.find(want)? {
                found @ (Finding::Sleep { .. } | Finding::Satisfied) => {
                    let lands = first.is_none() && matches!(found, Finding::Satisfied);
                    let first = first.get_or_insert((want.clone(), found));
                    if lands {
                        return Ok((first.0.clone(), Finding::Satisfied));
                    }
                }
                found => return Ok((want.clone(), found)),
            }
        }
        let first = first.unwrap_or((Want::Fresh, Finding::Satisfied));
        self.core.works_for(&first.0);
        Ok(first)
    }

    fn find(&self, want: &Want) -> Result<Finding> {
        let shared = self.core.shared();
        let now = self.core.clock.now();
        let seen = shared.seen.clone().unwrap_or_else(|| self.core.nothing(now));
        let view = shared.view(&seen, self.core, now);
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
                let why = "the identity service issues tokens that end faster than they may be renewed";
                let error = Error::new(ErrorKind::ServiceUnavailable, why);
                let cause = WaitCause::Hold(error.clone());
                Ok(Finding::Sleep { until: t0.saturating_add(gap), hold: None, cause, error })
            }
            // What there is is all that can be had, and it tells how long it lives.
            Permit::Rests if matches!(want, Want::Validity(_)) && view.left() > 0 => Ok(Finding::Satisfied),
            Permit::Rests => Err(explain::suspect(&view, self.lost.as_ref())),
            Permit::Nothing => Err(explain::nothing(self.core, &shared, &view)),
        }
    }

    /// Step 4 for a login: is its one-time code at hand, and not used yet?
    fn find_code(&self, shared: &Shared, view: &View<'_>) -> Result<Finding> {
        match self.core.provider.code_source() {
            CodeSource::Totp(secret) => {
                let step = secret.step_at(view.now.wall);
                let stored = match &view.record.otp {
                    Some(Known::Word(code)) => Some(code.clone()),
                    // A word of a newer version: as if the code of now were used.
                    Some(Known::Other(_)) => Some(UsedCode::Step(step)),
                    None => None,
                };
                let used = shared.sent_codes.iter().cloned().chain(stored).filter_map(|code| match code {
                    UsedCode::Step(used) => Some(used).filter(|used| (step..=step + STEPS_AHEAD).contains(used)),
                    UsedCode::Given(_) => None,
                });
                let Some(used) = used.max() else { return Ok(Finding::Send(Plan::Login)) };
                let why = "the next one-time code is not due before the caller's patience ends; try again";
                let error = Error::new(ErrorKind::ServiceUnavailable, why);
                let until = secret.start_of(used + 1);
                Ok(Finding::Sleep { until, hold: None, cause: WaitCause::Code, error })
            }
            CodeSource::Asked(_) if !self.has_code(shared, view) => Ok(Finding::AskForCode),
            _ => Ok(Finding::Send(Plan::Login)),
        }
    }

    fn has_code(&self, shared: &Shared, view: &View<'_>) -> bool {
        self.code.as_ref().is_some_and(|(digits, at)| {
            view.now.since(*at) <= GIVEN_LIFE && !was_sent(shared, view.record, &UsedCode::Given(digits.fingerprint()))
        })
    }

    /// Everything that may wait happens here, without the guard.
    fn outside(&mut self, finding: Finding, want: &Want, until: Millis) -> Result<Turn> {
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
            let seen = shared.seen.as_ref();
            seen.is_some_and(|seen| was_sent(&shared, &seen.record, &used))
        };
        self.code = Some((digits, now));
        if !stale {
            self.core.blocked_by(None);
            return Ok(());
        }
        let why = "the source of one-time codes gives one that was used already; try again with the next one";
        let error = Error::new(ErrorKind::ReauthRequired, why);
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

    fn moved(&self, until: Millis) -> Result<Turn> {
        if self.core.clock.now().mono >= until {
            let why = "the stored session is changed by others all the time; try again";
            return Err(Error::new(ErrorKind::LockWait, why));
        }
        self.core.clock.pause(self.core.random.between(10, 250));
        Ok(Turn::Again)
    }

    fn guard_is_taken(&self, wants: &[Want], until: Millis) -> Result<Turn> {
        let known = self.core.store.records().guard_holder(&self.core.slot);
        let who = known.as_ref().and_then(|holder| holder.split_whitespace().next().map(str::to_owned));
        let since = known.and_then(|holder| holder.split_whitespace().nth(1)?.parse::<Millis>().ok());
        let holder = match (&who, since) {
            (Some(who), Some(since)) => {
                let length = (self.core.clock.now().wall / 1000).saturating_sub(since).max(0);
                format!(" ({who}, for {length} s)")
            }
            (Some(who), None) => format!(" ({who})"),
            (None, _) => String::new(),
        };
        let why = format!("another process{holder} holds the session's lock; try again when it is done");
        let error = Error::new(ErrorKind::LockWait, why);
        let now = self.core.clock.now();
        let waited_long_enough = now.mono >= until;
        if waited_long_enough || (*wants == [Want::Fresh] && self.core.one_shot_serves()) {
            return Err(error);
        }
        self.core.blocked_by(Some(error));
        self.core.waits_for(WaitCause::Lock(who), now.wall.saturating_add(until.saturating_sub(now.mono)));
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
        let found = format!("{error}{aside}");
        if want.is_explicit_login() && guard.is_some() {
            note(&mut self.core.shared(), found);
            return self.core.look();
        }
        Err(Error::new(ErrorKind::StoreDamaged, format!("{found}; log in again")))
    }

    /// Steps 5 to 10.
    fn exchange(&mut self, guard: Box<dyn Guard>, plan: Plan, want: &Want) -> Result<Turn> {
        let core = self.core;
        // What is wrong with this process's settings is not the slot's, and nothing is written about it.
        core.service.prepare()?;
        if save_unsaved(core)? == Commit::Moved {
            return Ok(Turn::Moved);
        }
        let now = core.clock.now();
        let before = core.shared().seen.clone().unwrap_or_else(|| core.nothing(now));
        let (mut attempt, form) = self.prepare(&before.record, plan, want, now);
        if plan == Plan::Login {
            self.end_dead_session(&before.record, now);
        }
        let lasts = || guard.holds_for(Duration::from_millis((EXCHANGE + SAVING).unsigned_abs()));
        if !lasts() {
            return Ok(Turn::Moved);
        }
        let mut intent = plan::intent(&before.record, &attempt, &core.me);
        // A record that was saved without a slot is this one's from now on.
        intent.slot = Some(core.slot.clone());
        // S5: nothing is sent that was not recorded.
        if core.store.records().commit(&core.slot, before.base, &intent)? == Commit::Moved {
            return Ok(Turn::Moved);
        }
        let nth = {
            let mut shared = core.shared();
            shared.sent_codes.extend(attempt.code.clone());
            let base = Some(intent.version());
            core.publish(&mut shared, Seen { record: Arc::new(intent.clone()), anchor: before.anchor, base });
            core.check_overtaken(&shared).map(|()| {
                shared.exchanges += 1;
                shared.exchanges
            })
        };
        let nth = match nth {
            Ok(nth) if lasts() => nth,
            other => {
                self.take_back(&before, &intent);
                return other.map(|_| Turn::Moved);
            }
        };
        attempt.begun = core.clock.now();
        log::info!("{}", in_words(plan));
        let exchange = Exchange {
            asked: asked(core.provider.grant(), plan),
            repeatable: attempt.is_repeatable(&before.record),
            known: before.record.address_has_worked(),
        };
        let outcome = core.asks(EXCHANGE, || core.service.exchange(exchange, &form));
        let outcome = outcome.map_err(|failure| explain::refine(failure, &before.record, &attempt));
        let settled = plan::settle(&intent, &attempt, &outcome, core.clock.now(), self.dice());
        let kept = self.keep(&before, &intent, settled, &attempt, &outcome, nth);
        let full = outcome.as_ref().is_err_and(|failure| failure.class == Class::Limit && failure.is_spoken());
        let made_room = kept && full && attempt.makes_room && self.make_room()?;
        drop(guard);
        if plan == Plan::Login && outcome.is_ok() && kept {
            self.end_replaced_session(&before.record, now);
        }
        self.conclude(&outcome, &attempt, kept, made_room)
    }

    /// Nothing was sent: what was announced is as if it had not been.
    fn take_back(&self, before: &Seen, intent: &Record) {
        let core = self.core;
        let mut restored = intent.next();
        restored.mark.clone_from(&before.record.mark);
        if matches!(core.store.records().commit(&core.slot, Some(intent.version()), &restored), Ok(Commit::Done)) {
            let base = Some(restored.version());
            core.publish(&mut core.shared(), Seen { record: Arc::new(restored), anchor: before.anchor, base });
        }
    }

    fn prepare(&self, record: &Record, plan: Plan, want: &Want, now: Now) -> (Attempt, GrantData) {
        let provider = &self.core.provider;
        let mut attempt = Attempt {
            plan,
            sent: Sent::Login,
            begun: now,
            explicit: want.is_explicit_login(),
            because: self.core.shared().flight.as_ref().is_some_and(|flight| Terms::want_another_than(flight, record)),
            client: provider.grant() == Grant::ClientCredentials,
            code: None,
            credentials: None,
            own_refusals: Vec::new(),
            was: record.mark.clone(),
            forgive_refusal: false,
            makes_room: false,
        };
        let stored = record.tokens.as_ref().and_then(|tokens| tokens.refresh.as_ref());
        let mut form = match (plan, stored) {
            (Plan::Refresh, Some(token)) => refresh_grant(provider.client_id(), token),
            _ => provider.grant_data(),
        };
        if plan != Plan::Login {
            if let Some((_, token)) = form.iter().find(|(name, _)| *name == "refresh_token") {
                attempt.sent = Sent::Refresh(token.fingerprint());
            }
            return (attempt, form);
        }
        let credentials = self.core.credentials();
        attempt.credentials = Some(CredentialMark::new(self.core.random.u64(), &credentials));
        let refused = record.refused.as_ref().map_or(&[][..], |refused| &refused.marks);
        attempt.own_refusals = refused.iter().copied().filter(|mark| mark.is_of(&credentials)).collect();
        let worked = record.worked.is_some_and(|worked| !worked.forgiven && worked.credentials.is_of(&credentials));
        let code = match provider.code_source() {
            CodeSource::None => None,
            CodeSource::Given(code) => Some((code.digits.clone(), UsedCode::Given(code.digits.fingerprint()))),
            CodeSource::Totp(secret) => {
                attempt.forgive_refusal = worked && !self.tried_later_code;
                let step = secret.step_at(now.wall);
                Some((secret.code(step), UsedCode::Step(step)))
            }
            CodeSource::Asked(_) => self
                .code
                .as_ref()
                .filter(|(digits, _)| !digits.expose().is_empty())
                .map(|(digits, _)| (digits.clone(), UsedCode::Given(digits.fingerprint()))),
        };
        if let Some((digits, used)) = code {
            form.push(("totp", digits));
            attempt.code = Some(used);
        }
        // A code that was given is spent by the first try: the old session must not be ended for a second one.
        let may_try_again = !matches!(provider.code_source(), CodeSource::Given(_));
        let is_replaced = matches!(want, Want::NewSession { .. }) && stored.is_some();
        attempt.makes_room = may_try_again && !self.made_room && (is_replaced || record.to_end.is_some());
        (attempt, form)
    }

    /// Step 5: a dead session keeps its place among the account's until somebody logs it out.
    fn end_dead_session(&self, record: &Record, now: Now) {
        let Some(tokens) = &record.tokens else { return };
        let dead = record.dead.is_some()
            && record.refresh_fingerprint() == record.dead.as_ref().map(|dead| dead.token.clone());
        let over = tokens.refresh_end().is_some_and(|end| now.wall >= end);
        if let Some(token) = tokens.refresh.as_ref().filter(|_| dead && !over) {
            // Best effort: the login says what is wrong, if anything is.
            let _ = self.core.end_at_service(token);
        }
    }

    /// Step 10.
    fn end_replaced_session(&self, record: &Record, now: Now) {
        let dead = record.refresh_fingerprint() == record.dead.as_ref().map(|dead| dead.token.clone());
        let over = |tokens: &TokenSet| tokens.refresh_end().is_some_and(|end| now.wall >= end);
        let tokens = record.tokens.as_ref().filter(|tokens| !dead && !over(tokens));
        let stored = tokens.and_then(|tokens| tokens.refresh.as_ref());
        for token in stored.into_iter().chain(&record.to_end) {
            if let Err(error) = self.core.end_at_service(token) {
                note(&mut self.core.shared(), format!("the session that was replaced could not be ended: {error}"));
            }
        }
    }

    /// The account is full, and a place in it is ours to give: that of a session that was cleared, or of the stored one if
    /// a person wants a new one in its place. Whether it was given.
    fn make_room(&mut self) -> Result<bool> {
        let core = self.core;
        self.made_room = true;
        let Some(seen) = core.shared().seen.clone() else { return Ok(false) };
        let mut without = seen.record.next();
        let stored = || seen.record.tokens.as_ref().and_then(|tokens| tokens.refresh.clone());
        let Some(token) = without.to_end.take().or_else(|| {
            (without.tokens, without.hard_end) = (None, None);
            stored()
        }) else {
            return Ok(false);
        };
        if core.end_at_service(&token).is_err() {
            return Ok(false);
        }
        if core.store.records().commit(&core.slot, seen.base, &without)? == Commit::Done {
            let base = Some(without.version());
            core.publish(&mut core.shared(), Seen { record: Arc::new(without), anchor: seen.anchor, base });
        }
        Ok(true)
    }

    /// Step 8 and 9. Whether what came of the exchange is the slot's record now.
    fn keep(
        &self,
        before: &Seen,
        intent: &Record,
        settled: Record,
        attempt: &Attempt,
        outcome: &Outcome,
        nth: u64,
    ) -> bool {
        let core = self.core;
        let anchor = if outcome.is_ok() { attempt.begun.mono } else { before.anchor };
        let committed = core.store.records().commit(&core.slot, Some(intent.version()), &settled);
        let mut shared = core.shared();
        let overtaken = core.check_overtaken(&shared).is_err();
        let opened = outcome.is_ok() && attempt.plan == Plan::Login;
        let unsaved = match committed {
            Ok(Commit::Moved) => {
                drop(shared);
                self.give_up(&settled, outcome, attempt);
                return false;
            }
            // Whoever logs out or clears waits for the guard and finds the record; but a session that was opened
            // meanwhile is nobody's wish any more.
            Ok(Commit::Done) | Err(_) if overtaken => {
                drop(shared);
                if opened {
                    self.withdraw(before, &settled, outcome);
                }
                return false;
            }
            Ok(Commit::Done) => None,
            Err(error) => {
                let what = if outcome.is_ok() { "the new token is used, but it" } else { "what came of the renewal" };
                note(&mut shared, format!("{what} could not be stored: {error}"));
                Some(Unsaved { base: Some(intent.version()), error, opened_here: opened })
            }
        };
        if outcome.is_ok() {
            shared.last_renewal = nth;
            if attempt.plan != Plan::Refresh {
                shared.last_login = nth;
            }
        }
        let stored = unsaved.is_none().then_some(settled.generation);
        let base = Some(if unsaved.is_some() { intent.version() } else { settled.version() });
        shared.unsaved = unsaved;
        let seen = Seen { record: Arc::new(settled), anchor, base };
        if outcome.is_ok() {
            core.publish_brought(&mut shared, seen);
        } else {
            core.publish(&mut shared, seen);
        }
        drop(shared);
        if let Some(generation) = stored {
            log::debug!("stored generation {generation}");
        }
        true
    }

    /// Somebody wrote while the exchange ran (a logout that would not wait): what is stored counts, and a session that
    /// nobody will know of is ended.
    fn give_up(&self, settled: &Record, outcome: &Outcome, attempt: &Attempt) {
        let core = self.core;
        let stored = core.store.records().read(&core.slot).ok().flatten();
        let out = stored.as_ref().is_none_or(|stored| stored.out);
        let session = |record: &Record| record.tokens.as_ref().and_then(|tokens| tokens.session_id.clone());
        if out || attempt.plan == Plan::Login || stored.as_ref().and_then(session) != session(settled) {
            self.end_opened(outcome);
        }
        let _ = core.look();
    }

    /// Ends what was just opened, and puts back what it replaced: the logout or clearing that has overtaken it is about
    /// that.
    fn withdraw(&self, before: &Seen, settled: &Record, outcome: &Outcome) {
        let core = self.core;
        let mut restored = settled.next();
        restored.tokens.clone_from(&before.record.tokens);
        restored.hard_end = before.record.hard_end;
        restored.dead.clone_from(&before.record.dead);
        restored.to_end.clone_from(&before.record.to_end);
        let _ = core.store.records().commit(&core.slot, Some(settled.version()), &restored);
        self.end_opened(outcome);
    }

    fn end_opened(&self, outcome: &Outcome) {
        if let Ok(granted) = outcome
            && let Some(token) = &granted.refresh
            && let Err(error) = self.core.end_at_service(token)
        {
            note(&mut self.core.shared(), error.message().to_owned());
        }
    }

    fn conclude(&mut self, outcome: &Outcome, attempt: &Attempt, kept: bool, made_room: bool) -> Result<Turn> {
        let failure = match outcome {
            Ok(granted) => {
                log::info!("got a token for {} s", granted.life / 1000);
                return Ok(if kept { Turn::Landed } else { Turn::Again });
            }
            Err(failure) => failure,
        };
        log::info!("got no token: {}", failure.error);
        let login = attempt.plan == Plan::Login;
        match failure.class {
            Class::Refused if attempt.forgive_refusal => {
                self.tried_later_code = true;
                Ok(Turn::Again)
            }
            Class::Limit if made_room => Ok(Turn::Again),
            // Nothing was sent, and waiting mends nothing: a certificate, a proxy's password.
            Class::Unsent if !failure.error.is_transient() => Err(failure.error.clone()),
            // A code that was given cannot be sent again.
            Class::Unsent if login && matches!(self.core.provider.code_source(), CodeSource::Given(_)) => {
                Err(failure.error.clone())
            }
            Class::Unsent | Class::Dead => Ok(Turn::Again),
            Class::Lost if !login => {
                self.lost = Some(failure.error.clone());
                Ok(Turn::Again)
            }
            _ => Err(failure.error.clone()),
        }
    }
}

/// Saves a record that could not be saved before, if there is one.
fn save_unsaved(core: &Core) -> Result<Commit> {
    let (base, record, opened_here) = match &*core.shared() {
        Shared { unsaved: Some(unsaved), seen: Some(seen), .. } => {
            (unsaved.base, Arc::clone(&seen.record), unsaved.opened_here)
        }
        _ => return Ok(Commit::Done),
    };
    let records = core.store.records();
    let commit = match records.commit(&core.slot, base, &record)? {
        // It was stored before, by a call that failed all the same.
        Commit::Moved if records.read(&core.slot)?.as_ref() == Some(&*record) => Commit::Done,
        commit => commit,
    };
    let mut shared = core.shared();
    shared.unsaved = None;
    match commit {
        Commit::Done => {
            if let Some(seen) = shared.seen.as_mut().filter(|seen| seen.record.version() == record.version()) {
                seen.base = Some(record.version());
            }
        }
        Commit::Moved => {
            let orphan = record.tokens.as_ref().and_then(|tokens| tokens.refresh.clone());
            shared.orphans.extend(orphan.filter(|_| opened_here));
        }
    }
    Ok(commit)
}

/// The last try before the manager ends.
pub(super) fn save_what_is_unsaved(core: &Core) -> Result<()> {
    // A logout that is under way has the section.
    drop(lock(&core.section));
    if core.shared().unsaved.is_none() {
        end_orphans(core);
        return Ok(());
    }
    let saved = {
        let (_section, _guard) = logout::wait_for_guard(core);
        save_unsaved(core)
    };
    end_orphans(core);
    match saved? {
        Commit::Done => Ok(()),
        Commit::Moved => {
            let why = "what the last renewal brought could not be stored, and the store holds something else by now";
            Err(Error::new(ErrorKind::StoreUnwritable, why))
        }
    }
}

fn in_words(plan: Plan) -> &'static str {
    match plan {
        Plan::Login => "logs in",
        Plan::RefreshGiven => "opens the session of the given refresh token",
        _ => "renews the session",
    }
}

fn asked(grant: Grant, plan: Plan) -> Asked {
    match (plan, grant) {
        (Plan::Login, Grant::ClientCredentials) => Asked::Client,
        (Plan::Login, _) => Asked::Password,
        _ => Asked::Refresh,
    }
}

impl Core {
    fn asking(&self, asking: bool) {
        let mut shared = self.shared();
        if let Some(flight) = &mut shared.flight {
            flight.asking = asking;
        }
        drop(shared);
        self.wake_all();
    }

    fn blocked_by(&self, error: Option<Error>) {
        if let Some(flight) = &mut self.shared().flight {
            flight.blocked = error;
        }
    }

    fn is_under_way(&self) -> bool {
        self.shared().seen.as_ref().is_some_and(|seen| seen.record.is_under_way())
    }

    /// A one-shot command that has a usable token does not wait for a better one.
    fn one_shot_serves(&self) -> bool {
        let shared = self.shared();
        let now = self.clock.now();
        self.one_shot && shared.seen.as_ref().is_some_and(|seen| shared.view(seen, self, now).state() == State::Early)
    }
}
