//! M10: clocks that are set, and machines that sleep, while the service's own clock goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cdse_auth::store::RecordStore;
use cdse_auth::{ErrorKind, FileTokenStore, ManualClock, PasswordAuth, TotpSecret, WaitCause, blocking};
use cdse_sandbox::Rotation;
use support::{MFA, PASSWORD, TOTP_SECRET, World, at_rest, user};

/// The service's time is true; the client's is `world.time`.
struct Worlds {
    world: World,
    truth: ManualClock,
}

impl Worlds {
    fn new() -> Self {
        let truth = ManualClock::at(1_800_000_000);
        let theirs = truth.clone();
        let world = World::with(|config| {
            config.rotation = Rotation::OneTime;
            config.lifetimes.max = Duration::from_secs(10_000_000);
            config.clock = cdse_sandbox::Clock::new(move || theirs.wall());
        });
        Self { world, truth }
    }

    fn pass(&self, seconds: u64) {
        self.truth.advance(Duration::from_secs(seconds));
        self.world.advance(seconds);
    }

    fn sleep(&self, seconds: u64) {
        self.truth.advance(Duration::from_secs(seconds));
        self.world.time.suspend(Duration::from_secs(seconds));
    }
}

/// What happens to the clocks, over and over; `below` is chance.
fn history(seed: u64, restarts: bool, event: impl Fn(&Worlds, &mut dyn FnMut(u64) -> u64)) {
    let worlds = Worlds::new();
    let folder = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(folder.path().join("session.json"));
    let start =
        || -> blocking::TokenManager { worlds.world.builder(user()).store(store.clone()).build().unwrap().into() };
    let mut manager = start();
    // A linear congruential generator (Knuth) is chance enough.
    let mut chance = seed;
    let mut below = |end: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % end
    };
    let steps = 40;
    for step in 0..steps {
        event(&worlds, &mut below);
        if restarts && below(4) == 0 {
            manager = start();
        }
        let header = manager.authorization_header().unwrap_or_else(|error| panic!("{seed} {step}: {error}"));
        assert!(worlds.world.accepts(&header), "{seed} {step}: a dead token was served");
        at_rest(&manager);
    }
    let counters = worlds.world.sandbox.counters();
    // No event is a reason for more than a renewal for the caller and one behind its back, or for another session.
    assert!(counters.token_requests <= 2 * steps, "{seed}: {counters:?}");
    assert_eq!((counters.reuse_detected, counters.login_failures), (0, 0), "{seed}");
}

#[test]
fn m10_a_machine_that_sleeps_and_is_restarted_never_gets_a_dead_token() {
    for seed in 1..=6 {
        history(seed, true, |worlds, below| match below(3) {
            0 => worlds.sleep(1 + below(4000)),
            1 => worlds.world.time.set_wall(below(3000).cast_signed()),
            _ => worlds.pass(1 + below(700)),
        });
    }
}

#[test]
fn m10_a_clock_that_is_set_back_and_forward_never_gives_a_dead_token() {
    for seed in 1..=6 {
        history(seed, false, |worlds, below| match below(3) {
            0 => worlds.world.time.set_wall(-below(90_000).cast_signed()),
            1 => worlds.world.time.set_wall(below(90_000).cast_signed()),
            _ => worlds.pass(1 + below(700)),
        });
    }
}

/// Found by this: the digits were timed by a clock that stands while the machine sleeps.
#[test]
fn p2_a_given_code_ages_while_the_machine_sleeps() {
    for (slept, sent) in [(50, 1), (70, 0)] {
        let worlds = Worlds::new();
        let code = worlds.world.sandbox.totp_code(MFA).unwrap();
        let manager = worlds.world.manager(PasswordAuth::new(MFA, PASSWORD).with_code(code));
        worlds.sleep(slept);
        let result = manager.login();
        let counters = worlds.world.sandbox.counters();
        assert_eq!(counters.token_requests, sent, "{slept} s asleep: {result:?}");
        assert!(sent == 1 || result.unwrap_err().kind() == ErrorKind::ReauthRequired);
    }
}

/// A code that somebody was asked for, while another process has the lock and the machine sleeps.
#[test]
fn p2_a_code_that_was_asked_for_ages_while_the_machine_sleeps() {
    let worlds = Arc::new(Worlds::new());
    let folder = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(folder.path().join("session.json"));
    let asked = Arc::new(AtomicUsize::new(0));
    let (counter, theirs) = (Arc::clone(&asked), Arc::clone(&worlds));
    let provider = PasswordAuth::new(MFA, PASSWORD).with_code_from(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(theirs.world.sandbox.totp_code(MFA).unwrap().into())
    });
    let manager: blocking::TokenManager = worlds.world.builder(provider).store(store.clone()).build().unwrap().into();
    let guard = store.try_guard(manager.as_async().slot()).unwrap().unwrap();
    let waiting = manager.clone();
    let login = std::thread::spawn(move || manager.login());
    support::until(
        "somebody was asked, and it waits for the lock",
        || matches!(waiting.waiting(), Some(waiting) if matches!(waiting.cause, WaitCause::Lock(_))),
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    worlds.sleep(120);
    drop(guard);
    login.join().unwrap().unwrap();
    let counters = worlds.world.sandbox.counters();
    assert_eq!((counters.logins_ok, counters.login_failures), (1, 0));
    assert_eq!(asked.load(Ordering::SeqCst), 2, "the code of before the sleep is not used");
}

#[test]
fn m10_a_generated_code_step_from_a_clock_that_was_ahead_does_not_block_logins() {
    let worlds = Worlds::new();
    let secret = TotpSecret::new(TOTP_SECRET).unwrap();
    worlds.world.time.set_wall(7200);
    let manager = worlds.world.manager(PasswordAuth::new(MFA, PASSWORD).with_totp_secret(secret));
    // Two hours ahead its codes are wrong.
    manager.login().unwrap_err();
    worlds.world.time.set_wall(-7200);
    worlds.pass(61);
    manager.login().unwrap();
}
