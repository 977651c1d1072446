//! The shipping code of the library under every interleaving of some threads, up to a bound on preemptions.
//!
//! What is not varied: the clock stands still unless a scenario moves it, and the service is the tests' own.
//! `CDSE_MODEL_PREEMPTIONS` is the bound (unless said 1, and 2 for the way to a fresh header).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a surprise ends the test, and the bound is printed"
)]

mod bounded;
mod service;

use std::sync::Arc;
use std::time::Duration;

use bounded::{begin, end};
use cdse_model::{
    AuthProvider, ErrorKind, HeaderValue, ManualClock, MemoryTokenStore, PasswordAuth, Random, Result, StoredSession,
    TokenManager, TokenManagerBuilder,
};
use service::Service;
use shuttle::future::block_on;
use shuttle::thread::spawn;

fn check(name: &str, scenario: impl Fn() + Send + Sync + 'static) {
    check_up_to(1, name, scenario);
}

fn check_up_to(preemptions: usize, name: &str, scenario: impl Fn() + Send + Sync + 'static) {
    let said = std::env::var("CDSE_MODEL_PREEMPTIONS").map(|text| text.parse().expect("a number"));
    bounded::every_interleaving(name, said.unwrap_or(preemptions), scenario);
}

struct World {
    time: ManualClock,
    service: Arc<Service>,
    store: MemoryTokenStore,
}

impl World {
    fn new() -> Self {
        Self { time: ManualClock::at(1_800_000_000), service: Service::start(), store: MemoryTokenStore::new() }
    }

    /// Another manager of the same slot is what another process would be.
    fn manager(&self) -> TokenManager {
        self.builder(PasswordAuth::new("user@example.com", "s3cret!")).build().unwrap()
    }

    fn builder(&self, provider: impl AuthProvider + 'static) -> TokenManagerBuilder {
        TokenManager::builder(provider)
            .realm_url("http://127.0.0.1:1/realms/CDSE")
            .store(self.store.clone())
            .clock(self.time.clock())
            .random(Random::seeded(7))
    }

    fn logged_in(&self) -> TokenManager {
        let manager = self.manager();
        block_on(manager.login()).unwrap();
        manager
    }

    fn advance(&self, seconds: u64) {
        self.time.advance(Duration::from_secs(seconds));
    }

    /// No token was sent twice, no two requests were under way, and what is stored can be renewed.
    fn is_sound(&self) {
        let renewed = block_on(self.manager().force_refresh()).expect("what is stored works");
        let state = self.service.state();
        assert_eq!((state.reused, state.most_at_once, state.sessions.len()), (0, 1, 1), "{state:?}");
        assert_eq!(renewed, format!("Bearer a.0.{}", state.refreshes + 1).as_str());
    }

    /// Nobody has a session any more.
    fn is_empty(&self) {
        let header = block_on(self.stored().authorization_header());
        assert_eq!(header.unwrap_err().kind(), ErrorKind::ReauthRequired);
        assert_eq!((self.service.open_sessions(), self.service.state().reused), (0, 0), "{:?}", self.service.state());
    }

    /// A manager that can do nothing but renew what is stored.
    fn stored(&self) -> TokenManager {
        self.builder(StoredSession::new(self.manager().slot().clone(), None)).build().unwrap()
    }
}

/// Runs things side by side, each on a thread; what renews is one more, and so is what logs out.
fn side_by_side<A: Send + 'static, B: Send + 'static, C>(
    first: impl FnOnce() -> A + Send + 'static,
    second: impl FnOnce() -> B + Send + 'static,
    third: impl FnOnce() -> C,
) -> (A, B, C) {
    begin();
    let (first, second) = (spawn(first), spawn(second));
    let third = third();
    let done = (first.join().unwrap(), second.join().unwrap(), third);
    end();
    done
}

fn header(manager: &TokenManager) -> impl FnOnce() -> Result<HeaderValue> + Send + 'static {
    let manager = manager.clone();
    move || block_on(manager.authorization_header())
}

fn refused(manager: &TokenManager, token: &'static str) -> impl FnOnce() -> Result<HeaderValue> + Send + 'static {
    let manager = manager.clone();
    move || block_on(manager.force_refresh_after(&HeaderValue::from_static(token)))
}

/// The number of the access token within the first session.
fn number(header: &HeaderValue) -> u32 {
    header.to_str().unwrap().strip_prefix("Bearer a.0.").expect("a token of the session").parse().unwrap()
}

// ---- the single-flight gate ----

#[test]
fn m3_any_number_of_callers_cause_one_exchange() {
    check("m3, one manager", || {
        let world = World::new();
        let manager = world.logged_in();
        world.advance(700);
        let (a, b, c) = side_by_side(header(&manager), header(&manager), header(&manager));
        assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], ["Bearer a.0.2"; 3]);
        assert_eq!(world.service.state().refreshes, 1);
        world.is_sound();
    });
}

/// The second look, under the guard, is what makes it one.
#[test]
fn m3_processes_share_one_exchange() {
    check("m3, two managers", || {
        let world = World::new();
        let (here, there) = (world.logged_in(), world.manager());
        world.advance(700);
        let (a, b, c) = side_by_side(header(&there), header(&here), header(&here));
        assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], ["Bearer a.0.2"; 3]);
        assert_eq!(world.service.state().refreshes, 1);
        world.is_sound();
    });
}

#[test]
fn m3_a_failure_serves_every_waiter() {
    check("m3, an outage", || {
        let world = World::new();
        let manager = world.builder(PasswordAuth::new("user@example.com", "s3cret!"));
        let manager = manager.patience(Duration::from_millis(500)).build().unwrap();
        world.service.fail(u32::MAX);
        let (a, b, c) = side_by_side(header(&manager), header(&manager), header(&manager));
        for failed in [a, b, c] {
            assert_eq!(failed.unwrap_err().kind(), ErrorKind::ServiceUnavailable);
        }
        assert_eq!(world.service.state().asked, 1);
    });
}

// ---- invalidation ----

#[test]
fn m4_all_who_name_one_refused_token_share_one_renewal() {
    check("m4, one refused token", || {
        let world = World::new();
        let manager = world.logged_in();
        world.advance(100);
        let (a, b, c) =
            side_by_side(refused(&manager, "Bearer a.0.1"), refused(&manager, "Bearer a.0.1"), header(&manager));
        assert_eq!([a.unwrap(), b.unwrap()], ["Bearer a.0.2"; 2]);
        // Nobody has told this one that the first token is refused.
        assert!(number(&c.unwrap()) <= 2);
        assert_eq!(world.service.state().refreshes, 1);
        world.is_sound();
    });
}

/// What is compared with the token that was refused is the one that is there now.
#[test]
fn m4_a_token_that_was_replaced_already_is_no_reason_to_renew() {
    check("m4, two managers", || {
        let world = World::new();
        let (here, there) = (world.logged_in(), world.manager());
        world.advance(100);
        block_on(there.authorization_header()).unwrap();
        let (a, b, c) = side_by_side(
            refused(&here, "Bearer a.0.1"),
            refused(&there, "Bearer a.0.1"),
            refused(&here, "Bearer a.0.1"),
        );
        assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], ["Bearer a.0.2"; 3]);
        assert_eq!(world.service.state().refreshes, 1);
        world.is_sound();
    });
}

// ---- several wants ----

fn renewed(manager: &TokenManager) -> impl FnOnce() -> Result<HeaderValue> + Send + 'static {
    let manager = manager.clone();
    move || block_on(manager.force_refresh())
}

fn valid(manager: &TokenManager, seconds: u64) -> impl FnOnce() -> Result<HeaderValue> + Send + 'static {
    let manager = manager.clone();
    move || block_on(manager.header_for(Duration::from_secs(seconds)))
}

/// What one of them has announced is no verdict for the others.
#[test]
fn w_processes_that_want_another_token_at_once_all_get_one() {
    check("w, two managers", || {
        let world = World::new();
        let (here, there) = (world.logged_in(), world.manager());
        world.advance(100);
        let (a, b, ()) = side_by_side(renewed(&here), renewed(&there), || ());
        for header in [a, b] {
            assert!(number(&header.unwrap()) >= 2);
        }
        assert!((1..=2).contains(&world.service.state().refreshes));
        world.is_sound();
    });
}

#[test]
fn w_tasks_that_want_different_things_share_a_flight() {
    check("w, one manager", || {
        let world = World::new();
        let manager = world.logged_in();
        world.advance(100);
        let (a, b, ()) = side_by_side(refused(&manager, "Bearer a.0.1"), valid(&manager, 550), || ());
        for header in [a, b] {
            assert!(number(&header.unwrap()) >= 2);
        }
        world.is_sound();
    });
}

// ---- logout and clear against a renewal in flight ----

#[test]
fn m9_a_logout_wins_over_a_renewal_in_flight() {
    check("m9, logout", || {
        let world = World::new();
        let manager = world.logged_in();
        world.advance(700);
        let (theirs, after) = (manager.clone(), manager.clone());
        let leaves = move || {
            block_on(theirs.logout()).unwrap();
            assert!(after.fresh_header().is_none(), "the fast path serves what was logged out");
        };
        let (_, (), ()) = side_by_side(header(&manager), leaves, || ());
        assert_eq!(block_on(manager.authorization_header()).unwrap_err().kind(), ErrorKind::ReauthRequired);
        assert!(manager.fresh_header().is_none());
        world.is_empty();
    });
}

#[test]
fn m9_after_clearing_new_tokens_are_obtained_and_one_session_is_left() {
    check("m9, clear", || {
        let world = World::new();
        let manager = world.logged_in();
        world.advance(700);
        let theirs = manager.clone();
        let (_, cleared, ()) = side_by_side(header(&manager), move || block_on(theirs.clear()), || ());
        cleared.unwrap();
        let header = block_on(manager.authorization_header()).unwrap();
        assert!(header.to_str().unwrap().starts_with("Bearer a.1."), "the first session was cleared: {header:?}");
        block_on(manager.settle()).unwrap();
        assert_eq!((world.service.open_sessions(), world.service.state().reused), (1, 0));
    });
}

#[test]
fn m9_whoever_waited_for_the_exchange_before_a_clear_is_served() {
    check("m9, clear and a login", || {
        let world = World::new();
        let manager = world.manager();
        let theirs = manager.clone();
        let (header, cleared, ()) = side_by_side(header(&manager), move || block_on(theirs.clear()), || ());
        cleared.unwrap();
        assert_eq!(header.unwrap(), "Bearer a.0.1");
        assert_eq!(world.service.state().asked, 1, "the caller has what it waited for");
    });
}

#[test]
fn m9_a_logout_wins_over_a_login_in_flight() {
    check("m9, login", || {
        let world = World::new();
        let manager = world.manager();
        let theirs = manager.clone();
        let (_, left, ()) = side_by_side(header(&manager), move || block_on(theirs.logout()), || ());
        left.unwrap();
        assert!(manager.fresh_header().is_none());
        world.is_empty();
    });
}

#[test]
fn m9_a_logout_elsewhere_is_not_undone() {
    check("m9, two managers", || {
        let world = World::new();
        let (here, there) = (world.logged_in(), world.stored());
        world.advance(700);
        let theirs = here.clone();
        let (_, left, ()) = side_by_side(header(&there), move || block_on(theirs.logout()), || ());
        left.unwrap();
        world.is_empty();
    });
}

// ---- the fast path ----

/// Whoever has seen a new token never sees the old one again.
#[test]
fn m1_a_new_token_is_seen_by_all_from_then_on() {
    // A publication is two steps, and a reader may be stopped between each two of them.
    check_up_to(2, "m1, publication", || {
        let world = World::new();
        let manager = world.logged_in();
        world.advance(100);
        let reader = || {
            let manager = manager.clone();
            move || {
                let seen: Vec<u32> = (0..3).filter_map(|_| manager.fresh_header()).map(|h| number(&h)).collect();
                assert_eq!(seen.len(), 3, "a fresh token was not there for a moment");
                assert!(seen.is_sorted(), "{seen:?}");
            }
        };
        let renews = manager.clone();
        let renewal = move || {
            let new = block_on(renews.force_refresh()).unwrap();
            assert_eq!(renews.fresh_header().unwrap(), new, "it is published before its caller has it");
        };
        let ((), (), ()) = side_by_side(renewal, reader(), reader());
        world.is_sound();
    });
}

// ---- cancellation ----

/// Each poll may be the last: the renewal that was begun is saved all the same.
#[test]
fn m7_a_caller_that_leaves_loses_nothing() {
    for polls in 0..3 {
        check(&format!("m7, left after {polls} polls"), move || {
            let world = World::new();
            let manager = world.logged_in();
            world.advance(700);
            let leaves = || {
                let manager = manager.clone();
                move || {
                    let mut call = std::pin::pin!(manager.force_refresh());
                    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                    let _ = (0..polls).any(|_| call.as_mut().poll(&mut context).is_ready());
                }
            };
            let ((), header, ()) = side_by_side(leaves(), header(&manager), || ());
            drop(header.unwrap());
            block_on(manager.settle()).unwrap();
            world.is_sound();
        });
    }
}
