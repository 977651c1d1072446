//! How long a caller waits (M5): for a token that is due, for one that is late, for one that has ended, and in a program
//! that needs one token and ends.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::cell::{OnceCell, RefCell};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cdse_auth::store::RecordStore as _;
use cdse_auth::{ErrorKind, MemoryTokenStore, PasswordAuth, RefreshTokenAuth, WaitCause, blocking};
use cdse_sandbox::{Action, Fault, Lifetimes};
use support::{PASSWORD, USER, World, at_rest, until, user};

/// The service takes the request and never answers.
fn unanswered() -> Fault {
    Fault::token(Action::Stall { processed: false })
}

fn closed_for(seconds: u32) -> Fault {
    let headers = vec![("Retry-After".to_owned(), seconds.to_string())];
    Fault::token(Action::Answer { status: 503, headers, body: Vec::new() })
}

fn token_requests(world: &World) -> u64 {
    world.sandbox.counters().token_requests
}

/// One that is logged in, and one on the same session for a program that ends.
fn with_one_shot(world: &World) -> [blocking::TokenManager; 2] {
    let store = Arc::new(MemoryTokenStore::new());
    let managers = [false, true].map(|one_shot| -> blocking::TokenManager {
        world.builder(user()).store(Arc::clone(&store)).one_shot(one_shot).build().unwrap().into()
    });
    managers[0].authorization_header().unwrap();
    at_rest(&managers[0]);
    managers
}

#[test]
fn m5_a_token_that_is_due_is_served_and_renewed_behind_the_callers_back() {
    let world = World::new();
    let manager = world.logged_in();
    let header = manager.authorization_header().unwrap();
    world.advance(490);
    assert_eq!(manager.authorization_header().unwrap(), header);
    at_rest(&manager);
    assert_ne!(manager.authorization_header().unwrap(), header);
    assert_eq!(world.sandbox.counters().refreshes_ok, 1);
}

#[test]
fn m5_a_program_that_ends_takes_the_renewed_token_with_it() {
    let world = World::new();
    let [first, one_shot] = with_one_shot(&world);
    let header = first.authorization_header().unwrap();
    assert_eq!(one_shot.authorization_header().unwrap(), header, "nothing is due");
    world.advance(490);
    assert_ne!(one_shot.authorization_header().unwrap(), header);
    assert_eq!(world.sandbox.counters().refreshes_ok, 1);
}

#[test]
fn m5_a_program_that_ends_does_not_log_in_for_what_is_only_due() {
    let world = World::with(|config| {
        config.lifetimes = Lifetimes { idle: Duration::from_secs(300), ..Lifetimes::default() };
    });
    let [first, one_shot] = with_one_shot(&world);
    let header = first.authorization_header().unwrap();
    world.advance(490);
    assert_eq!(one_shot.authorization_header().unwrap(), header);
    assert_eq!(token_requests(&world), 1);
    world.advance(110);
    assert_ne!(one_shot.authorization_header().unwrap(), header);
}

#[test]
fn m5_a_program_that_ends_has_the_validity_that_it_asked_for() {
    let world = World::new();
    let [_, one_shot] = with_one_shot(&world);
    world.advance(100);
    assert!(one_shot.tokens(Duration::from_secs(500)).is_ok());
    assert_eq!(token_requests(&world), 1);
    world.advance(1);
    one_shot.tokens(Duration::from_secs(500)).unwrap();
    assert_eq!(token_requests(&world), 2);
}

#[test]
fn m5_a_late_token_is_served_after_ten_seconds_or_half_of_what_is_left() {
    for (left, wait) in [(30, 10), (10, 5)] {
        let world = World::new();
        let manager = world.logged_in();
        let header = manager.authorization_header().unwrap();
        world.advance(600 - left);
        world.sandbox.script(unanswered());
        let caller = manager.clone();
        let caller = std::thread::spawn(move || caller.authorization_header());
        until("it was asked for", || token_requests(&world) == 2);
        world.advance(wait);
        assert_eq!(caller.join().unwrap().unwrap(), header);
        assert!(manager.status().renewing, "the answer is still waited for");
    }
}

#[test]
fn m5_whoever_has_no_token_waits_for_a_minute() {
    let world = World::new();
    let manager = world.logged_in();
    world.advance(600);
    world.sandbox.script(unanswered());
    let caller = manager.clone();
    let caller = std::thread::spawn(move || caller.authorization_header());
    until("it was asked for", || token_requests(&world) == 2);
    world.advance(60);
    assert_eq!(caller.join().unwrap().unwrap_err().kind(), ErrorKind::Network);
    assert!(manager.status().renewing, "the answer is still waited for");
}

/// Another one has the patience, and goes on waiting.
#[test]
fn m5_a_hold_that_outlasts_a_callers_patience_is_told_to_that_caller_at_once() {
    let world = World::new();
    let manager: blocking::TokenManager =
        world.builder(user()).patience(Duration::from_secs(30)).build().unwrap().into();
    manager.authorization_header().unwrap();
    at_rest(&manager);
    world.advance(700);
    world.sandbox.script(closed_for(20));
    world.sandbox.script(closed_for(18));
    let held = || matches!(manager.waiting(), Some(waiting) if matches!(waiting.cause, WaitCause::Hold(_)));
    let mut context = Context::from_waker(Waker::noop());
    let mut first = pin!(manager.as_async().authorization_header());
    let mut second = pin!(manager.as_async().authorization_header());
    assert!(first.as_mut().poll(&mut context).is_pending());
    until("the first is held", || token_requests(&world) == 2 && held());
    world.advance(15);
    assert!(second.as_mut().poll(&mut context).is_pending());
    world.advance(7);
    until("the service is asked again", || token_requests(&world) == 3 && held());
    let (told, first) = (OnceCell::new(), RefCell::new(first));
    until("the one whose patience is shorter is told", || {
        let Poll::Ready(result) = first.borrow_mut().as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            return false;
        };
        told.set(result.unwrap_err().kind()).is_ok()
    });
    assert_eq!(told.get(), Some(&ErrorKind::ServiceUnavailable));
    assert!(second.as_mut().poll(&mut context).is_pending());
    world.advance(20);
    at_rest(&manager);
    assert!(matches!(second.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
}

/// The process that was told to wait is another one: this one has no error of its own.
#[test]
fn m5_whoever_gives_up_says_what_held_the_session_back() {
    let (short, long) = (Duration::from_secs(1), Duration::from_secs(60));
    for (password, fault, told, own) in [
        (PASSWORD, Some(closed_for(20)), ErrorKind::ServiceUnavailable, ErrorKind::ServiceUnavailable),
        ("wrong", None, ErrorKind::CredentialsRefused, ErrorKind::Network),
    ] {
        let world = World::new();
        let store = Arc::new(MemoryTokenStore::new());
        let with = |password: &str, patience| -> blocking::TokenManager {
            let provider = PasswordAuth::new(USER, password);
            world.builder(provider).store(Arc::clone(&store)).patience(patience).build().unwrap().into()
        };
        let [others, manager] = [with(password, short), with(PASSWORD, long)];
        let before = token_requests(&world);
        fault.into_iter().for_each(|fault| world.sandbox.script(fault));
        assert_eq!(others.authorization_header().unwrap_err().kind(), told);
        world.sandbox.script(unanswered());
        let mut context = Context::from_waker(Waker::noop());
        let mut caller = pin!(manager.as_async().authorization_header());
        assert!(caller.as_mut().poll(&mut context).is_pending());
        world.advance(22);
        until("it was asked for", || token_requests(&world) == before + 2);
        world.advance(38);
        let Poll::Ready(told) = caller.as_mut().poll(&mut context) else { panic!("a minute is enough") };
        assert_eq!(told.unwrap_err().kind(), own);
    }
}

/// Whoever logs out while another process has the lock waits for it, a minute and no more.
#[test]
fn m9_a_logout_waits_for_the_lock_and_goes_on_without_it_when_its_patience_ends() {
    for (given_back, patience, passed) in [(true, 60, 0), (false, 60, 31), (false, 5, 6)] {
        let world = World::new();
        let store = Arc::new(MemoryTokenStore::new());
        let builder = world.builder(user()).store(Arc::clone(&store)).patience(Duration::from_secs(patience));
        let manager: blocking::TokenManager = builder.build().unwrap().into();
        manager.authorization_header().unwrap();
        at_rest(&manager);
        let guard = store.try_guard(manager.as_async().slot()).unwrap();
        let leaving = manager.clone();
        let leaving = std::thread::spawn(move || leaving.logout());
        let waits = || matches!(manager.waiting(), Some(waiting) if matches!(waiting.cause, WaitCause::Lock(_)));
        until("it waits for the lock", waits);
        assert_eq!(world.sandbox.counters().logouts, 0);
        let guard = if given_back {
            drop(guard);
            None
        } else {
            world.advance(passed);
            guard
        };
        until("the service was told", || world.sandbox.counters().logouts == 1);
        leaving.join().unwrap().unwrap();
        assert!(manager.waiting().is_none());
        assert_eq!((world.sandbox.counters().logouts, world.sandbox.sessions().len()), (1, 0));
        drop(guard);
    }
}

#[test]
fn m6_a_login_with_a_given_refresh_token_is_one_renewal() {
    let world = World::new();
    let given = world.logged_in().tokens(Duration::ZERO).unwrap().refresh_token().unwrap().to_owned();
    let manager = world.manager(RefreshTokenAuth::new(given));
    manager.authorization_header().unwrap();
    let before = token_requests(&world);
    manager.force_login().unwrap();
    assert_eq!(token_requests(&world), before + 1);
}
