//! Several callers with different wants, in one process and in several: what one is at must not fail the others (rule W).
//!
//! Another process is another manager on the same session file. The clock stands still unless a test moves it, so whoever
//! waits for a time that nobody needed to wait for never comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::sync::{Arc, Barrier};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use cdse_auth::{
    AuthProvider, ErrorKind, FileTokenStore, HeaderValue, MemoryTokenStore, PasswordAuth, Result, TokenStore,
    TotpSecret, blocking,
};
use cdse_sandbox::{Action, Fault, Grant, Lifetimes, Rotation};
use support::{MFA, PASSWORD, TOTP_SECRET, USER, World, at_rest, until, user};

const PROCESSES: usize = 8;

struct Machine {
    world: World,
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let world = World::with(|config| config.rotation = Rotation::OneTime);
        Self { world, folder: tempfile::tempdir().unwrap() }
    }

    fn store(&self) -> FileTokenStore {
        FileTokenStore::new(self.folder.path().join("session.json"))
    }

    fn process_with(&self, provider: impl AuthProvider + 'static) -> blocking::TokenManager {
        self.world.builder(provider).store(self.store()).build().unwrap().into()
    }

    fn process(&self) -> blocking::TokenManager {
        self.process_with(user())
    }

    /// Somebody has logged in; the token is so old by now.
    fn logged_in(age: u64) -> Self {
        let machine = Self::new();
        machine.process().login().unwrap();
        machine.world.advance(age);
        machine.world.sandbox.clear_log();
        machine
    }

    /// From now on each answer of the token endpoint comes after real time in which everybody else comes.
    fn slow_answers(&self) {
        let slow = Action::DelayAnswer(Duration::from_millis(300));
        self.world.sandbox.script(Fault::token(slow).always());
    }

    fn token_requests(&self) -> u64 {
        self.world.sandbox.counters().token_requests
    }

    fn check(&self) {
        let counters = self.world.sandbox.counters();
        assert_eq!((counters.reuse_detected, counters.login_failures, counters.totp_reused), (0, 0, 0), "{counters:?}");
        assert!(counters.max_concurrent_token_requests <= 1, "{counters:?}");
    }
}

fn totp() -> PasswordAuth {
    PasswordAuth::new(MFA, PASSWORD).with_totp_secret(TotpSecret::new(TOTP_SECRET).unwrap())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Want {
    Header,
    Valid(u64),
    Renewal,
    Refused,
    Session,
    NewSession,
}

const WANTS: [Want; 7] =
    [Want::Header, Want::Valid(300), Want::Valid(590), Want::Renewal, Want::Refused, Want::Session, Want::NewSession];

impl Want {
    fn ask(self, process: &blocking::TokenManager, refused: &HeaderValue) -> Result<()> {
        match self {
            Self::Header => process.authorization_header().map(drop),
            Self::Valid(seconds) => process.header_for(Duration::from_secs(seconds)).map(drop),
            Self::Renewal => process.force_refresh().map(drop),
            Self::Refused => process.force_refresh_after(refused).map(|header| assert_ne!(header, *refused)),
            Self::Session => process.login().map(drop),
            Self::NewSession => process.force_login(),
        }
    }
}

/// All at once; each a process of its own.
fn all_at_once(machine: &Machine, wants: &[Want], refused: &HeaderValue) -> Vec<JoinHandle<Result<()>>> {
    let barrier = Arc::new(Barrier::new(wants.len()));
    let ask = |want: &Want| {
        let (process, barrier, want, refused) = (machine.process(), Arc::clone(&barrier), *want, refused.clone());
        spawn(move || {
            barrier.wait();
            want.ask(&process, &refused)
        })
    };
    wants.iter().map(ask).collect()
}

fn all_succeed(callers: Vec<JoinHandle<Result<()>>>, what: &str) {
    for caller in callers {
        caller.join().unwrap().unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

#[test]
fn w_processes_that_want_another_token_at_once_share_one_exchange_or_two() {
    for want in [Want::Renewal, Want::Valid(590), Want::Refused] {
        let machine = Machine::logged_in(100);
        let refused = machine.process().authorization_header().unwrap();
        machine.slow_answers();
        all_succeed(all_at_once(&machine, &[want; PROCESSES], &refused), &format!("{want:?}"));
        // One that is announced after a call counts for it; who came later shares the next one.
        assert!((1..=2).contains(&machine.token_requests()), "{want:?}: {} requests", machine.token_requests());
        machine.check();
    }
}

#[test]
fn w_every_want_is_met_whatever_somebody_else_is_at() {
    for age in [100, 490, 580, 700] {
        for busy in [Want::Renewal, Want::NewSession] {
            let machine = Machine::logged_in(age);
            let last = machine.process().status();
            let refused = machine.store().load().unwrap().unwrap().authorization_header();
            machine.slow_answers();
            let other = all_at_once(&machine, &[busy], &refused);
            until("it is at it", || machine.token_requests() >= 1);
            all_succeed(all_at_once(&machine, &WANTS, &refused), &format!("{busy:?} at {age} s, {last:?}"));
            all_succeed(other, "the one before");
            machine.check();
        }
    }
}

/// The tasks of one process share a flight.
#[test]
fn w_every_want_of_the_tasks_of_a_process_is_met() {
    for age in [100, 490, 580, 700] {
        let machine = Machine::logged_in(age);
        let refused = machine.store().load().unwrap().unwrap().authorization_header();
        machine.slow_answers();
        let process = machine.process();
        let tasks = WANTS.iter().map(|want| {
            let (process, refused, want) = (process.clone(), refused.clone(), *want);
            spawn(move || want.ask(&process, &refused))
        });
        all_succeed(tasks.collect(), &format!("at {age} s"));
        at_rest(&process);
        machine.check();
    }
}

#[test]
fn w_cold_starts_with_one_totp_secret_share_one_login() {
    let machine = Machine::new();
    machine.slow_answers();
    let processes = (0..PROCESSES).map(|_| {
        let process = machine.process_with(totp());
        spawn(move || process.authorization_header().map(drop))
    });
    all_succeed(processes.collect(), "a cold start");
    assert_eq!(machine.token_requests(), 1, "the others sleep for a code that they do not need");
    machine.check();
}

#[test]
fn w_whoever_waits_out_a_hold_leaves_as_soon_as_somebody_has_logged_in() {
    let machine = Machine::new();
    let closed =
        Action::Answer { status: 429, headers: vec![("retry-after".to_owned(), "40".to_owned())], body: Vec::new() };
    machine.world.sandbox.script(Fault::token(closed));
    let held = machine.process();
    let caller = {
        let held = held.clone();
        spawn(move || held.authorization_header())
    };
    until("it is held", || held.status().hold.is_some());
    machine.world.advance(2);
    machine.process().login().unwrap();
    until("the caller is served", || caller.is_finished());
    caller.join().unwrap().expect("what anybody obtains ends everybody's wait");
    assert_eq!(machine.token_requests(), 2);
}

#[test]
fn w_what_one_task_sleeps_for_does_not_hold_back_the_next_one() {
    let world =
        World::with(|config| config.lifetimes = Lifetimes { access: Duration::from_secs(10), ..config.lifetimes });
    let manager = world.manager(totp());
    manager.authorization_header().unwrap();
    at_rest(&manager);
    world.advance(12);
    let waits = manager.clone();
    let login = spawn(move || waits.force_login());
    until("it waits for the next code", || manager.as_async().waiting().is_some());
    manager.authorization_header().expect("a renewal needs no code");
    assert!(!login.is_finished(), "the code is not due yet");
    world.advance(18);
    login.join().unwrap().unwrap();
    assert_eq!(world.sandbox.counters().totp_reused, 0);
}

/// A process that was killed, or that is stopped with the lock, in an exchange: the first is judged by who has the lock, the
/// second is waited for.
#[test]
fn w_a_mark_is_judged_by_whoever_has_the_lock_and_by_nobody_else() {
    let machine = Machine::logged_in(100);
    machine.slow_answers();
    let other = machine.process();
    let renewal = {
        let other = other.clone();
        spawn(move || other.force_refresh().map(drop))
    };
    until("it is announced", || machine.token_requests() == 1);
    // Whoever only reads sees what may be a lost answer, and is told of none.
    let watcher = machine.process();
    assert!(watcher.status().problems.is_empty(), "{:?}", watcher.status().problems);
    all_succeed(vec![renewal], "the owner of the mark");
    assert!(watcher.force_refresh().is_ok());
    machine.check();
}

#[test]
fn m5_a_second_factor_that_was_missing_is_a_correction() {
    let machine = Machine::new();
    let error = machine.process_with(PasswordAuth::new(MFA, PASSWORD)).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsRefused);
    machine.world.advance(2);
    machine.process_with(totp()).authorization_header().expect("the second factor is there now");
    let counters = machine.world.sandbox.counters();
    assert_eq!((counters.token_requests, counters.login_failures), (2, 1));
}

#[test]
fn m5_a_person_is_not_held_by_what_failed_before_and_is_told_the_truth() {
    let machine = Machine::new();
    let quick = || -> blocking::TokenManager {
        let builder = machine.world.builder(user()).store(machine.store()).patience(Duration::from_secs(1));
        builder.build().unwrap().into()
    };
    machine.world.sandbox.script(Fault::token(Action::page(500)).always());
    for nth in 1..=4 {
        machine.world.advance(1);
        let error = quick().login().unwrap_err();
        assert_eq!(machine.token_requests(), nth, "it is sent: {error}");
        assert!(!error.message().contains("nothing was sent"), "{error}");
    }
    machine.world.advance(1);
    let error = quick().login().unwrap_err();
    assert_eq!(machine.token_requests(), 4, "three times past a hold, and no more");
    for said in ["failed (500)", "1 s ago", "nothing was sent now", "the next try is due in"] {
        assert!(error.message().contains(said), "{said}: {error}");
    }
    let until = machine.process().status().hold.unwrap().0;
    let left = until.duration_since(machine.world.time.wall()).unwrap();
    assert!(left <= Duration::from_secs(300), "{left:?}");
    machine.world.sandbox.clear_faults();
    machine.world.advance(300);
    quick().login().expect("no error is for ever");
}

#[test]
fn e4_a_gateway_that_passed_a_refresh_on_and_answers_503_kills_no_session() {
    let machine = Machine::logged_in(490);
    machine.world.sandbox.script(Fault::token(Action::page_after(503)).grant(Grant::RefreshToken));
    let process = machine.process();
    for _ in 0..5 {
        process.authorization_header().expect("the token is valid");
        at_rest(&process);
        machine.world.advance(2);
    }
    assert_eq!(machine.token_requests(), 1, "what may be spent rests");
    assert!(machine.world.accepts(&process.authorization_header().unwrap()));
    machine.check();
}

#[test]
fn field_u_a_session_that_only_the_clock_says_has_ended_is_told_from_others() {
    let world = World::new();
    let manager = world.logged_in();
    let told = |manager: &blocking::TokenManager| (manager.status().logged_in, manager.status().ended_by_clock);
    assert_eq!(told(&manager), (true, false));
    world.time.advance(Duration::from_secs(2 * 3600));
    assert_eq!(told(&manager), (false, true));
    manager.logout().unwrap();
    assert_eq!(told(&manager), (false, false));
}

/// What there is is all that can be had, and its end is known.
#[test]
fn w_a_longer_life_than_can_be_had_while_a_lost_answer_rests_gets_the_present_token() {
    let machine = Machine::logged_in(490);
    machine.world.sandbox.script(Fault::token(Action::page_after(503)).grant(Grant::RefreshToken));
    // As a command does: it waits for the end of the exchange.
    let builder = machine.world.builder(user()).store(machine.store()).one_shot(true);
    let process: blocking::TokenManager = builder.build().unwrap().into();
    let first = process.header_for(Duration::from_secs(300)).expect("the token is valid");
    machine.world.advance(2);
    let second = process.header_for(Duration::from_secs(300)).expect("it still is");
    assert_eq!(first, second);
    assert_eq!(machine.token_requests(), 1, "what may be spent rests");
    machine.check();
}

#[test]
fn m4_a_session_that_was_ended_elsewhere_is_healed_by_one_renewal_whatever_the_tokens_age() {
    let machine = Machine::logged_in(3);
    let process = machine.process();
    let refused = process.authorization_header().unwrap();
    for session in machine.world.sandbox.sessions() {
        machine.world.sandbox.end_session(&session.id);
    }
    let tasks = (0..64).map(|_| {
        let (process, refused) = (process.clone(), refused.clone());
        spawn(move || process.force_refresh_after(&refused))
    });
    for task in tasks.collect::<Vec<_>>() {
        assert!(machine.world.accepts(&task.join().unwrap().expect("a new token")));
    }
    assert_eq!(machine.token_requests(), 2, "a refresh that is refused, and a login");
    let healed = process.authorization_header().unwrap();
    let error = process.force_refresh_after(&healed).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StillRefused, "a refusal has just brought it");
    assert_eq!(machine.token_requests(), 2);
}

#[test]
fn m9_after_clear_the_next_call_obtains_new_tokens_and_no_session_is_left_behind() {
    let machine = Machine::logged_in(3);
    let process = machine.process();
    let before = process.authorization_header().unwrap();
    for _ in 0..5 {
        process.clear().unwrap();
        assert!(machine.store().load().unwrap().is_none(), "and in the store");
        let after = process.authorization_header().expect("new tokens");
        at_rest(&process);
        assert_ne!(after, before);
        assert_eq!(machine.world.sandbox.counters().sessions_open, 1, "the cleared session is ended");
    }
}

#[test]
fn m9_a_cleared_session_makes_room_where_the_account_is_full() {
    let world = World::with(|config| config.session_limit = Some(1));
    let manager = world.logged_in();
    manager.clear().unwrap();
    manager.authorization_header().expect("the cleared session gives its place back");
    assert_eq!(world.sandbox.counters().sessions_open, 1);
}

#[test]
fn m9_whoever_waited_for_the_exchange_before_a_clear_is_served() {
    let world = World::new();
    let store = MemoryTokenStore::new();
    let manager: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(300))));
    let theirs = manager.clone();
    let caller = spawn(move || theirs.authorization_header());
    until("the login was processed", || world.sandbox.counters().logins_ok == 1);
    manager.clear().unwrap();
    let header = caller.join().unwrap().expect("it waited for this exchange");
    assert!(world.accepts(&header));
    at_rest(&manager);
    assert_eq!(world.sandbox.counters().logins_ok, 1);
    assert!(store.load().unwrap().is_none());
}

#[test]
fn m9_a_clear_leaves_what_holds_everybody_back() {
    let machine = Machine::new();
    let wrong = PasswordAuth::new(USER, "wrong");
    machine.process_with(wrong.clone()).authorization_header().unwrap_err();
    let process = machine.process_with(wrong);
    process.clear().unwrap();
    process.authorization_header().unwrap_err();
    assert_eq!(machine.token_requests(), 1);
}

/// D: whatever stands before a service that has worked is out of order, and waited for; it says nothing about the session.
#[test]
fn field_d_a_firewall_before_a_service_that_has_worked_costs_nothing() {
    for (status, body) in [(302, ""), (401, ""), (403, "RBAC: access denied"), (404, "<html>")] {
        let machine = Machine::logged_in(700);
        let page = Action::Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() };
        machine.world.sandbox.script(Fault::token(page));
        let process: blocking::TokenManager = {
            let builder = machine.world.builder(user()).store(machine.store()).patience(Duration::from_secs(1));
            builder.build().unwrap().into()
        };
        let error = process.authorization_header().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ServiceUnavailable, "{status}: {error}");
        machine.world.advance(2);
        process.authorization_header().expect("it is in order again");
        assert_eq!(machine.world.sandbox.counters().logins_ok, 0, "{status}: no second session");
        machine.check();
    }
}

#[test]
fn field_d_a_firewall_is_no_full_account() {
    for body in ["RBAC: access denied", "<html>Forbidden</html>", r#"{"error":"RBAC: access denied"}"#] {
        let world = World::new();
        let page = Action::Answer { status: 403, headers: Vec::new(), body: body.as_bytes().to_vec() };
        world.sandbox.script(Fault::token(page));
        let error = world.manager(user()).login().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains("firewall"), "{error}");
    }
}
