//! What the library says in the log, and what it never says there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cdse_auth::store::RecordStore;
use cdse_auth::{MemoryTokenStore, RefreshTokenAuth, WaitCause, blocking};
use support::{PASSWORD, World, at_rest, until, user};

/// The log of this process, which has one test for that reason.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target().starts_with("cdse_auth") {
            self.0.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn take() -> Vec<String> {
    std::mem::take(&mut LOG.0.lock().unwrap())
}

fn count(lines: &[String], said: &str) -> usize {
    lines.iter().filter(|line| line.contains(said)).count()
}

#[test]
fn m12_the_log_says_what_is_done_and_what_is_waited_for_and_no_secret() {
    log::set_logger(&LOG).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let world = World::new();
    let store = Arc::new(MemoryTokenStore::new());
    let manager: blocking::TokenManager = world.builder(user()).store(Arc::clone(&store)).build().unwrap().into();
    manager.authorization_header().unwrap();
    at_rest(&manager);
    let login = take();
    world.advance(700);
    manager.authorization_header().unwrap();
    at_rest(&manager);
    let renewal = take();
    let tokens = manager.tokens(Duration::ZERO).unwrap();
    let other = world.manager(RefreshTokenAuth::new(tokens.refresh_token().unwrap()));
    other.authorization_header().unwrap();
    at_rest(&other);
    let given = take();
    for (lines, said) in [
        (&login, "logs in"),
        (&renewal, "renews the session"),
        (&given, "opens the session of the given refresh token"),
    ] {
        assert_eq!(count(lines, said), 1, "{lines:?}");
    }

    // Another process has the lock for a while.
    let guard = store.try_guard(manager.as_async().slot()).unwrap();
    let leaving = manager.clone();
    let leaving = std::thread::spawn(move || leaving.logout());
    until(
        "it waits for the lock",
        || matches!(manager.waiting(), Some(waiting) if matches!(waiting.cause, WaitCause::Lock(_))),
    );
    for _ in 0..20 {
        world.time.advance(Duration::from_millis(100));
        std::thread::yield_now();
    }
    drop(guard);
    until("it has logged out", || {
        world.time.advance(Duration::from_millis(100));
        leaving.is_finished()
    });
    leaving.join().unwrap().unwrap();
    let logout = take();
    assert_eq!(
        count(&logout, "waits for another process, which holds the session's lock, at most 30 s"),
        1,
        "{logout:?}"
    );

    let all = [login, renewal, given, logout].concat();
    assert_eq!(count(&all, "waits for the identity service"), 0, "{all:?}");
    for secret in [PASSWORD, tokens.access_token(), tokens.refresh_token().unwrap()] {
        assert_eq!(count(&all, secret), 0, "{all:?}");
    }
}
