//! One exchange, under the guard: the steps 5 to 10 of the [flight](super::flight).

use std::time::Duration;

use super::core::Core;
use super::shared::{Seen, Shared, Unsaved, note};
use super::{explain, logout};
use crate::clock::{Millis, Now};
use crate::endpoint::{Exchange, GrantType};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{self, Attempt, EXCHANGE, Outcome, Plan, Want};
use crate::problem::{Problem, ProblemKind};
use crate::provider::{CodeSource, GrantData, refresh_grant};
use crate::record::{Class, Grant, Record, Sent, UsedCode};
use crate::secret::{CredentialMark, Secret};
use crate::store::{Commit, Guard};
use crate::sync::{Arc, lock};

/// How much longer than one exchange the guard must last.
const SAVING: Millis = 5_000;

/// How the flight goes on.
#[derive(PartialEq, Eq)]
pub(super) enum Turn {
    Again,
    /// Somebody else has written to the store meanwhile.
    Moved,
    Landed,
}

/// The exchanges of one flight: what each of them leaves for the next.
pub(super) struct Exchanges<'a> {
    core: &'a Core,
    /// A code that somebody was asked for, and when.
    pub(super) code: Option<(Secret, Now)>,
    tried_later_code: bool,
    made_room: bool,
    /// Why the answer to a renewal did not come.
    pub(super) lost: Option<Error>,
}

impl<'a> Exchanges<'a> {
    pub(super) fn new(core: &'a Core) -> Self {
        Self { core, code: None, tried_later_code: false, made_room: false, lost: None }
    }

    /// One exchange: steps 5 to 10.
    pub(super) fn make(&mut self, guard: Box<dyn Guard>, plan: Plan, want: &Want) -> Result<Turn> {
        let core = self.core;
        // What is wrong with this process's settings is not the slot's, and nothing is written about it.
        core.service.prepare()?;
        if save_unsaved(core)? == Commit::Moved {
            return Ok(Turn::Moved);
        }
        let now = core.clock.now();
        let before = core.shared().seen.clone().unwrap_or_else(|| core.nothing(now));
        let (mut attempt, form) = self.prepare(&before.record, plan, want, now)?;
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
        let overtaken = {
            let mut shared = core.shared();
            shared.sent_codes.extend(attempt.code.clone());
            core.publish(&mut shared, Seen::stored(intent.clone(), before.anchor));
            core.check_overtaken(&shared).inspect(|()| shared.exchanges += 1)
        };
        if overtaken.is_err() || !lasts() {
            self.take_back(&before, &intent);
            return overtaken.map(|()| Turn::Moved);
        }
        attempt.begun = core.clock.now();
        log::info!("{}", in_words(plan));
        let exchange = Exchange {
            grant_type: grant_type(core.provider.grant(), plan),
            repeatable: attempt.is_repeatable(&before.record),
            known: before.record.address_has_worked(),
        };
        let outcome = core.asks(EXCHANGE, || core.service.exchange(exchange, &form));
        let outcome = outcome.map_err(|failure| explain::refine(failure, &before.record, &attempt));
        let settled = plan::settle(&intent, &attempt, &outcome, core.clock.now(), core.dice());
        let kept = self.keep(&before, &intent, settled, &attempt, &outcome);
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
        let restored = Record { mark: before.record.mark.clone(), ..intent.next() };
        let _ = self.core.replace(&Seen { base: Some(intent.version()), ..before.clone() }, restored);
    }

    fn prepare(&self, record: &Record, plan: Plan, want: &Want, now: Now) -> Result<(Attempt, GrantData)> {
        let provider = &self.core.provider;
        let mut attempt = Attempt {
            explicit: want.is_explicit_login(),
            because: self.core.shared().flight.as_ref().is_some_and(|flight| flight.want_another_than(record)),
            client: provider.grant() == Grant::ClientCredentials,
            ..Attempt::new(plan, Sent::Login, now, record.mark.clone())
        };
        let stored = record.refresh_token();
        let mut form = match (plan, stored) {
            (Plan::Refresh, Some(token)) => refresh_grant(provider.client_id(), token),
            _ => provider.grant_data()?,
        };
        if plan != Plan::Login {
            if let Some((_, token)) = form.iter().find(|(name, _)| *name == "refresh_token") {
                attempt.sent = Sent::Refresh(token.fingerprint());
            }
            return Ok((attempt, form));
        }
        let credentials = self.core.credentials()?;
        attempt.credentials = Some(CredentialMark::new(self.core.random.u64(), &credentials));
        let refused = record.refused.as_ref().map_or(&[][..], |refused| &refused.marks);
        attempt.own_refusals = refused.iter().copied().filter(|mark| mark.is_of(&credentials)).collect();
        let worked = record.worked.is_some_and(|worked| !worked.forgiven && worked.credentials.is_of(&credentials));
        let given = |digits: &Secret| (digits.clone(), UsedCode::Given(digits.fingerprint()));
        let code = match provider.code_source() {
            CodeSource::None => None,
            CodeSource::Given(code) => Some(given(&code.digits)),
            CodeSource::Totp(secret) => {
                attempt.forgive_refusal = worked && !self.tried_later_code;
                let step = secret.step_at(now.wall);
                Some((secret.code(step), UsedCode::Step(step)))
            }
            CodeSource::Asked(_) => {
                self.code.as_ref().map(|(digits, _)| digits).filter(|digits| !digits.expose().is_empty()).map(given)
            }
        };
        if let Some((digits, used)) = code {
            form.push(("totp".into(), digits));
            attempt.code = Some(used);
        }
        // A code that was given is spent by the first try: the old session must not be ended for a second one.
        let may_try_again = !matches!(provider.code_source(), CodeSource::Given(_));
        let is_replaced = matches!(want, Want::NewSession { .. }) && stored.is_some();
        attempt.makes_room = may_try_again && !self.made_room && (is_replaced || record.to_end.is_some());
        Ok((attempt, form))
    }

    /// Step 5: a dead session keeps its place among the account's until somebody logs it out.
    fn end_dead_session(&self, record: &Record, now: Now) {
        if record.is_dead()
            && let Some(token) = unended(record, now)
        {
            // Best effort: the login says what is wrong, if anything is.
            let _ = self.core.end_at_service(token);
        }
    }

    /// Step 10.
    fn end_replaced_session(&self, record: &Record, now: Now) {
        let stored = unended(record, now).filter(|_| !record.is_dead());
        for token in stored.into_iter().chain(&record.to_end) {
            if let Err(error) = self.core.end_at_service(token) {
                let text = format!("the replaced session could not be ended: {error}");
                note(&mut self.core.shared(), Problem::new(ProblemKind::SessionLeftOpen, text));
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
        let token = without.to_end.take().or_else(|| {
            without.hard_end = None;
            without.tokens.take()?.refresh
        });
        if token.is_none_or(|token| core.end_at_service(&token).is_err()) {
            return Ok(false);
        }
        let _ = core.replace(&seen, without)?;
        Ok(true)
    }

    /// Step 8 and 9. Whether what came of the exchange is the slot's record now.
    fn keep(&self, before: &Seen, intent: &Record, settled: Record, attempt: &Attempt, outcome: &Outcome) -> bool {
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
                let what =
                    if outcome.is_ok() { "the new token is in use, but it" } else { "the result of the renewal" };
                let text = format!("{what} could not be stored: {error}");
                note(&mut shared, Problem::new(ProblemKind::Unsaved, text));
                Some(Unsaved { base: Some(intent.version()), error, opened_here: opened })
            }
        };
        let stored = unsaved.is_none().then_some(settled.generation);
        let base = Some(if unsaved.is_some() { intent.version() } else { settled.version() });
        shared.unsaved = unsaved;
        let seen = Seen { record: Arc::new(settled), anchor, base };
        if outcome.is_ok() {
            shared.last_renewal = shared.exchanges;
            if attempt.plan != Plan::Refresh {
                shared.last_login = shared.exchanges;
            }
            // For those who wait for it.
            shared.brought = (shared.callers > 0).then(|| Arc::clone(&seen.record));
        }
        core.publish(&mut shared, seen);
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
        let Record { tokens, hard_end, dead, to_end, .. } = Record::clone(&before.record);
        let restored = Record { tokens, hard_end, dead, to_end, ..settled.next() };
        let _ = core.store.records().commit(&core.slot, Some(settled.version()), &restored);
        self.end_opened(outcome);
    }

    fn end_opened(&self, outcome: &Outcome) {
        if let Ok(granted) = outcome
            && let Some(token) = &granted.refresh
        {
            self.core.end_left_over(token);
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
                Err(failure.error.clone().or_try_later())
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
            let orphan = record.refresh_token().filter(|_| opened_here);
            shared.orphans.extend(orphan.cloned());
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
    if saved? == Commit::Done {
        return Ok(());
    }
    let why = "the token of the last renewal could not be stored, and the store has another record by now";
    Err(Error::new(ErrorKind::StoreUnwritable, why))
}

/// Ends the sessions that were opened here and that nobody will use.
pub(super) fn end_orphans(core: &Core) {
    let orphans = std::mem::take(&mut core.shared().orphans);
    orphans.iter().for_each(|token| core.end_left_over(token));
}

/// The stored session's refresh token, unless the session has ended by its own time.
fn unended(record: &Record, now: Now) -> Option<&Secret> {
    let tokens = record.tokens.as_ref().filter(|tokens| tokens.refresh_end().is_none_or(|end| now.wall < end))?;
    tokens.refresh.as_ref()
}

fn in_words(plan: Plan) -> &'static str {
    match plan {
        Plan::Login => "logs in",
        Plan::RefreshGiven => "opens the session of the given refresh token",
        _ => "renews the session",
    }
}

fn grant_type(grant: Grant, plan: Plan) -> GrantType {
    match (plan, grant) {
        (Plan::Login, Grant::ClientCredentials) => GrantType::Client,
        (Plan::Login, _) => GrantType::Password,
        _ => GrantType::Refresh,
    }
}
