//! The protocol of the exclusive section, played: some processes, one store, one service, and `plan` as it ships.
//!
//! What `manager/flight.rs` does in order is here a state per process; whoever is next, what it wants, what is lost, who is
//! killed and who pauses is chance. Every step is checked against what must never happen, and at the end, when nothing
//! fails any more, every call (rule W): none fails, and none takes longer than the exchanges and the waits that the rules
//! name.

use std::collections::HashSet;

use super::*;
use crate::random::Random;
use crate::record::Version;

const SKEW: Millis = 30_000;
const LIFE: Millis = 600 * SECOND;
const REFRESH_LIFE: Millis = HOUR;
const PROCESSES: usize = 6;

/// A protocol that lacks a part must be found out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Without {
    Nothing,
    /// Who got the guard acts on what it read before.
    SecondLook,
    /// The store takes a record in place of any other.
    Fence,
    SecondLookAndFence,
    /// Whatever is about to be sent is not written down first.
    Intent,
    /// A caller that leaves takes its exchange with it.
    DetachedSave,
    Guard,
    /// A refused token is renewed, whichever is there by now.
    Comparison,
    /// A mark is a verdict for whoever reads it, also while its owner is at the exchange.
    Judge,
    /// Whoever sleeps does not look at the store before its time has come.
    Looking,
}

impl Without {
    fn second_look(self) -> bool {
        matches!(self, Self::SecondLook | Self::SecondLookAndFence)
    }

    fn fence(self) -> bool {
        matches!(self, Self::Fence | Self::SecondLookAndFence)
    }
}

/// How often in a thousand steps.
#[derive(Clone, Copy, Debug)]
struct Faults {
    kills: i64,
    lost: i64,
    outages: i64,
    ends: i64,
    logouts: i64,
    /// For up to 40 s, with the guard or without.
    stops: i64,
}

const CALM: Faults = Faults { kills: 0, lost: 0, outages: 0, ends: 0, logouts: 0, stops: 0 };
const STORM: Faults = Faults { kills: 8, lost: 60, outages: 120, ends: 1, logouts: 2, stops: 20 };
/// All that must not cost anybody a session.
const HARMLESS: Faults = Faults { outages: 120, logouts: 2, stops: 20, ..CALM };
/// The longest exchange at the end.
const BRISK: Millis = 2 * SECOND;

struct Session {
    alive: bool,
    newest: u32,
    /// Somebody's death, or a lost answer, explains why nobody knows it, or why its token comes again.
    excused: bool,
}

enum Step {
    Idle,
    Look,
    Guard(Plan),
    LookAgain(Plan),
    Intent(Plan),
    Send,
    /// The service has answered, or nothing comes.
    Answer(Outcome),
    LogOut,
}

struct Process {
    step: Step,
    want: Want,
    came: Millis,
    until: Millis,
    sleeps: Millis,
    read: Option<Record>,
    intent: Option<Record>,
    attempt: Option<Attempt>,
    served: u64,
}

impl Process {
    fn new() -> Self {
        let (step, want) = (Step::Idle, Want::Fresh);
        Self { step, want, came: 0, until: 0, sleeps: 0, read: None, intent: None, attempt: None, served: 0 }
    }

    fn is_exchanging(&self) -> bool {
        matches!(self.step, Step::Answer(_))
    }
}

#[derive(Default, Debug, Clone, Copy)]
struct Tally {
    exchanges: u64,
    reused: u64,
    kills: u64,
    lost: u64,
    logins: u64,
}

struct World {
    without: Without,
    faults: Faults,
    chance: Random,
    now: Millis,
    stored: Option<Record>,
    guard: Option<usize>,
    processes: Vec<Process>,
    sessions: Vec<Session>,
    /// Refresh tokens whose successor was saved.
    superseded: HashSet<String>,
    /// Tokens that were sent and whose answer nobody has.
    unknown: HashSet<String>,
    /// Until then no login may follow one whose answer was lost.
    no_login_before: Millis,
    logged_out_of: HashSet<usize>,
    /// The account has a second factor: a login takes a code, and one of each time step.
    codes: bool,
    /// Nothing fails any more: every call is held to rule W.
    strict: bool,
    tally: Tally,
}

/// What follows from a look at the record.
enum Next {
    Send(Plan),
    Satisfied,
    Wait(Millis),
    Fail(&'static str),
}

const STEP: Millis = 30 * SECOND;

type Checked<T = ()> = Result<T, String>;

fn session_of(token: &str) -> usize {
    token.split('.').nth(1).and_then(|nth| nth.parse().ok()).expect("a token of this service")
}

fn number_of(token: &str) -> u32 {
    token.split('.').nth(2).and_then(|nth| nth.parse().ok()).expect("a token of this service")
}

impl World {
    fn new(seed: u64, without: Without, faults: Faults) -> Self {
        Self {
            without,
            faults,
            chance: Random::seeded(seed),
            now: 1_800_000_000_000,
            stored: None,
            guard: None,
            processes: (0..PROCESSES).map(|_| Process::new()).collect(),
            sessions: Vec::new(),
            superseded: HashSet::new(),
            unknown: HashSet::new(),
            no_login_before: 0,
            logged_out_of: HashSet::new(),
            codes: seed.is_multiple_of(3),
            strict: false,
            tally: Tally::default(),
        }
    }

    fn now(&self) -> Now {
        Now { wall: self.now, mono: self.now }
    }

    fn happens(&self, in_a_thousand: i64) -> bool {
        self.chance.between(0, 1000) < in_a_thousand
    }

    fn read(&self) -> Record {
        self.stored.clone().unwrap_or_else(|| Record::new(None, &self.chance))
    }

    fn commit(&mut self, base: Option<Version>, record: &Record) -> Checked<bool> {
        let known = self.stored.as_ref().map(Record::version);
        if known != base && !self.without.fence() {
            return Ok(false);
        }
        let session = record.refresh_token().map(|token| session_of(token.expose()));
        if session.is_some_and(|session| self.logged_out_of.contains(&session)) {
            return Err("a session that was logged out is stored again".to_owned());
        }
        self.stored = Some(record.clone());
        Ok(true)
    }

    fn credentials() -> [(&'static str, Secret); 1] {
        [("password", "s3cret!".into())]
    }

    /// Steps 1 and 3: what follows from `record` for this process.
    fn decide(&self, nth: usize, record: &Record) -> Next {
        let process = &self.processes[nth];
        let view = View { record, anchor: anchor(record, self.now()), now: self.now(), skew: SKEW };
        let compares = self.without != Without::Comparison;
        if view.satisfies(&process.want) && (compares || !matches!(process.want, Want::Not(_))) {
            return Next::Satisfied;
        }
        let means = Means { login: true, ..Means::default() };
        let permit = view.permit(&process.want, &means, |mark| mark.is_of(&Self::credentials()));
        match permit {
            Permit::Go(Plan::Login) => self.next_code(record).map_or(Next::Send(Plan::Login), Next::Wait),
            Permit::Go(plan) => Next::Send(plan),
            Permit::UnderWay if self.without == Without::Judge => Next::Fail("rests"),
            // Whoever has the guard will tell.
            Permit::UnderWay => Next::Send(Plan::UnderWay),
            Permit::Held(hold) => Next::Wait(hold.until),
            Permit::TooSoon => Next::Wait(self.now + SECOND),
            Permit::Rests if matches!(process.want, Want::Validity(_)) && view.left() > 0 => Next::Satisfied,
            Permit::Rests => Next::Fail("rests"),
            Permit::StillRefused => Next::Fail("still refused"),
            Permit::Refused(_) => Next::Fail("refused"),
            Permit::Nothing => Next::Fail("nothing"),
        }
    }

    /// When the next code is due; `None` if there is one now.
    fn next_code(&self, record: &Record) -> Option<Millis> {
        match record.otp {
            Some(Known::Word(UsedCode::Step(used))) if self.codes && used >= self.now / STEP => Some((used + 1) * STEP),
            _ => None,
        }
    }

    fn step(&mut self, nth: usize) -> Checked {
        if self.happens(self.faults.kills) {
            return self.kill(nth);
        }
        if self.happens(self.faults.stops) {
            // Stopped, swapped out, or suspended; with the guard, if it has it.
            self.processes[nth].sleeps = self.now + self.chance.between(0, 40 * SECOND);
            return Ok(());
        }
        if self.without == Without::DetachedSave && self.processes[nth].is_exchanging() && self.happens(200) {
            self.leave(nth);
            return Ok(());
        }
        match std::mem::replace(&mut self.processes[nth].step, Step::Idle) {
            Step::Idle => self.come(nth)?,
            Step::Look => {
                let record = self.read();
                match self.decide(nth, &record) {
                    Next::Send(plan) => self.go(nth, Step::Guard(plan), Some(record)),
                    next => self.outside(nth, &next)?,
                }
            }
            Step::Guard(plan) => {
                if self.guard.is_some() && self.without != Without::Guard {
                    let later = self.now + self.chance.between(10, 250);
                    self.wait(nth, later)?;
                } else {
                    self.guard = Some(nth);
                    let read = self.processes[nth].read.take();
                    self.go(nth, Step::LookAgain(plan), read);
                }
            }
            Step::LookAgain(plan) if self.without.second_look() => {
                let read = self.processes[nth].read.take();
                self.go(nth, Step::Intent(plan), read);
            }
            Step::LookAgain(_) => {
                self.judge()?;
                let record = self.read();
                match self.decide(nth, &record) {
                    Next::Send(plan) => self.go(nth, Step::Intent(plan), Some(record)),
                    next => {
                        self.release(nth);
                        self.outside(nth, &next)?;
                    }
                }
            }
            Step::Intent(plan) => self.intend(nth, plan)?,
            Step::Send => self.send(nth)?,
            Step::Answer(outcome) => self.settle(nth, &outcome)?,
            Step::LogOut => self.log_out(nth)?,
        }
        Ok(())
    }

    fn go(&mut self, nth: usize, step: Step, read: Option<Record>) {
        let process = &mut self.processes[nth];
        (process.step, process.read) = (step, read);
    }

    /// Under the guard: who left a mark under way has gone.
    fn judge(&mut self) -> Checked {
        let record = self.read();
        if self.stored.is_some()
            && let Some(judged) = abandoned(&record, false, self.dice())
        {
            let done = self.commit(Some(record.version()), &judged)?;
            assert!(done, "nobody came in between");
        }
        Ok(())
    }

    fn dice(&self) -> Dice {
        Dice { jitter: self.chance.between(900, 1101), backoff: self.chance.between(500, 1001) }
    }

    fn outside(&mut self, nth: usize, next: &Next) -> Checked {
        match *next {
            Next::Wait(until) => self.wait(nth, until),
            Next::Fail(why) => self.fail(nth, why),
            Next::Satisfied | Next::Send(_) => self.serve(nth),
        }
    }

    /// Sleeps until then, and looks at the store meanwhile.
    fn wait(&mut self, nth: usize, until: Millis) -> Checked {
        let under_way = self.read().is_under_way();
        let patience = self.processes[nth].until;
        if until > patience && !(under_way && self.now < patience) {
            return self.fail(nth, "held");
        }
        let often = if under_way { 250 } else { SECOND };
        let look = if self.without == Without::Looking { until } else { until.min(self.now + often) };
        let process = &mut self.processes[nth];
        (process.step, process.sleeps) = (Step::Look, look);
        Ok(())
    }

    fn serve(&mut self, nth: usize) -> Checked {
        self.check_wait(nth)?;
        self.processes[nth].served += 1;
        self.leave(nth);
        Ok(())
    }

    fn fail(&mut self, nth: usize, why: &str) -> Checked {
        let process = &self.processes[nth];
        let record = self.read();
        let view = View { record: &record, anchor: anchor(&record, self.now()), now: self.now(), skew: SKEW };
        // Whoever only wants a token takes the one that there is; and a service that goes on refusing is told so.
        let is_served = process.want == Want::Fresh && view.left() > 0;
        if self.strict && !is_served && why != "still refused" {
            return Err(format!("{:?} fails ({why}) although all is well", process.want));
        }
        self.leave(nth);
        Ok(())
    }

    /// One exchange that was under way, one of its own, and what the rules name.
    fn check_wait(&self, nth: usize) -> Checked {
        let named = if self.codes { STEP } else { 0 } + 11 * SECOND;
        let took = self.now - self.processes[nth].came;
        if self.strict && took > 3 * BRISK + named {
            return Err(format!("{:?} takes {took} ms although all is well", self.processes[nth].want));
        }
        Ok(())
    }

    fn leave(&mut self, nth: usize) {
        self.release(nth);
        self.processes[nth].step = Step::Idle;
        self.processes[nth].sleeps = self.now + self.chance.between(SECOND, 4 * MINUTE);
    }

    fn release(&mut self, nth: usize) {
        self.guard = self.guard.filter(|holder| *holder != nth);
    }

    fn come(&mut self, nth: usize) -> Checked {
        let record = self.read();
        let current = record.tokens.as_ref().map(|tokens| tokens.access.clone());
        let since = self.now;
        let want = match (self.chance.between(0, 20), current) {
            (0 | 1, not) => {
                let after = self.stored.as_ref().map(Record::version);
                Want::Renewal { since, not: not.as_ref().map(Secret::fingerprint), after }
            }
            (2 | 3, Some(refused)) => Want::Not(refused.fingerprint()),
            (4, _) => Want::Session { since },
            (5, _) => Want::Validity(300 * SECOND),
            (6, _) => Want::Validity(900 * SECOND),
            (7, _) if self.chance.between(0, 4) == 0 => Want::NewSession { since },
            _ => Want::Fresh,
        };
        let logs_out = self.happens(self.faults.logouts);
        let until = self.now + PATIENCE;
        let process = &mut self.processes[nth];
        (process.want, process.came, process.until) = (want, since, until);
        process.step = if logs_out { Step::LogOut } else { Step::Look };
        Ok(())
    }

    fn kill(&mut self, nth: usize) -> Checked {
        self.tally.kills += 1;
        if self.processes[nth].is_exchanging() {
            self.excuse(nth);
        }
        self.release(nth);
        let served = self.processes[nth].served;
        self.processes[nth] = Process { served, sleeps: self.now + SECOND, ..Process::new() };
        Ok(())
    }

    /// From now on nobody has the answer to what this process has sent.
    fn excuse(&mut self, nth: usize) {
        let attempt = self.processes[nth].attempt.as_ref();
        match attempt.map(|attempt| (attempt.plan, self.sent(nth))) {
            Some((Plan::Refresh, Some(token))) => {
                self.sessions[session_of(&token)].excused = true;
                self.unknown.insert(token);
            }
            Some((Plan::Login, _)) => {
                if let Some(session) = self.sessions.last_mut() {
                    session.excused = true;
                }
            }
            _ => {}
        }
    }

    /// The refresh token of the process's exchange.
    fn sent(&self, nth: usize) -> Option<String> {
        self.processes[nth].read.as_ref()?.refresh_token().map(|token| token.expose().to_owned())
    }

    /// Step 6.
    fn intend(&mut self, nth: usize, plan: Plan) -> Checked {
        let record = self.processes[nth].read.clone().expect("it was read");
        let sent = match record.refresh_fingerprint() {
            Some(token) if plan == Plan::Refresh => Sent::Refresh(token),
            _ => Sent::Login,
        };
        let attempt = Attempt {
            explicit: self.processes[nth].want.is_explicit_login(),
            code: (plan == Plan::Login && self.codes).then_some(UsedCode::Step(self.now / STEP)),
            because: matches!(&self.processes[nth].want, Want::Not(_)),
            credentials: (plan == Plan::Login).then(|| CredentialMark::new(1, &Self::credentials())),
            ..Attempt::new(plan, sent, self.now(), record.mark.clone())
        };
        let mut next = intent(&record, &attempt, "1@here");
        if self.without == Without::Intent {
            next.mark = None;
        }
        let base = if self.stored.is_none() { None } else { Some(record.version()) };
        if self.commit(base, &next)? {
            self.processes[nth].attempt = Some(attempt);
            self.processes[nth].intent = Some(next);
            self.processes[nth].step = Step::Send;
        } else {
            self.release(nth);
            let later = self.now + self.chance.between(10, 250);
            self.wait(nth, later)?;
        }
        Ok(())
    }

    /// Step 7, and what the service does.
    fn send(&mut self, nth: usize) -> Checked {
        if self.processes.iter().any(Process::is_exchanging) {
            return Err("two exchanges at a time".to_owned());
        }
        self.tally.exchanges += 1;
        let now = self.now();
        let attempt = self.processes[nth].attempt.as_mut().expect("it was written down");
        attempt.begun = now;
        let plan = attempt.plan;
        if plan == Plan::Login {
            self.check_login(nth)?;
        } else {
            self.check_refresh(nth)?;
        }
        let outage = self.happens(self.faults.outages);
        let lost = self.happens(self.faults.lost);
        let processed = if outage { None } else { Some(self.process(nth, plan)?) };
        let outcome = match processed {
            _ if lost => {
                self.tally.lost += 1;
                self.excuse(nth);
                Err(failure(Class::Lost, ErrorKind::Network))
            }
            None => Err(failure(Class::Unsent, ErrorKind::RateLimited)),
            Some(outcome) => outcome,
        };
        self.processes[nth].step = Step::Answer(outcome);
        let longest = if self.strict { BRISK } else { EXCHANGE };
        self.processes[nth].sleeps = self.now + self.chance.between(1, longest);
        Ok(())
    }

    fn check_login(&self, nth: usize) -> Checked {
        if self.processes[nth].want.is_explicit_login() {
            return Ok(());
        }
        if self.now < self.no_login_before {
            return Err("a password is sent again although the answer to the last one is not known".to_owned());
        }
        let stored = self.stored.as_ref().and_then(|record| record.tokens.as_ref());
        let Some(token) = stored.and_then(|tokens| tokens.refresh.as_ref()) else { return Ok(()) };
        let alive = self.sessions[session_of(token.expose())].alive;
        let over = stored.and_then(TokenSet::refresh_end).is_some_and(|end| self.now >= end);
        if alive && !over { Err("a login while a session that lives is stored".to_owned()) } else { Ok(()) }
    }

    fn check_refresh(&self, nth: usize) -> Checked {
        let token = self.sent(nth).expect("a refresh token");
        if self.superseded.contains(&token) {
            return Err("a refresh token is sent although its successor was saved".to_owned());
        }
        let record = self.processes[nth].read.as_ref().expect("it was read");
        let view = View { record, anchor: anchor(record, self.now()), now: self.now(), skew: SKEW };
        let late = view.windows().is_none_or(|windows| view.left() <= windows.late + EXCHANGE);
        let unwanted = matches!(&self.processes[nth].want, Want::Not(refused) if view.is_current(refused));
        if self.unknown.contains(&token) && !late && !unwanted {
            return Err("a token that may be spent is risked while another one is good".to_owned());
        }
        Ok(())
    }

    fn process(&mut self, nth: usize, plan: Plan) -> Checked<Outcome> {
        if plan == Plan::Login {
            self.tally.logins += 1;
            self.sessions.push(Session { alive: true, newest: 0, excused: false });
            return Ok(Ok(self.grant(self.sessions.len() - 1)));
        }
        let token = self.sent(nth).expect("a refresh token");
        let of = session_of(&token);
        let session = &mut self.sessions[of];
        if session.alive && number_of(&token) < session.newest {
            session.alive = false;
            self.tally.reused += 1;
            if !self.unknown.contains(&token) {
                return Err("a token is used twice, and neither a kill nor a lost answer explains it".to_owned());
            }
        }
        if self.sessions[of].alive {
            return Ok(Ok(self.grant(of)));
        }
        Ok(Err(failure(Class::Dead, ErrorKind::ReauthRequired)))
    }

    fn grant(&mut self, of: usize) -> Granted {
        self.sessions[of].newest += 1;
        let newest = self.sessions[of].newest;
        Granted {
            access: Secret::new(format!("a.{of}.{newest}")),
            refresh: Some(Secret::new(format!("r.{of}.{newest}"))),
            session_id: None,
            life: LIFE,
            refresh_life: Some(REFRESH_LIFE),
        }
    }

    /// Step 8 and 9.
    fn settle(&mut self, nth: usize, outcome: &Outcome) -> Checked {
        let attempt = self.processes[nth].attempt.take().expect("it was sent");
        let before = self.processes[nth].intent.take().expect("it was written down");
        let settled = settle(&before, &attempt, outcome, self.now(), self.dice());
        let lost_login = attempt.plan == Plan::Login && outcome.as_ref().is_err_and(|f| f.class == Class::Lost);
        let sent = self.sent(nth);
        if self.commit(Some(before.version()), &settled)? {
            if lost_login {
                // Half of 30 s, doubled.
                self.no_login_before = self.now + 30 * SECOND;
            }
            match (outcome, attempt.plan, sent) {
                (Ok(_), Plan::Refresh, Some(sent)) => {
                    self.superseded.insert(sent);
                }
                // The session that it replaces is ended.
                (Ok(_), _, Some(replaced)) => self.sessions[session_of(&replaced)].alive = false,
                _ => {}
            }
        } else if let Ok(granted) = outcome
            && let Some(token) = &granted.refresh
        {
            // Somebody has logged out meanwhile: what was opened is ended.
            self.sessions[session_of(token.expose())].alive = false;
        }
        self.release(nth);
        match outcome {
            // What it was begun for is told by what is stored.
            Ok(_) if attempt.plan == Plan::Login && self.processes[nth].want.is_explicit_login() => self.serve(nth),
            Ok(_) => self.wait(nth, self.now),
            Err(failure) if matches!(failure.class, Class::Unsent | Class::Dead) || attempt.plan == Plan::Refresh => {
                self.wait(nth, self.now)
            }
            Err(_) => self.fail(nth, "lost"),
        }
    }

    /// Without the guard: a logout waits for it, but not for ever, and writes last.
    fn log_out(&mut self, nth: usize) -> Checked {
        let mut out = self.read().next();
        if let Some(token) = out.tokens.take().and_then(|tokens| tokens.refresh) {
            let of = session_of(token.expose());
            self.sessions[of].alive = false;
            self.logged_out_of.insert(of);
        }
        out.lineage = self.chance.u64();
        (out.mark, out.dead, out.hard_end, out.out) = (None, None, None, true);
        let base = self.stored.as_ref().map(Record::version);
        let done = self.commit(base, &out)?;
        assert!(done, "nobody came in between");
        self.leave(nth);
        Ok(())
    }

    /// One step of whoever is awake; if nobody is, time passes until somebody is.
    fn turn(&mut self) -> Checked {
        self.now += self.chance.between(1, 40);
        if self.happens(self.faults.ends)
            && let Some(session) = self.sessions.iter_mut().rfind(|session| session.alive)
            && self.chance.between(0, 20) == 0
        {
            session.alive = false;
        }
        let awake: Vec<usize> = (0..PROCESSES).filter(|nth| self.processes[*nth].sleeps <= self.now).collect();
        if awake.is_empty() {
            self.now = self.processes.iter().map(|process| process.sleeps).min().unwrap_or(self.now);
            return Ok(());
        }
        let nth = self.chance.between(0, awake.len() as i64).unsigned_abs() as usize;
        self.step(awake[nth])
    }

    /// What is left at the end: one session, the one that is stored, but for those that a fault explains.
    fn check_rest(&self) -> Checked {
        let stored = self.stored.as_ref().and_then(Record::refresh_token).map(|token| session_of(token.expose()));
        let stray = self.sessions.iter().enumerate().find(|(nth, s)| s.alive && !s.excused && Some(*nth) != stored);
        if let Some((nth, _)) = stray {
            return Err(format!("session {nth} lives on, and nobody knows it"));
        }
        Ok(())
    }
}

fn failure(class: Class, kind: ErrorKind) -> Failure {
    Failure { words: "scripted".to_owned(), ..Failure::new(class, Error::new(kind, "scripted")) }
}

/// One history: faults, then calm, in which everybody must get a token.
fn play(seed: u64, without: Without, faults: Faults) -> Checked<Tally> {
    let mut world = World::new(seed, without, faults);
    for _ in 0..2_000 {
        world.turn()?;
    }
    world.faults = CALM;
    // No hold lasts longer than an hour.
    let quiet = world.now + HOUR + MINUTE;
    while world.now < quiet {
        world.turn()?;
    }
    let reused = world.tally.reused;
    world.processes.iter_mut().for_each(|process| process.served = 0);
    world.strict = true;
    world.processes.iter_mut().for_each(|process| process.came = process.came.max(world.now));
    let end = world.now + HOUR;
    while world.now < end {
        world.turn()?;
    }
    if let Some(nth) = world.processes.iter().position(|process| process.served == 0) {
        return Err(format!("process {nth} gets no token although all is well"));
    }
    if world.tally.reused != reused {
        return Err("a token is used twice although all is well".to_owned());
    }
    world.check_rest()?;
    Ok(world.tally)
}

/// How many histories: `CDSE_MODEL_HISTORIES`, or some.
fn histories() -> u64 {
    std::env::var("CDSE_MODEL_HISTORIES").map_or(120, |text| text.parse().expect("a number"))
}

fn play_all(faults: Faults) -> Tally {
    let mut sum = Tally::default();
    for seed in 0..histories() {
        let tally = play(seed, Without::Nothing, faults).unwrap_or_else(|why| panic!("history {seed}: {why}"));
        sum.exchanges += tally.exchanges;
        sum.reused += tally.reused;
        sum.kills += tally.kills;
        sum.lost += tally.lost;
        sum.logins += tally.logins;
    }
    println!("{} histories of {PROCESSES} processes: {sum:?}", histories());
    sum
}

#[test]
fn x2_the_protocol_holds_in_a_storm() {
    let sum = play_all(STORM);
    assert!(sum.kills > 0 && sum.lost > 0 && sum.exchanges > 10 * histories(), "{sum:?}");
}

#[test]
fn x2_without_kills_and_lost_answers_no_token_is_used_twice() {
    let sum = play_all(HARMLESS);
    assert_eq!(sum.reused, 0);
}

/// What is found of a protocol that lacks a part.
fn found(without: Without) -> Option<String> {
    (0..200).find_map(|seed| play(seed, without, STORM).err().or_else(|| play(seed, without, HARMLESS).err()))
}

#[test]
fn x2_a_protocol_that_lacks_a_part_is_found_out() {
    for without in [
        Without::Fence,
        Without::SecondLook,
        Without::SecondLookAndFence,
        Without::Intent,
        Without::DetachedSave,
        Without::Guard,
        Without::Judge,
        Without::Looking,
    ] {
        let why = found(without).unwrap_or_else(|| panic!("{without:?} was not missed"));
        println!("without {without:?}: {why}");
    }
}
