//! Every await point of every public future is where somebody may stop polling; the runtime may end, too. One-time refresh
//! tokens: what was rotated and not saved is a lost session.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use cdse_auth::{FileTokenStore, HeaderValue, StoredSession, TokenManager, TokenStore, blocking};
use cdse_sandbox::{Action, Endpoint, Fault, Rotation};
use support::{World, at_rest, until, user};

type Call = for<'a> fn(&'a TokenManager) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

macro_rules! call {
    (|$manager:ident| $call:expr) => {
        |$manager| {
            Box::pin(async move {
                let _ = $call;
            })
        }
    };
}

/// What may exchange tokens, and leaves a session.
const RENEWING: [(&str, Call); 10] = [
    ("authorization_header", call!(|manager| manager.authorization_header().await)),
    ("header_for", call!(|manager| manager.header_for(Duration::from_secs(590)).await)),
    ("tokens", call!(|manager| manager.tokens(Duration::ZERO).await)),
    ("force_refresh", call!(|manager| manager.force_refresh().await)),
    (
        "force_refresh_after",
        call!(|manager| {
            let refused = stored(manager).unwrap_or(HeaderValue::from_static("Bearer none"));
            manager.force_refresh_after(&refused).await
        }),
    ),
    ("login", call!(|manager| manager.login().await)),
    ("force_login", call!(|manager| manager.force_login().await)),
    ("sessions", call!(|manager| manager.sessions().await)),
    ("end_session", call!(|manager| manager.end_session("unknown").await)),
    ("verify", call!(|manager| manager.verify().await)),
];

/// What exchanges nothing.
const QUIET: [(&str, Call); 4] = [
    ("settle", call!(|manager| manager.settle().await)),
    ("shutdown", call!(|manager| manager.shutdown().await)),
    ("probe", call!(|manager| manager.probe().await)),
    ("changed", call!(|manager| manager.changed(u64::MAX).await)),
];

const ENDING: [(&str, Call); 2] =
    [("logout", call!(|manager| manager.logout().await)), ("clear", call!(|manager| manager.clear().await))];

fn stored(manager: &TokenManager) -> Option<HeaderValue> {
    let _ = manager.status();
    manager.fresh_header()
}

struct Scene {
    world: World,
    store: FileTokenStore,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let world = World::with(|config| config.rotation = Rotation::OneTime);
        let folder = tempfile::tempdir().unwrap();
        let store = FileTokenStore::new(folder.path().join("session.json"));
        Self { world, store, _folder: folder }
    }

    fn manager(&self) -> blocking::TokenManager {
        self.world.builder(user()).store(self.store.clone()).build().unwrap().into()
    }

    /// With a session whose token has ended.
    fn with_a_session() -> Self {
        let scene = Self::new();
        let manager = scene.manager();
        manager.login().unwrap();
        at_rest(&manager);
        scene.world.advance(700);
        scene.world.sandbox.clear_log();
        scene
    }

    fn delay_answers(&self) {
        self.world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(20))).always());
    }

    /// Who has nothing but what is stored can renew it; and nothing was sent twice.
    fn keeps_the_session(&self, what: &str) {
        self.world.sandbox.clear_faults();
        let slot = self.manager().as_async().slot().clone();
        let heir = self.world.builder(StoredSession::new(slot, None)).store(self.store.clone()).build().unwrap();
        let renewed = blocking::TokenManager::from(heir).force_refresh();
        let header = renewed.unwrap_or_else(|error| panic!("{what}: the session is lost: {error}"));
        assert!(self.world.accepts(&header), "{what}");
        let counters = self.world.sandbox.counters();
        assert_eq!((counters.reuse_detected, counters.sessions_open), (0, 1), "{what}");
    }
}

/// Wakes the thread of the test.
struct Woken(AtomicBool, std::thread::Thread);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
        self.1.unpark();
    }
}

/// Polls at most so many times, each time when it is woken, then drops it. Whether it was done before.
fn poll_and_drop(mut future: Pin<Box<dyn Future<Output = ()> + Send + '_>>, polls: usize) -> bool {
    let woken = Arc::new(Woken(AtomicBool::new(true), std::thread::current()));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    for _ in 0..polls {
        until("it is woken", || woken.0.swap(false, Ordering::SeqCst));
        if future.as_mut().poll(&mut context) == Poll::Ready(()) {
            return true;
        }
    }
    false
}

/// `polls` of every number until the future is done before that. Each time the scene is new.
fn cancel_at_each_poll(name: &str, least: usize, once: impl Fn(&str, usize) -> bool) {
    let mut polls = 0;
    while !once(&format!("{name} dropped after {polls} polls"), polls) {
        polls += 1;
        assert!(polls < 60, "{name} never ends");
    }
    assert!(polls >= least, "{name} was done after {polls} polls: it has not waited");
}

#[test]
fn m7_a_renewal_survives_at_each_await_point() {
    for (name, call) in RENEWING {
        // A session that lives is all that a login wants.
        let least = if name == "login" { 1 } else { 2 };
        cancel_at_each_poll(name, least, |what, polls| {
            let scene = Scene::with_a_session();
            scene.delay_answers();
            let manager = scene.manager();
            let done = poll_and_drop(call(manager.as_async()), polls);
            manager.settle().unwrap();
            scene.keeps_the_session(what);
            done
        });
    }
}

#[test]
fn m7_a_first_login_survives_at_each_await_point() {
    for (name, call) in RENEWING {
        cancel_at_each_poll(name, 2, |what, polls| {
            let scene = Scene::new();
            scene.delay_answers();
            let manager = scene.manager();
            let done = poll_and_drop(call(manager.as_async()), polls);
            manager.settle().unwrap();
            let counters = scene.world.sandbox.counters();
            assert!(counters.logins_ok <= 1, "{what}: {counters:?}");
            if counters.logins_ok == 1 {
                scene.keeps_the_session(what);
            } else {
                assert_eq!(counters.sessions_open, 0, "{what}");
            }
            done
        });
    }
}

#[test]
fn m7_what_waits_beside_a_renewal_may_be_dropped_at_each_await_point() {
    for (name, call) in QUIET {
        cancel_at_each_poll(name, 1, |what, polls| {
            let scene = Scene::with_a_session();
            scene.delay_answers();
            let manager = scene.manager();
            let renewal = poll_and_drop(Box::pin(async { drop(manager.as_async().force_refresh().await) }), 1);
            assert!(!renewal, "{what}: it is under way");
            let done = poll_and_drop(call(manager.as_async()), polls);
            manager.settle().unwrap();
            scene.keeps_the_session(what);
            done
        });
    }
}

#[test]
fn m9_a_logout_is_finished_at_each_await_point() {
    for (name, call) in ENDING {
        for renewing in [false, true] {
            cancel_at_each_poll(name, 1, |what, polls| {
                let scene = Scene::with_a_session();
                scene.delay_answers();
                let delay = Action::DelayAnswer(Duration::from_millis(20));
                scene.world.sandbox.script(Fault::new(Endpoint::Logout, delay));
                let manager = scene.manager();
                if renewing {
                    poll_and_drop(Box::pin(async { drop(manager.as_async().force_refresh().await) }), 1);
                }
                let cleared = scene.store.load().unwrap();
                let done = poll_and_drop(call(manager.as_async()), polls);
                if polls == 0 {
                    manager.settle().unwrap();
                    scene.keeps_the_session(what);
                    return done;
                }
                if name == "clear" {
                    // The renewal may have its turn after it, and obtains new tokens.
                    until("it is gone", || scene.store.load().unwrap() != cleared);
                    at_rest(&manager);
                    assert_ne!(scene.store.load().unwrap(), cleared, "{what}: a renewal has brought it back");
                } else {
                    until("it is gone", || scene.store.load().unwrap().is_none());
                    at_rest(&manager);
                    assert!(!manager.status().logged_in, "{what}");
                    assert_eq!(scene.store.load().unwrap(), None, "{what}: a renewal has brought it back");
                }
                let counters = scene.world.sandbox.counters();
                let open = u64::from(name == "clear");
                assert_eq!((counters.reuse_detected, counters.sessions_open), (0, open), "{what}");
                done
            });
        }
    }
}

#[test]
fn m7_the_runtime_that_began_it_may_end() {
    let runtimes = || {
        [
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
        ]
    };
    for (name, call) in RENEWING {
        for runtime in runtimes() {
            let scene = if name == "login" { Scene::new() } else { Scene::with_a_session() };
            let delay = Duration::from_millis(100);
            scene.world.sandbox.script(Fault::token(Action::DelayAnswer(delay)).always());
            let manager = scene.manager();
            let theirs = manager.as_async().clone();
            let begun = || scene.world.sandbox.counters().token_requests == 1;
            runtime.spawn(async move { call(&theirs).await });
            runtime.block_on(async {
                for _ in 0..20_000 {
                    if begun() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
            assert!(begun(), "{name} has not begun");
            runtime.shutdown_background();
            manager.settle().unwrap();
            scene.keeps_the_session(&format!("{name}, its runtime ended"));
        }
    }
}

/// All that is left of the program is the thread that renews.
#[test]
fn m7_every_handle_may_be_dropped() {
    let scene = Scene::with_a_session();
    scene.delay_answers();
    let before = scene.store.load().unwrap();
    let manager = scene.manager();
    poll_and_drop(Box::pin(async { drop(manager.as_async().authorization_header().await) }), 1);
    drop(manager);
    until("it is saved", || scene.store.load().unwrap() != before);
    until("nobody holds the guard", || scene.manager().force_refresh().is_ok());
    scene.keeps_the_session("every handle dropped");
}

/// Several tasks may poll one call, the one after the other, and it may be dropped at any time: nothing is kept of a waker
/// but the last one, and nothing of that either once the call is dropped.
#[test]
fn m7_what_was_told_to_wake_is_not_kept_for_ever() {
    struct Counted;
    impl Wake for Counted {
        fn wake(self: Arc<Self>) {}
    }
    let scene = Scene::with_a_session();
    scene.world.sandbox.script(Fault::token(Action::Stall { processed: false }));
    let manager = scene.manager();
    let wakers = [Arc::new(Counted), Arc::new(Counted)];
    let kept = || wakers.each_ref().map(|waker| Arc::strong_count(waker) - 1);
    let mut call = Box::pin(manager.as_async().force_refresh());
    for nth in 0..1000 {
        let waker = Waker::from(Arc::clone(&wakers[nth % 2]));
        assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let [first, second] = kept();
    assert!(first + second <= 4, "{first} and {second} of two wakers are kept");
    drop(call);
    assert_eq!(kept(), [0, 0], "nobody waits any more");
}
