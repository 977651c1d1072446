//! What is sent once, later, or not at all; and what a lock must be good for.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cdse_auth::{ClientCredentialsAuth, Clock, ErrorKind, MemoryTokenStore, PasswordAuth, blocking};
use cdse_sandbox::{Action, Config, Endpoint, Fault, Lifetimes};
use support::watched::Watched;
use support::{MFA, PASSWORD, USER, World, at_rest, until, user};

#[test]
fn s1_a_lock_must_last_for_an_exchange_and_its_saving() {
    let world = World::new();
    let store = Watched::default();
    let manager: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
    manager.authorization_header().unwrap();
    let asked = store.asked.lock().unwrap();
    assert!(!asked.is_empty() && asked.iter().all(|length| *length == Duration::from_secs(25)), "{asked:?}");
}

#[test]
fn s1_whoever_was_slower_looks_again() {
    let world = World::new();
    let store = Watched::default();
    store.moved.store(1, Ordering::SeqCst);
    let manager: blocking::TokenManager = world.builder(user()).store(store).build().unwrap().into();
    let caller = std::thread::spawn(move || manager.authorization_header());
    until("it has looked again", || {
        world.time.advance(Duration::from_millis(10));
        caller.is_finished()
    });
    caller.join().unwrap().unwrap();
    assert_eq!(world.sandbox.counters().logins_ok, 1);
}

#[test]
fn x3_a_session_that_is_over_is_not_logged_out() {
    let world = World::new();
    let manager = world.logged_in();
    world.advance(3600);
    manager.force_login().unwrap();
    at_rest(&manager);
    let logouts = || world.sandbox.requests().iter().filter(|request| request.endpoint == Endpoint::Logout).count();
    assert_eq!(logouts(), 0, "its idle time has passed");
    // One that was ended elsewhere may still have its place: it is given back once.
    assert!(world.sandbox.end_session(&world.sandbox.sessions()[0].id));
    world.advance(700);
    manager.authorization_header().unwrap();
    at_rest(&manager);
    assert_eq!(logouts(), 1);
}

/// By another process, which has stored that it was.
#[test]
fn p2_a_given_code_that_was_sent_elsewhere_is_not_sent_again() {
    let world = World::new();
    let store = MemoryTokenStore::new();
    let code = world.sandbox.totp_code(MFA).unwrap();
    let process = || -> blocking::TokenManager {
        let provider = PasswordAuth::new(MFA, PASSWORD).with_code(code.clone());
        world.builder(provider).store(store.clone()).build().unwrap().into()
    };
    process().authorization_header().unwrap();
    let other = process();
    world.sandbox.clear_log();
    let error = other.force_login().unwrap_err();
    assert!(error.kind() == ErrorKind::ReauthRequired && error.message().contains("was used"), "{error}");
    assert_eq!(world.sandbox.counters().password_grants, 0);
}

#[test]
fn e4_only_a_lost_login_may_have_opened_a_session() {
    let world = World::new();
    let lost = |manager: &blocking::TokenManager, renews: bool| {
        world.sandbox.script(Fault::token(Action::Reset { processed: false }));
        let result = if renews { manager.force_refresh().map(drop) } else { manager.force_login() };
        result.unwrap_err().message().contains("may have been opened")
    };
    assert!(lost(&world.manager(user()), false));
    assert!(!lost(&world.manager(ClientCredentialsAuth::new("sh-client", "sh-secret")), false));
    let manager = world.logged_in();
    world.advance(120);
    assert!(!lost(&manager, true));
    let refused = World::new().manager(PasswordAuth::new(USER, "never right")).login().unwrap_err();
    assert!(!refused.message().contains("may have been opened"), "{refused}");
}

#[test]
fn m14_keep_alive_tries_again_when_the_hold_ends_and_renews_an_older_token_in_time() {
    let world = World::new();
    let store = Watched::default();
    let first: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
    first.authorization_header().unwrap();
    at_rest(&first);
    world.advance(300);
    world.sandbox.script(Fault::token(Action::page(429)));
    let before = store.looks.load(Ordering::SeqCst);
    let kept = world.builder(user()).store(store.clone()).keep_alive(true).build().unwrap();
    until("it has looked", || store.looks.load(Ordering::SeqCst) > before);
    // 80 % of its life have passed.
    world.advance(200);
    until("it is due", || world.sandbox.counters().token_requests == 2);
    until("it is known to have failed", || kept.status().hold.is_some());
    let before = store.looks.load(Ordering::SeqCst);
    for _ in 0..50 {
        std::thread::park_timeout(Duration::from_millis(1));
    }
    // On a clock that stands still a second takes 5 ms.
    assert!(store.looks.load(Ordering::SeqCst) - before <= 40, "it sleeps while the hold lasts");
    world.advance(10);
    until("it is renewed", || world.sandbox.counters().refreshes_ok == 1);
    drop(kept);
}

/// A program that is told to end does not wait for a person who has gone for a coffee.
#[test]
fn m12_settling_does_not_wait_for_somebody_who_is_asked() {
    let world = World::new();
    let (answer, answers) = std::sync::mpsc::channel::<()>();
    let (is_asked, asked) = std::sync::mpsc::channel();
    let answers = Mutex::new(answers);
    let provider = PasswordAuth::new(MFA, PASSWORD).with_code_from(move || {
        is_asked.send(()).unwrap();
        let _ = answers.lock().unwrap().recv();
        Ok("000000".into())
    });
    let manager = world.manager(provider);
    let caller = manager.clone();
    let login = std::thread::spawn(move || caller.login());
    asked.recv().unwrap();
    let ending = std::thread::spawn(move || manager.settle());
    until("it has settled", || ending.is_finished());
    ending.join().unwrap().unwrap();
    drop(answer);
    assert_eq!(login.join().unwrap().unwrap_err().kind(), ErrorKind::ShutDown);
    assert_eq!(world.sandbox.counters().token_requests, 0);
}

#[test]
fn m14_keep_alive_logs_in_as_soon_as_it_may() {
    let world = World::new();
    world.sandbox.script(Fault::token(Action::page(503)));
    let kept = world.builder(user()).keep_alive(true).build().unwrap();
    until("it has failed", || kept.status().hold.is_some());
    world.advance(10);
    until("it has logged in", || world.sandbox.counters().logins_ok == 1);
    drop(kept);
}

/// A token that ends sooner than the one before, which somebody else has asked for.
#[test]
fn m14_keep_alive_is_not_late_for_a_shorter_token() {
    let world = World::new();
    let manager = world.builder(user()).keep_alive(true).build().unwrap();
    let counters = || world.sandbox.counters();
    until("it logs in by itself", || counters().logins_ok == 1 && !manager.status().renewing);
    world.advance(100);
    world.sandbox.set_lifetimes(Lifetimes { access: Duration::from_secs(100), ..Lifetimes::default() });
    let manager = blocking::TokenManager::from(manager);
    manager.force_refresh().unwrap();
    at_rest(&manager);
    world.advance(95);
    until("it is renewed", || counters().refreshes_ok == 2);
}

/// An alarm wakes it there: once for each renewal, also of a token that ends sooner than the one before.
#[test]
fn m14_keep_alive_wakes_for_renewals_only_on_the_systems_clock() {
    let world = World::with(|config| config.clock = Config::default().clock);
    let store = Watched::default();
    let manager = world.builder(user()).clock(Clock::default()).store(store.clone()).keep_alive(true).build().unwrap();
    let counters = || world.sandbox.counters();
    until("it logs in by itself", || counters().logins_ok == 1 && !manager.status().renewing);
    world.sandbox.set_lifetimes(Lifetimes { access: Duration::from_secs(3), ..Lifetimes::default() });
    let manager = blocking::TokenManager::from(manager);
    manager.force_refresh().unwrap();
    until("two more are there in time", || counters().refreshes_ok >= 3);
    let (looks, requests) = (store.looks.load(Ordering::SeqCst), counters().token_requests);
    assert!(looks as u64 <= 8 * requests, "{looks} looks at the store for {requests} requests");
}
