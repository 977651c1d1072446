//! What happens in between: logouts that overtake logins, clocks that jump while somebody waits, files that are put back,
//! stores that fail in the wrong moment.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread::spawn;
use std::time::Duration;

use cdse_auth::store::FileOperation;
use cdse_auth::{
    ErrorKind, FileTokenStore, Login, PasswordAuth, StoredSession, TokenSet, TokenStore, TotpSecret, blocking,
};
use cdse_sandbox::{Action, Config, Endpoint, Fault, Grant, Rotation, Sandbox};
use support::{MFA, PASSWORD, TOTP_SECRET, USER, World, at_rest, until, user};

const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn store(&self) -> FileTokenStore {
        FileTokenStore::new(self.0.path().join("sessions").join("session.json"))
    }

    fn manager(&self, world: &World) -> blocking::TokenManager {
        world.builder(user()).store(self.store()).build().unwrap().into()
    }
}

fn answer(status: u16, retry_after: &str) -> Action {
    Action::Answer { status, headers: vec![("retry-after".to_owned(), retry_after.to_owned())], body: Vec::new() }
}

fn slow() -> Action {
    // Long enough for a busy machine to come in between.
    Action::DelayAnswer(Duration::from_millis(300))
}

// ---- codes ----

#[test]
fn p2_a_source_that_repeats_a_used_code_is_asked_again_and_not_in_a_loop() {
    let world = World::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let (counter, codes) = (Arc::clone(&asked), Arc::new(std::sync::Mutex::new(world.sandbox.totp_code(MFA).unwrap())));
    let theirs = Arc::clone(&codes);
    let provider = PasswordAuth::new(MFA, PASSWORD).with_code_from(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(theirs.lock().unwrap().as_str().into())
    });
    let manager = world.manager(provider);
    manager.login().unwrap();
    let again = manager.clone();
    let login = spawn(move || again.force_login());
    until("it has asked and waits", || asked.load(Ordering::SeqCst) == 2);
    world.advance(30);
    *codes.lock().unwrap() = world.sandbox.totp_code(MFA).unwrap();
    until("it has asked again", || {
        if world.sandbox.counters().password_grants < 2 {
            world.time.advance(Duration::from_millis(20));
        }
        login.is_finished()
    });
    login.join().unwrap().unwrap();
    assert!(asked.load(Ordering::SeqCst) <= 6, "asked {} times", asked.load(Ordering::SeqCst));
    assert_eq!((world.sandbox.counters().logins_ok, world.sandbox.counters().totp_reused), (2, 0));

    let again = manager.clone();
    let before = asked.load(Ordering::SeqCst);
    let login = spawn(move || again.force_login());
    until("it has asked twice", || {
        world.time.advance(Duration::from_millis(100));
        asked.load(Ordering::SeqCst) == before + 2
    });
    until("its patience ends", || {
        world.advance(1);
        login.is_finished()
    });
    assert_eq!(login.join().unwrap().unwrap_err().kind(), ErrorKind::ReauthRequired);
    assert_eq!(world.sandbox.counters().password_grants, 2, "a used code was sent");
}

#[test]
fn p2_one_refusal_of_a_generated_code_is_forgiven_and_the_next_one_counts() {
    let world = World::new();
    let secret = TotpSecret::new(TOTP_SECRET).unwrap();
    let provider = PasswordAuth::new(MFA, PASSWORD).with_totp_secret(secret);
    let manager: blocking::TokenManager =
        world.builder(provider).patience(Duration::from_secs(1)).build().unwrap().into();
    manager.authorization_header().unwrap();
    at_rest(&manager);
    world.sandbox.set_password(MFA, "changed");
    world.sandbox.restart();
    for _ in 0..5 {
        world.advance(700);
        manager.authorization_header().unwrap_err();
        at_rest(&manager);
        world.advance(30);
        manager.authorization_header().unwrap_err();
        at_rest(&manager);
        for _ in 0..3 {
            manager.authorization_header().unwrap_err();
            at_rest(&manager);
        }
    }
    // The first is forgiven, and each later one is a strike: 1, 5, 15 and 60 minutes.
    let failures = world.sandbox.counters().login_failures;
    assert!(failures <= 6, "{failures} wrong logins");
}

#[test]
fn e5_a_login_with_a_given_code_that_was_not_worked_on_says_so() {
    let world = World::new();
    world.sandbox.script(Fault::token(Action::page(503)));
    let manager = world.manager(PasswordAuth::new(MFA, PASSWORD).with_code(world.sandbox.totp_code(MFA).unwrap()));
    let error = manager.login().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ServiceUnavailable, "{error}");
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

// ---- the exchange ----

#[test]
fn e4_a_refused_connection_is_unsent() {
    let world = World::new();
    let gone = Sandbox::start(Config::default()).unwrap();
    let (realm, port) = (gone.realm_url(), gone.address().port());
    drop(gone);
    let manager: blocking::TokenManager = world.builder(user()).realm_url(&realm).build().unwrap().into();
    let login = {
        let manager = manager.clone();
        spawn(move || manager.authorization_header())
    };
    until("it was tried", || manager.status().hold.is_some());
    let (_, error) = manager.status().hold.unwrap();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("could not be reached"), "{error}");
    let time = world.time.clone();
    let back = Config { port, clock: cdse_sandbox::Clock::new(move || time.wall()), ..Config::default() };
    let back = Sandbox::start(back).unwrap();
    world.advance(5);
    login.join().unwrap().unwrap();
    assert_eq!(back.counters().password_grants, 1);
}

#[test]
fn e1_an_answer_that_does_not_come_is_not_waited_for_longer_than_said() {
    let world = World::new();
    world.sandbox.script(Fault::token(Action::Stall { processed: false }));
    let transport =
        cdse_auth::TransportConfig::new().with_proxy(cdse_auth::Proxy::None).with_timeout(Duration::from_millis(100));
    let manager: blocking::TokenManager = world.builder(user()).transport(transport).build().unwrap().into();
    let error = manager.login().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("in time"), "{error}");
}

#[test]
fn e1_cookies_are_not_kept() {
    let world = World::new();
    let manager = world.logged_in();
    world.sandbox.script(Fault::token(Action::Answer {
        status: 503,
        headers: vec![
            ("set-cookie".to_owned(), "SERVERID=a; path=/".to_owned()),
            ("retry-after".to_owned(), "1".to_owned()),
        ],
        body: Vec::new(),
    }));
    world.advance(700);
    let theirs = manager.clone();
    let caller = spawn(move || theirs.authorization_header());
    until("it was refused", || manager.status().hold.is_some());
    world.advance(5);
    caller.join().unwrap().unwrap();
    assert_eq!(world.sandbox.requests().len(), 3);
    assert!(world.sandbox.requests().iter().all(|request| !request.cookie));
}

// ---- logouts ----

#[test]
fn m9_a_logout_that_overtakes_a_login_ends_what_was_opened_and_what_was_there() {
    let world = World::new();
    let manager = world.logged_in();
    world.sandbox.script(Fault::token(slow()));
    let theirs = manager.clone();
    let login = spawn(move || theirs.force_login());
    until("the login was processed", || world.sandbox.counters().logins_ok == 2);
    manager.logout().unwrap();
    assert_eq!(login.join().unwrap().unwrap_err().kind(), ErrorKind::ReauthRequired);
    manager.settle().unwrap();
    assert_eq!(world.sandbox.counters().sessions_open, 0);
}

#[test]
fn m9_a_logout_that_overtakes_a_failing_login_ends_what_was_there() {
    let world = World::new();
    let manager = world.logged_in();
    world.sandbox.set_password(USER, "changed");
    world.sandbox.script(Fault::token(slow()));
    let theirs = manager.clone();
    let login = spawn(move || theirs.force_login());
    until("the login was refused", || world.sandbox.counters().login_failures == 1);
    manager.logout().unwrap();
    login.join().unwrap().unwrap_err();
    assert_eq!(world.sandbox.counters().sessions_open, 0);
}

#[test]
fn m9_a_logout_that_overtakes_a_renewal_ends_the_session() {
    let world = World::with(|config| config.rotation = Rotation::OneTime);
    let manager = world.logged_in();
    world.sandbox.script(Fault::token(slow()));
    let theirs = manager.clone();
    let renewal = spawn(move || theirs.force_refresh());
    until("it was renewed", || world.sandbox.counters().refreshes_ok == 1);
    manager.logout().unwrap();
    renewal.join().unwrap().unwrap_err();
    assert_eq!((world.sandbox.counters().sessions_open, world.sandbox.counters().reuse_detected), (0, 0));
}

#[test]
fn m9_clearing_ends_nothing_at_the_service() {
    let world = World::new();
    let manager = world.logged_in();
    manager.clear().unwrap();
    assert_eq!((world.sandbox.counters().logouts, world.sandbox.counters().sessions_open), (0, 1));
}

#[test]
fn m9_a_login_after_a_logout_elsewhere_is_a_login() {
    let (world, files) = (World::new(), Files::new());
    let (here, there) = (files.manager(&world), files.manager(&world));
    here.login().unwrap();
    there.logout().unwrap();
    assert_eq!(here.login().unwrap(), Login::Opened);
    assert!(world.accepts(&here.authorization_header().unwrap()));
}

#[test]
fn m11_only_the_services_own_yes_is_a_logout() {
    let page = |status| Action::Answer {
        status,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: b"<html>You are logged out</html>".to_vec(),
    };
    let unknown = serde_json::json!({"error": "invalid_grant", "error_description": "Invalid refresh token"});
    for action in [page(200), page(302), page(404), Action::json(400, &unknown), answer(503, "1")] {
        let world = World::new();
        let manager = world.logged_in();
        world.sandbox.script(Fault::new(Endpoint::Logout, action));
        let error = manager.logout().unwrap_err();
        assert!(error.to_string().contains("may still be open"), "{error}");
        assert_eq!(world.sandbox.counters().sessions_open, 1);
    }
}

// ---- waiting ----

#[test]
fn m3_a_caller_leaves_as_soon_as_there_is_a_token() {
    let world = World::new();
    let manager = world.logged_in();
    world.advance(700);
    world.sandbox.script(Fault::new(Endpoint::Logout, Action::Stall { processed: false }));
    world.sandbox.script(Fault::token(slow()));
    let theirs = manager.clone();
    let login = spawn(move || theirs.force_login());
    until("the login is under way", || world.sandbox.counters().token_requests == 2);
    manager.authorization_header().unwrap();
    assert!(!login.is_finished(), "the old session's end, which takes five seconds, was waited for");
    login.join().unwrap().unwrap();
}

#[test]
fn m4_renewals_that_are_wanted_at_once_are_one() {
    let world = World::new();
    let manager = world.logged_in();
    world.sandbox.clear_log();
    world.sandbox.script(Fault::token(slow()));
    let first = {
        let manager = manager.clone();
        spawn(move || manager.force_refresh().unwrap())
    };
    until("one is under way", || manager.status().renewing);
    let others: Vec<_> = (0..8)
        .map(|_| {
            let manager = manager.clone();
            spawn(move || manager.force_refresh().unwrap())
        })
        .collect();
    first.join().unwrap();
    others.into_iter().for_each(|other| drop(other.join().unwrap()));
    // One that had begun before a call does not count for it; those who came later share the next one.
    assert!(world.sandbox.counters().token_requests <= 2, "{:?}", world.sandbox.counters());
}

#[test]
fn m5_what_kept_a_new_session_from_opening_does_not_keep_the_old_one_from_being_renewed() {
    let world = World::new();
    let manager = world.logged_in();
    world.sandbox.set_password(USER, "changed");
    world.advance(700);
    world.sandbox.script(Fault::token(slow()).grant(Grant::Password));
    let theirs = manager.clone();
    let login = spawn(move || theirs.force_login());
    until("the login is under way", || world.sandbox.counters().password_grants == 2);
    manager.authorization_header().expect("the session lives");
    assert_eq!(login.join().unwrap().unwrap_err().kind(), ErrorKind::CredentialsRefused);
}

/// The login's caller is back only after the renewal that followed has ended as well.
#[test]
fn m5_a_login_that_failed_is_not_tried_again_for_a_caller_that_is_back_late() {
    let world = World::new();
    let theirs = world.builder(user()).build().unwrap();
    let manager = blocking::TokenManager::from(theirs.clone());
    manager.login().unwrap();
    world.sandbox.set_password(USER, "changed");
    world.advance(700);
    let mut context = Context::from_waker(Waker::noop());
    let mut login = Box::pin(theirs.force_login());
    assert!(login.as_mut().poll(&mut context).is_pending());
    until("the login was refused", || manager.status().last_error.is_some());
    manager.authorization_header().expect("the session lives");
    at_rest(&manager);
    let Poll::Ready(result) = login.as_mut().poll(&mut context) else { panic!("it waits to be refused once more") };
    assert_eq!(result.unwrap_err().kind(), ErrorKind::CredentialsRefused);
    assert_eq!(world.sandbox.counters().password_grants, 2);
}

#[test]
fn m5_a_login_that_joins_a_waiting_renewal_fails_alone() {
    let world = World::new();
    let manager = world.logged_in();
    world.sandbox.script(Fault::token(answer(503, "20")));
    world.advance(700);
    let theirs = manager.clone();
    let renewal = spawn(move || theirs.authorization_header());
    until("it waits", || manager.status().hold.is_some());
    world.sandbox.set_password(USER, "changed");
    // The login is said after the hold began.
    world.advance(1);
    let theirs = manager.clone();
    let login = spawn(move || theirs.force_login());
    until("the login was refused", || login.is_finished());
    assert_eq!(login.join().unwrap().unwrap_err().kind(), ErrorKind::CredentialsRefused);
    until("the service is asked again", || {
        world.advance(1);
        renewal.is_finished()
    });
    renewal.join().unwrap().expect("the session lives");
    assert_eq!(world.sandbox.counters().password_grants, 2);
}

#[test]
fn m7_shutdown_waits_for_a_running_exchange() {
    let (world, files) = (World::with(|config| config.rotation = Rotation::OneTime), Files::new());
    let manager = files.manager(&world);
    manager.login().unwrap();
    let before = files.store().load().unwrap().unwrap();
    world.sandbox.script(Fault::token(slow()));
    let theirs = manager.clone();
    let renewal = spawn(move || theirs.force_refresh());
    until("it was renewed", || world.sandbox.counters().refreshes_ok == 1);
    manager.shutdown().unwrap();
    drop(renewal.join().unwrap());
    let after = files.store().load().unwrap().unwrap();
    assert_ne!(after.refresh_token(), before.refresh_token());
}

// ---- clocks ----

#[test]
fn m10_a_clock_that_is_set_back_during_a_wait_does_not_lengthen_it() {
    let world = World::new();
    let manager = world.logged_in();
    world.sandbox.script(Fault::token(answer(503, "20")));
    world.advance(700);
    let theirs = manager.clone();
    let caller = spawn(move || theirs.authorization_header());
    until("it waits", || manager.status().hold.is_some());
    world.time.set_wall(-7200);
    world.advance(25);
    caller.join().unwrap().expect("a token after twenty seconds");
    assert_eq!(world.sandbox.counters().faults_met, 1);
}

#[test]
fn m14_a_clock_that_is_set_back_does_not_stop_keep_alive() {
    let world = World::new();
    let manager: blocking::TokenManager = world.builder(user()).keep_alive(true).build().unwrap().into();
    until("it logs in by itself", || manager.status().state == cdse_auth::SessionState::Fresh);
    world.time.set_wall(-7200);
    until("it renews", || {
        world.advance(10);
        world.sandbox.counters().refreshes_ok >= 1
    });
}

// ---- stores ----

#[test]
fn s2_an_older_file_that_is_put_back_is_replaced() {
    let (world, files) = (World::with(|config| config.rotation = Rotation::OneTime), Files::new());
    let manager = files.manager(&world);
    manager.login().unwrap();
    at_rest(&manager);
    let old = std::fs::read(files.store().path()).unwrap();
    manager.force_refresh().unwrap();
    at_rest(&manager);
    std::fs::write(files.store().path(), &old).unwrap();
    world.advance(700);
    let header = manager.authorization_header().unwrap();
    at_rest(&manager);
    assert!(world.accepts(&header));
    let counters = world.sandbox.counters();
    assert_eq!((counters.refreshes_ok, counters.reuse_detected, counters.logins_ok), (2, 0, 1));
    assert_eq!(files.store().load().unwrap().unwrap().authorization_header(), header, "and is stored");
}

#[test]
fn s2_a_file_that_was_saved_without_a_slot_belongs_to_who_uses_it_first() {
    let (world, files) = (World::new(), Files::new());
    files.store().save(&TokenSet::new("t", Duration::from_secs(1)).unwrap()).unwrap();
    let manager = files.manager(&world);
    manager.login().unwrap();
    at_rest(&manager);
    let other = PasswordAuth::new("else@example.com", PASSWORD);
    let other: blocking::TokenManager = world.builder(other).store(files.store()).build().unwrap().into();
    assert_eq!(other.authorization_header().unwrap_err().kind(), ErrorKind::StoreUnsafe);
}

/// A manager whose login the store did not take.
fn with_an_unstored_login(world: &World, store: &FileTokenStore) -> blocking::TokenManager {
    let manager: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
    world.sandbox.script(Fault::token(slow()));
    let theirs = manager.clone();
    let login = spawn(move || theirs.authorization_header());
    until("the login was processed", || world.sandbox.counters().logins_ok == 1);
    store.set_faults([(FileOperation::Write, ENOSPC)]);
    login.join().unwrap().expect("the token is used");
    at_rest(&manager);
    manager
}

#[test]
fn s4_an_opened_session_that_was_never_stored_is_ended_by_shutdown() {
    let (world, files) = (World::new(), Files::new());
    let manager = with_an_unstored_login(&world, &files.store());
    manager.shutdown().expect_err("it says that it could not be stored");
    assert_eq!(world.sandbox.counters().sessions_open, 0);
}

#[test]
fn s4_an_opened_session_that_somebody_elses_login_has_overtaken_is_ended() {
    for shutdown in [false, true] {
        let (world, files) = (World::new(), Files::new());
        let store = files.store();
        let manager = with_an_unstored_login(&world, &store);
        store.set_faults([]);
        // What was announced and not told of looks like a login that was broken off; a person goes past that.
        world.advance(1);
        files.manager(&world).force_login().unwrap();
        assert_eq!(world.sandbox.counters().sessions_open, 2);
        if shutdown {
            manager.shutdown().expect_err("it says that it could not be stored");
        } else {
            let _ = manager.status();
            world.advance(700);
            manager.authorization_header().unwrap();
            at_rest(&manager);
        }
        assert_eq!(world.sandbox.counters().sessions_open, 1, "shutdown: {shutdown}");
    }
}

#[test]
fn s4_a_renewal_that_was_not_stored_is_no_reason_to_end_the_session() {
    let (world, files) = (World::new(), Files::new());
    let store = files.store();
    let manager: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
    manager.login().unwrap();
    world.sandbox.script(Fault::token(slow()));
    let theirs = manager.clone();
    let renewal = spawn(move || theirs.force_refresh());
    until("it was renewed", || world.sandbox.counters().refreshes_ok == 1);
    store.set_faults([(FileOperation::Write, ENOSPC)]);
    renewal.join().unwrap().expect("the token is used");
    manager.shutdown().expect_err("it says that it could not be stored");
    assert_eq!(world.sandbox.counters().sessions_open, 1, "others use it");
}

#[test]
fn s4_dropping_the_last_handle_ends_nothing() {
    let world = World::new();
    drop(world.logged_in());
    assert_eq!((world.sandbox.counters().logouts, world.sandbox.counters().sessions_open), (0, 1));
}

#[test]
fn s5_a_store_that_fails_in_the_last_seconds_does_not_cost_the_token() {
    let (world, files) = (World::new(), Files::new());
    let store = files.store();
    let manager: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
    let before = manager.authorization_header().unwrap();
    at_rest(&manager);
    world.advance(580);
    store.set_faults([(FileOperation::CreateTemporary, EROFS)]);
    world.sandbox.script(Fault::token(answer(503, "300")).always());
    let theirs = manager.clone();
    let caller = spawn(move || theirs.authorization_header());
    until("it is served", || {
        if !caller.is_finished() {
            world.time.advance(Duration::from_millis(10));
        }
        caller.is_finished()
    });
    assert_eq!(caller.join().unwrap().expect("the token is valid"), before);
    let sent = world.sandbox.requests().iter().filter(|request| request.field("refresh_token").is_some()).count();
    assert_eq!(sent, 0, "its refresh token is never sent");
}

// ---- session economy ----

#[test]
fn x3_on_a_full_account_a_new_session_takes_the_place_of_the_old_one() {
    let world = World::with(|config| config.session_limit = Some(1));
    let manager = world.logged_in();
    let before = world.sandbox.sessions()[0].id.clone();
    manager.force_login().unwrap();
    let sessions = world.sandbox.sessions();
    assert_eq!(sessions.len(), 1);
    assert_ne!(sessions[0].id, before);
    assert!(world.accepts(&manager.authorization_header().unwrap()));
}

#[test]
fn x3_a_page_in_front_of_the_service_is_no_reason_to_end_a_session() {
    let world = World::new();
    let patience = Duration::from_millis(1);
    let manager: blocking::TokenManager = world.builder(user()).patience(patience).build().unwrap().into();
    manager.authorization_header().unwrap();
    at_rest(&manager);
    world.sandbox.script(Fault::token(Action::page(403)).always());
    assert_eq!(manager.force_login().unwrap_err().kind(), ErrorKind::ServiceUnavailable);
    assert_eq!((world.sandbox.counters().logouts, world.sandbox.counters().sessions_open), (0, 1));
    manager.authorization_header().expect("the session that was stored lives on");
}

#[test]
fn x3_a_full_account_is_not_emptied_for_a_code_that_works_once() {
    let world = World::with(|config| config.session_limit = Some(1));
    let files = Files::new();
    let manager = |code: String| -> blocking::TokenManager {
        let provider = PasswordAuth::new(MFA, PASSWORD).with_code(code);
        world.builder(provider).store(files.store()).build().unwrap().into()
    };
    manager(world.sandbox.totp_code(MFA).unwrap()).login().unwrap();
    world.advance(30);
    let error = manager(world.sandbox.totp_code(MFA).unwrap()).force_login().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionLimit, "{error}");
    assert_eq!(world.sandbox.counters().sessions_open, 1);
}

#[test]
fn x4_many_processes_cost_one_request_per_renewal_period() {
    let (world, files) = (World::with(|config| config.rotation = Rotation::OneTime), Files::new());
    files.manager(&world).login().unwrap();
    let slot = files.manager(&world).as_async().slot().clone();
    let processes: Vec<blocking::TokenManager> = (0..16)
        .map(|_| {
            let provider = StoredSession::new(slot.clone(), None);
            world.builder(provider).store(files.store()).build().unwrap().into()
        })
        .collect();
    world.sandbox.clear_log();
    for _ in 0..20 {
        world.advance(700);
        std::thread::scope(|scope| {
            for process in &processes {
                scope.spawn(|| process.authorization_header().unwrap());
            }
        });
        processes.iter().for_each(at_rest);
    }
    let counters = world.sandbox.counters();
    assert_eq!((counters.token_requests, counters.reuse_detected), (20, 0));
}
