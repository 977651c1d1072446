//! The rules of providers, exchange and manager, against the sandbox over a socket.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cdse_auth::store::{Commit, RecordStore};
use cdse_auth::{
    Ability, AccessTokenAuth, AuthProvider, ClientCredentialsAuth, ErrorKind, FileTokenStore, Grant, GrantData, Login,
    MemoryTokenStore, PasswordAuth, Proxy, Record, RefreshTokenAuth, Result, SessionState, StoredSession, TokenManager,
    TokenSet, TokenStore, TotpSecret, TransportConfig, WaitCause, blocking,
};
use cdse_sandbox::{Action, Endpoint, Fault, KeycloakVersion, Lifetimes, Rotation};
use serde_json::Value;
use support::watched::Watched;
use support::{MFA, OFFLINE, PASSWORD, TOTP_SECRET, USER, World, at_rest, until, user};

fn rotating() -> World {
    World::with(|config| config.rotation = Rotation::OneTime)
}

fn fields(provider: &impl AuthProvider) -> Vec<(Cow<'static, str>, String)> {
    provider.grant_data().unwrap().into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect()
}

fn names(form: &[(String, String)]) -> Vec<&str> {
    let mut names: Vec<_> = form.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

// ---- providers ----

#[test]
fn p1_each_grant_sends_its_fields_and_nothing_else() {
    let world = World::new();
    world.manager(PasswordAuth::new(" Us+er@x ", "p&=%+ wörd\n")).authorization_header().unwrap_err();
    world.logged_in().force_refresh().unwrap();
    world.manager(ClientCredentialsAuth::new("sh-client", "sh-secret")).authorization_header().unwrap();
    let log = world.sandbox.requests();
    assert_eq!(names(&log[0].form), ["client_id", "grant_type", "password", "username"]);
    assert_eq!((log[0].field("username"), log[0].field("password")), (Some(" Us+er@x "), Some("p&=%+ wörd\n")));
    assert_eq!(log[0].field("client_id"), Some("cdse-public"));
    assert_eq!(names(&log[2].form), ["client_id", "grant_type", "refresh_token"]);
    assert_eq!(names(&log[3].form), ["client_id", "client_secret", "grant_type"]);
    assert!(fields(&user()).contains(&("grant_type".into(), "password".to_owned())));
    assert_eq!(fields(&RefreshTokenAuth::new("r"))[2], ("refresh_token".into(), "r".to_owned()));
    assert!(world.sandbox.requests().iter().all(|request| request.accept.as_deref() == Some("application/json")));
}

#[test]
fn p2_a_given_code_is_sent_once() {
    let world = World::new();
    let code = world.sandbox.totp_code(MFA).unwrap();
    let manager = world.manager(PasswordAuth::new(MFA, PASSWORD).with_code(code.as_str()));
    manager.authorization_header().unwrap();
    assert_eq!(manager.force_login().unwrap_err().kind(), ErrorKind::ReauthRequired, "within the minute");
    world.sandbox.restart();
    world.advance(700);
    let error = manager.authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReauthRequired);
    assert!(error.to_string().contains("one-time code"), "{error}");
    let sent = world.sandbox.requests().iter().filter(|request| request.field("totp").is_some()).count();
    assert_eq!((sent, world.sandbox.counters().totp_reused), (1, 0));
}

#[test]
fn p2_a_given_code_is_sent_within_a_minute_or_not_at_all() {
    for (age, sent) in [(58, 1), (62, 0)] {
        let world = World::new();
        let manager = world.manager(PasswordAuth::new(MFA, PASSWORD).with_code(world.sandbox.totp_code(MFA).unwrap()));
        world.advance(age);
        assert_eq!(manager.login().is_ok(), sent == 1, "{age} s after it was given");
        assert_eq!(world.sandbox.counters().token_requests, sent);
    }
}

#[test]
fn p2_a_given_code_is_not_sent_again_after_a_lost_answer() {
    let world = World::new();
    world.sandbox.script(Fault::token(Action::Reset { processed: true }));
    let manager = world.manager(PasswordAuth::new(MFA, PASSWORD).with_code(world.sandbox.totp_code(MFA).unwrap()));
    assert_eq!(manager.login().unwrap_err().kind(), ErrorKind::Network);
    world.advance(120);
    assert_eq!(manager.login().unwrap_err().kind(), ErrorKind::ReauthRequired);
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn p2_generated_codes_open_sessions_unattended_one_per_step() {
    let world = World::new();
    let secret = || TotpSecret::new(TOTP_SECRET).unwrap();
    let manager = world.manager(PasswordAuth::new(MFA, PASSWORD).with_totp_secret(secret()));
    manager.authorization_header().unwrap();
    let again = manager.clone();
    let second = std::thread::spawn(move || again.force_login());
    until("it waits for the next step", || world.sandbox.counters().token_requests == 1);
    world.advance(30);
    second.join().unwrap().unwrap();
    let counters = world.sandbox.counters();
    assert_eq!((counters.logins_ok, counters.totp_reused, counters.login_failures), (2, 0, 0));
    assert_eq!(counters.sessions_open, 1, "the session that was replaced is ended");
}

#[test]
fn m12_a_manager_tells_what_it_waits_for() {
    let world = World::new();
    let secret = TotpSecret::new(TOTP_SECRET).unwrap();
    let manager = world.manager(PasswordAuth::new(MFA, PASSWORD).with_totp_secret(secret));
    assert!(manager.waiting().is_none());
    manager.authorization_header().unwrap();
    let waits = |cause: fn(&WaitCause) -> bool| {
        let end = std::cell::Cell::new(None);
        until("it waits", || {
            end.set(manager.waiting().filter(|waiting| cause(&waiting.cause)).map(|waiting| waiting.until));
            end.get().is_some()
        });
        assert!(manager.waiting().is_none_or(|waiting| waiting.cause.to_string().starts_with("the ")));
        end.get().unwrap().duration_since(world.time.wall()).unwrap().as_secs()
    };
    let again = manager.clone();
    let second = std::thread::spawn(move || again.force_login());
    assert_eq!(waits(|cause| matches!(cause, WaitCause::Code)), 30);
    world.advance(30);
    second.join().unwrap().unwrap();
    at_rest(&manager);
    assert!(manager.waiting().is_none());
    world.advance(700);
    world.sandbox.script(Fault::token(Action::page(503)));
    let again = manager.clone();
    let second = std::thread::spawn(move || again.authorization_header());
    assert!(waits(|cause| matches!(cause, WaitCause::Hold(_))) <= 2);
    world.advance(2);
    second.join().unwrap().unwrap();
    at_rest(&manager);
    assert!(manager.waiting().is_none());
    world.sandbox.script(Fault::token(Action::Delay(Duration::from_secs(1))));
    let again = manager.clone();
    let third = std::thread::spawn(move || again.force_refresh());
    assert_eq!(waits(|cause| matches!(cause, WaitCause::Service)), 20);
    third.join().unwrap().unwrap();
    at_rest(&manager);
    assert!(manager.waiting().is_none());
}

#[test]
fn p2_a_generated_code_that_another_machine_used_is_tried_once_more() {
    let world = World::new();
    let manager = |store: MemoryTokenStore| -> blocking::TokenManager {
        let secret = TotpSecret::new(TOTP_SECRET).unwrap();
        let provider = PasswordAuth::new(MFA, PASSWORD).with_totp_secret(secret);
        world.builder(provider).store(store).build().unwrap().into()
    };
    let here = manager(MemoryTokenStore::new());
    here.authorization_header().unwrap();
    here.clear().unwrap();
    world.advance(30);
    manager(MemoryTokenStore::new()).authorization_header().unwrap();
    let login = std::thread::spawn(move || here.login());
    until("the used code is refused", || world.sandbox.counters().totp_reused == 1);
    world.advance(30);
    assert_eq!(login.join().unwrap().unwrap(), Login::Opened);
}

#[test]
fn p2_a_source_of_codes_is_asked_outside_the_lock_and_once_per_login() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(folder.path().join("session.json"));
    let asked = Arc::new(AtomicUsize::new(0));
    let code = world.sandbox.totp_code(MFA).unwrap();
    let (counter, theirs) = (Arc::clone(&asked), store.clone());
    let provider = PasswordAuth::new(MFA, PASSWORD).with_code_from(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        let lock = std::fs::File::open(theirs.path().with_extension("json.lock"));
        assert!(lock.is_err() || lock.is_ok_and(|lock| lock.try_lock().is_ok()), "somebody is asked under the lock");
        Ok(code.as_str().into())
    });
    let manager: blocking::TokenManager = world.builder(provider).store(store).build().unwrap().into();
    manager.authorization_header().unwrap();
    manager.authorization_header().unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn p3_a_given_refresh_token_is_sent_once_and_its_descendant_is_used() {
    let world = rotating();
    let given = world.logged_in().tokens(Duration::ZERO).unwrap().refresh_token().unwrap().to_owned();
    world.sandbox.clear_log();
    let folder = tempfile::tempdir().unwrap();
    let manager = || -> blocking::TokenManager {
        let store = FileTokenStore::new(folder.path().join("session.json"));
        let builder = world.builder(RefreshTokenAuth::new(given.as_str())).store(store);
        builder.patience(Duration::from_secs(1)).build().unwrap().into()
    };
    manager().authorization_header().unwrap();
    world.advance(700);
    manager().authorization_header().unwrap();
    let sent = world.sandbox.requests().iter().filter(|r| r.field("refresh_token") == Some(&given)).count();
    assert_eq!((sent, world.sandbox.counters().reuse_detected), (1, 0));
    world.sandbox.restart();
    world.advance(700);
    let error = manager().authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReauthRequired, "{error}");
}

#[test]
fn p4_a_machine_client_asks_again_and_has_nothing_to_log_out() {
    let world = World::new();
    let manager = world.manager(ClientCredentialsAuth::new("sh-client", "sh-secret"));
    let first = manager.authorization_header().unwrap();
    world.advance(1801);
    assert_ne!(manager.authorization_header().unwrap(), first);
    manager.logout().unwrap();
    let counters = world.sandbox.counters();
    assert_eq!((counters.client_credentials_ok, counters.refresh_grants, counters.logouts), (2, 0, 0));
    let wrong = world.manager(ClientCredentialsAuth::new("sh-client", "wrong"));
    assert_eq!(wrong.authorization_header().unwrap_err().kind(), ErrorKind::CredentialsRefused);
}

#[test]
fn p5_nothing_shows_a_secret() {
    let world = World::with(|config| config.users[0].password = "canary-password".to_owned());
    let provider =
        PasswordAuth::new(USER, "canary-password").with_totp_secret(TotpSecret::new("NBSWY3DPEB3W64TMMQ").unwrap());
    let manager = world.manager(provider.clone());
    let header = manager.authorization_header().unwrap();
    let tokens = manager.tokens(Duration::ZERO).unwrap();
    let (access, refresh) = (tokens.access_token(), tokens.refresh_token().unwrap());
    world.sandbox.script(Fault::token(Action::page(500)));
    let failed = manager.force_refresh().unwrap_err();
    let shown = format!(
        "{provider:?} {manager:?} {tokens:?} {header:?} {:?} {failed:?} {failed} {:?} {:?}",
        manager.status(),
        ClientCredentialsAuth::new("id", "canary-secret"),
        RefreshTokenAuth::new("canary-refresh"),
    ) + &format!(
        "{:?}",
        TransportConfig::new().with_proxy(Proxy::Url("http://user:canary@proxy.example:1".to_owned()))
    );
    for secret in [access, refresh, "canary", "NBSWY3DP"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(header.is_sensitive());
}

// ---- the exchange ----

#[test]
fn e1_a_redirect_is_not_followed() {
    let world = World::new();
    let headers = vec![("Location".to_owned(), world.sandbox.token_url())];
    world.sandbox.script(Fault::token(Action::Answer { status: 307, headers, body: Vec::new() }));
    let error = world.manager(user()).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("redirect"), "{error}");
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn e1_every_exchange_has_a_connection_of_its_own() {
    let world = World::new();
    let manager = world.logged_in();
    manager.force_refresh().unwrap();
    manager.force_refresh().unwrap();
    let mut connections: Vec<_> = world.sandbox.requests().iter().map(|request| request.connection).collect();
    connections.dedup();
    assert_eq!(connections.len(), 3);
}

#[test]
fn e1_an_answer_without_end_is_not_read_to_its_end() {
    let world = World::new();
    world.sandbox.script(Fault::token(Action::Endless {
        status: 200,
        content_type: "application/json".to_owned(),
        bytes: 1 << 30,
    }));
    let error = world.manager(user()).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MalformedAnswer, "{error}");
}

#[test]
fn e3_an_answer_without_a_refresh_token_keeps_the_old_one() {
    let world = World::new();
    let manager = world.logged_in();
    let before = manager.tokens(Duration::ZERO).unwrap();
    world.sandbox.script(Fault::token(Action::edit(|fields| {
        fields.remove("refresh_token");
        fields.insert("expires_in".to_owned(), "1e2".into());
    })));
    manager.force_refresh().unwrap();
    let after = manager.tokens(Duration::ZERO).unwrap();
    assert_ne!(after.access_token(), before.access_token());
    assert_eq!(after.refresh_token(), before.refresh_token());
    manager.force_refresh().unwrap();
}

#[test]
fn e4_a_lost_refresh_is_not_repeated_while_the_token_is_good() {
    let world = rotating();
    let manager = world.logged_in();
    world.advance(490);
    world.sandbox.script(Fault::token(Action::Reset { processed: true }));
    manager.authorization_header().unwrap();
    until("the renewal was lost", || manager.status().last_error.is_some());
    let error = manager.force_refresh().unwrap_err().to_string();
    assert!(error.contains("valid for 110 s more") && !error.contains("may have been opened"), "{error}");
    for _ in 0..7 {
        world.advance(10);
        manager.authorization_header().unwrap();
    }
    let counters = world.sandbox.counters();
    assert_eq!((counters.refresh_grants, counters.reuse_detected), (1, 0), "a suspect token was sent again");
}

/// What is known by now counts, and not what the last renewal failed with a moment ago.
#[test]
fn m5_a_session_that_has_ended_is_not_said_to_be_renewed_soon() {
    let world = World::with(|config| {
        config.rotation = Rotation::OneTime;
        config.lifetimes = Lifetimes { access: Duration::from_secs(2), ..Lifetimes::default() };
    });
    let store = Arc::new(MemoryTokenStore::new());
    let other: blocking::TokenManager = world.builder(user()).store(Arc::clone(&store)).build().unwrap().into();
    other.login().unwrap();
    let slot = other.as_async().slot().clone();
    let stored = StoredSession::new(slot.clone(), None);
    let manager: blocking::TokenManager = world.builder(stored).store(Arc::clone(&store)).build().unwrap().into();
    manager.authorization_header().unwrap();
    world.time.advance(Duration::from_millis(1400));
    world.sandbox.script(Fault::token(Action::Reset { processed: true }));
    other.authorization_header().unwrap();
    until("the renewal was lost", || other.status().last_error.is_some());
    manager.authorization_header().unwrap();
    until("it rests", || manager.status().last_error.is_some());
    // Somebody else sends it all the same, and is refused.
    let before = store.read(&slot).unwrap().unwrap();
    let mut record: Value = serde_json::from_slice(&before.to_json()).unwrap();
    let token = record["suspect"]["sent"]["refresh"].take();
    record["dead"] =
        serde_json::json!({ "token": token, "words": "Stale token", "at": record["tokens"]["obtained_at_ms"] });
    record["suspect"].take();
    record["generation"] = (before.version().generation + 1).into();
    let record = Record::from_json(record.to_string().as_bytes()).unwrap();
    assert_eq!(store.commit(&slot, Some(before.version()), &record).unwrap(), Commit::Done);
    world.time.advance(Duration::from_millis(700));
    assert!(!manager.status().refreshable);
    let error = manager.authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReauthRequired, "{error}");
}

#[test]
fn e4_a_password_is_not_sent_again_when_the_answer_is_lost() {
    for action in
        [Action::Reset { processed: true }, Action::Torn { processed: true, body_bytes: 20 }, Action::page_after(502)]
    {
        let world = World::new();
        world.sandbox.script(Fault::token(action));
        let manager: blocking::TokenManager =
            world.builder(user()).patience(Duration::from_millis(500)).build().unwrap().into();
        let error = manager.login().unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert!(error.to_string().contains("may have been opened"), "{error}");
        world.advance(29);
        manager.authorization_header().unwrap_err();
        assert_eq!(world.sandbox.counters().token_requests, 1, "the password was sent again by itself");
        assert_eq!(manager.login().unwrap(), Login::Opened, "a person may");
    }
}

#[test]
fn e4_what_was_not_worked_on_is_tried_again() {
    let world = World::new();
    let manager = world.logged_in();
    world.sandbox.script(Fault::token(Action::page(503)).times(2));
    world.advance(700);
    let caller = manager.clone();
    let waiting = std::thread::spawn(move || caller.authorization_header());
    until("it was tried again", || {
        if manager.status().hold.is_some() {
            world.advance(1);
        }
        waiting.is_finished()
    });
    assert_eq!(world.sandbox.counters().refresh_grants, 1);
    assert!(waiting.join().unwrap().is_ok());
    assert_eq!(world.sandbox.counters().password_grants, 1, "no second session");
}

#[test]
fn e5_errors_say_what_to_do() {
    let world = World::with(|config| config.session_limit = Some(1));
    let cases = [
        (PasswordAuth::new(USER, "wrong"), ErrorKind::CredentialsRefused),
        (PasswordAuth::new("disabled@example.com", PASSWORD), ErrorKind::AccountBlocked),
        (PasswordAuth::new("action@example.com", PASSWORD), ErrorKind::AccountBlocked),
        (user().with_client_id("unknown"), ErrorKind::Configuration),
        (user().with_client_id("no-grants"), ErrorKind::Configuration),
    ];
    for (provider, kind) in cases {
        let error = world.manager(provider).authorization_header().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.is_transient(), "{error}");
    }
    let _kept = world.logged_in();
    let error = world.manager(user()).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionLimit, "{error}");
}

#[test]
fn e5_a_refusal_soon_after_a_login_names_a_full_or_locked_account() {
    let world = World::new();
    let manager = world.logged_in();
    world.sandbox.set_password(USER, "changed");
    world.sandbox.restart();
    world.advance(1000);
    let error = manager.authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsRefused);
    assert!(error.to_string().contains("full or locked"), "{error}");
}

/// A full account and one that is locked for a moment answer as a wrong password does.
#[test]
fn e5_credentials_that_worked_within_the_hour_may_be_good() {
    for (seconds, may) in [(3599, true), (3600, false)] {
        let world = World::new();
        let manager = world.logged_in();
        world.sandbox.set_password(USER, "changed");
        world.advance(seconds);
        let error = manager.force_login().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialsRefused, "{error}");
        assert_eq!(error.message().contains("worked within the last hour"), may, "{seconds}: {error}");
    }
    let error = World::new().manager(PasswordAuth::new(USER, "never right")).login().unwrap_err();
    assert!(!error.message().contains("worked within the last hour"), "{error}");
}

// ---- the manager ----

#[test]
fn m3_any_number_of_callers_cause_one_exchange() {
    let world = World::new();
    let manager = world.logged_in();
    world.advance(700);
    world.sandbox.clear_log();
    world.sandbox.script(Fault::token(Action::Delay(Duration::from_millis(50))));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let headers = runtime.block_on(async {
        let tasks: Vec<_> = (0..4096)
            .map(|_| {
                let manager = manager.as_async().clone();
                tokio::spawn(async move { manager.authorization_header().await.unwrap() })
            })
            .collect();
        let mut headers = Vec::new();
        for task in tasks {
            headers.push(task.await.unwrap());
        }
        headers
    });
    assert!(headers.iter().all(|header| *header == headers[0]));
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn m3_a_failure_serves_every_waiter() {
    let world = World::new();
    let manager = world.manager(PasswordAuth::new(USER, "wrong"));
    world.sandbox.script(Fault::token(Action::Delay(Duration::from_millis(100))));
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let manager = manager.clone();
            std::thread::spawn(move || manager.authorization_header().unwrap_err().kind())
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), ErrorKind::CredentialsRefused);
    }
    assert_eq!(world.sandbox.counters().login_failures, 1);
}

#[test]
fn m4_all_who_name_one_refused_token_share_one_renewal() {
    let world = World::new();
    let manager = world.logged_in();
    let refused = manager.authorization_header().unwrap();
    world.advance(100);
    let threads: Vec<_> = (0..64)
        .map(|_| {
            let (manager, refused) = (manager.clone(), refused.clone());
            std::thread::spawn(move || manager.force_refresh_after(&refused).unwrap())
        })
        .collect();
    for thread in threads {
        assert_ne!(thread.join().unwrap(), refused);
    }
    assert_eq!(world.sandbox.counters().refreshes_ok, 1);
    let renewed = manager.authorization_header().unwrap();
    assert_eq!(manager.force_refresh_after(&renewed).unwrap_err().kind(), ErrorKind::StillRefused);
    assert_eq!(manager.authorization_header().unwrap(), renewed, "it is still served to others");
    assert_eq!(world.sandbox.counters().refreshes_ok, 1);
}

#[test]
fn m4_a_refused_token_that_another_process_has_replaced_is_no_complaint() {
    let world = World::new();
    let store = Arc::new(MemoryTokenStore::new());
    let [first, second] = [(); 2].map(|()| -> blocking::TokenManager {
        world.builder(user()).store(Arc::clone(&store)).build().unwrap().into()
    });
    let refused = first.authorization_header().unwrap();
    assert_eq!(second.authorization_header().unwrap(), refused);
    let renewed = first.force_refresh().unwrap();
    assert_eq!(second.force_refresh_after(&refused).unwrap(), renewed);
    assert_eq!(world.sandbox.counters().refreshes_ok, 1);
}

#[test]
fn m4_an_explicit_renewal_always_renews() {
    let world = World::new();
    let manager = world.logged_in();
    let first = manager.authorization_header().unwrap();
    assert_ne!(manager.force_refresh().unwrap(), first);
    manager.force_refresh().unwrap();
    assert_eq!(world.sandbox.counters().refreshes_ok, 2);
}

#[test]
fn m5_a_failed_renewal_does_not_displace_a_usable_token() {
    let world = World::new();
    let manager = world.logged_in();
    let header = manager.authorization_header().unwrap();
    world.sandbox.script(Fault::token(Action::page(500)).always());
    world.advance(500);
    assert_eq!(manager.authorization_header().unwrap(), header);
    until("the renewal failed", || manager.status().last_error.is_some() || manager.status().hold.is_some());
    assert_eq!(manager.authorization_header().unwrap(), header);
    assert!(world.accepts(&header));
}

#[test]
fn m5_a_wrong_password_does_not_lock_the_account() {
    let world = World::new();
    let store = MemoryTokenStore::new();
    let with = |password: &str| -> blocking::TokenManager {
        let provider = PasswordAuth::new(USER, password);
        world.builder(provider).store(store.clone()).patience(Duration::from_secs(1)).build().unwrap().into()
    };
    for _ in 0..50 {
        with("wrong").authorization_header().unwrap_err();
    }
    assert_eq!(world.sandbox.counters().login_failures, 1, "each process asked again");
    world.advance(2);
    with(PASSWORD).authorization_header().expect("a corrected password works at once");
}

#[test]
fn m6_an_outage_does_not_lead_to_a_login() {
    for action in
        [Action::page(500), Action::page(503), Action::page(404), Action::page(200), Action::Reset { processed: false }]
    {
        let world = World::new();
        let manager: blocking::TokenManager =
            world.builder(user()).patience(Duration::from_millis(500)).build().unwrap().into();
        manager.authorization_header().unwrap();
        world.sandbox.script(Fault::token(action));
        world.advance(700);
        manager.authorization_header().unwrap_err();
        world.advance(120);
        manager.authorization_header().expect("the session was kept");
        let counters = world.sandbox.counters();
        assert_eq!((counters.password_grants, counters.sessions_open), (1, 1));
    }
}

/// A renewal that waits for the service's hour is no reason to hold back a person who logs in.
#[test]
fn m6_a_login_does_not_wait_for_the_renewal_that_it_finds_waiting() {
    let world = World::new();
    let manager = world.logged_in();
    world.advance(700);
    world.sandbox.script(Fault::token(Action::page(503)));
    let first = manager.clone();
    let waiting = std::thread::spawn(move || first.authorization_header());
    until("it waits", || matches!(manager.waiting(), Some(waiting) if matches!(waiting.cause, WaitCause::Hold(_))));
    world.time.advance(Duration::from_millis(1));
    let second = manager.clone();
    let login = std::thread::spawn(move || second.force_login());
    until("the login was not held back", || login.is_finished());
    login.join().unwrap().unwrap();
    waiting.join().unwrap().unwrap();
    let counters = world.sandbox.counters();
    assert_eq!((counters.logins_ok, counters.refresh_grants), (2, 0));
}

#[test]
fn m6_a_refused_refresh_token_leads_to_a_login_and_the_dead_session_gives_its_place_back() {
    let world = World::with(|config| {
        config.session_limit = Some(1);
        config.rotation = Rotation::OneTime;
    });
    let store = MemoryTokenStore::new();
    let manager: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
    manager.authorization_header().unwrap();
    let thief = manager.tokens(Duration::ZERO).unwrap().refresh_token().unwrap().to_owned();
    manager.force_refresh().unwrap();
    world.advance(20);
    let copied: blocking::TokenManager = world.manager(RefreshTokenAuth::new(thief));
    assert_eq!(copied.authorization_header().unwrap_err().kind(), ErrorKind::ReauthRequired);
    assert_eq!(world.sandbox.counters().reuse_detected, 1);
    world.advance(700);
    manager.authorization_header().expect("a new session in the place of the dead one");
    assert_eq!(world.sandbox.counters().sessions_open, 1);
}

#[test]
fn m7_a_renewal_survives_the_cancellation_of_every_caller() {
    let world = rotating();
    let folder = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(folder.path().join("session.json"));
    let manager = world.builder(user()).store(store.clone()).build().unwrap();
    let blocking = blocking::TokenManager::from(manager.clone());
    blocking.authorization_header().unwrap();
    let before = store.load().unwrap().unwrap();
    world.advance(700);
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(200))));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let call = manager.authorization_header();
        tokio::time::timeout(Duration::from_millis(50), call).await.expect_err("cancelled while it waits");
    });
    drop(runtime);
    drop(manager);
    until("the service has worked", || world.sandbox.counters().refreshes_ok == 1);
    blocking.settle().unwrap();
    let after = store.load().unwrap().unwrap();
    assert_ne!(after.refresh_token(), before.refresh_token(), "the rotated token was lost");
    assert_eq!(blocking.authorization_header().unwrap_err().kind(), ErrorKind::ShutDown);
}

#[test]
fn m8_a_token_that_could_not_be_saved_is_served_and_saved_later() {
    let world = rotating();
    let folder = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(folder.path().join("session.json"));
    let manager: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
    manager.authorization_header().unwrap();
    world.advance(700);
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(300))));
    let theirs = manager.clone();
    let renewal = std::thread::spawn(move || theirs.authorization_header());
    until("it was sent", || world.sandbox.counters().refreshes_ok == 1);
    store.set_faults([(cdse_auth::store::FileOperation::Write, 28)]);
    let header = renewal.join().unwrap().expect("the token is used");
    assert!(manager.status().problems.iter().any(|problem| problem.text().contains("could not be stored")));
    store.set_faults([]);
    world.advance(100);
    manager.force_refresh().unwrap();
    assert_ne!(manager.authorization_header().unwrap(), header);
    assert_eq!(world.sandbox.counters().reuse_detected, 0);
    let stored = store.load().unwrap().unwrap();
    assert!(world.accepts(&stored.authorization_header()));
}

#[test]
fn m9_logout_wins_over_a_renewal_in_flight() {
    let world = World::new();
    let manager = world.manager(user());
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(300))));
    let theirs = manager.clone();
    let caller = std::thread::spawn(move || theirs.authorization_header());
    until("the login was processed", || world.sandbox.counters().logins_ok == 1);
    manager.logout().unwrap();
    caller.join().unwrap().unwrap_err();
    manager.settle().unwrap();
    assert_eq!(world.sandbox.counters().sessions_open, 0, "the session lives on");
    assert_eq!(manager.status().state, SessionState::Missing);
}

#[test]
fn m9_after_a_logout_only_a_login_helps() {
    let world = World::new();
    let manager = world.logged_in();
    manager.logout().unwrap();
    assert_eq!(manager.authorization_header().unwrap_err().kind(), ErrorKind::ReauthRequired);
    assert_eq!(manager.login().unwrap(), Login::Opened);
    assert_eq!(manager.login().unwrap(), Login::AlreadyOpen);
    manager.authorization_header().unwrap();
    assert_eq!(world.sandbox.counters().logins_ok, 2);
}

#[test]
fn m10_clocks_may_jump() {
    let world = World::new();
    let manager = world.logged_in();
    world.time.suspend(Duration::from_secs(700));
    manager.authorization_header().expect("a suspended laptop renews");
    assert_eq!(world.sandbox.counters().refreshes_ok, 1);
    world.time.set_wall(-7200);
    manager.authorization_header().expect("a clock that was set back");
    world.time.set_wall(14_400);
    manager.authorization_header().expect("a clock that was set forward");
}

#[test]
fn m11_logout_ends_the_session_or_says_that_it_may_live_on() {
    let world = World::new();
    let manager = world.logged_in();
    manager.logout().unwrap();
    assert_eq!((world.sandbox.counters().logouts, world.sandbox.counters().sessions_open), (1, 0));
    let manager = world.logged_in();
    world.sandbox.script(Fault::new(Endpoint::Logout, Action::page(503)));
    let error = manager.logout().unwrap_err();
    assert!(error.to_string().contains("may still be open"), "{error}");
    assert_eq!(manager.status().state, SessionState::Missing, "the local copy is removed all the same");
}

#[test]
fn m12_status_tells_all_but_secrets_and_changes_can_be_observed() {
    let world = World::new();
    let manager = world.manager(user());
    assert_eq!((manager.status().state, manager.status().logged_in), (SessionState::Missing, false));
    let before = manager.status().generation;
    let observer = manager.clone();
    let seen = std::thread::spawn(move || observer.changed(before));
    manager.authorization_header().unwrap();
    assert!(seen.join().unwrap().generation > before);
    let status = manager.status();
    assert_eq!((status.state, status.logged_in, status.username.as_deref()), (SessionState::Fresh, true, Some(USER)));
    let ends = |at: Option<std::time::SystemTime>| at.unwrap().duration_since(world.time.wall()).unwrap().as_secs();
    assert_eq!((ends(status.access_expires_at), ends(status.session_expires_at)), (600, 3600));
    assert!(!status.store.shared, "memory is this process's own");
    assert_eq!(status.login_needed_by, None);
    world.advance(700);
    let status = manager.status();
    assert_eq!((status.state, status.logged_in, status.refreshable), (SessionState::Expired, true, true));
}

/// Tells when it is dropped.
#[derive(Debug)]
struct Canary(std::sync::mpsc::Sender<()>);

impl Drop for Canary {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A login that may ask for an offline session, as a service may grant it to everybody without being asked, and that may
/// carry a canary.
#[derive(Debug)]
struct OtherAuth {
    user: PasswordAuth,
    scope: Option<&'static str>,
    _canary: Option<Canary>,
}

impl AuthProvider for OtherAuth {
    fn grant(&self) -> Grant {
        self.user.grant()
    }

    fn client_id(&self) -> &str {
        self.user.client_id()
    }

    fn username(&self) -> Option<&str> {
        self.user.username()
    }

    fn grant_data(&self) -> Result<GrantData> {
        let mut fields = self.user.grant_data()?;
        fields.extend(self.scope.map(|scope| ("scope".into(), scope.into())));
        Ok(fields)
    }

    fn ability(&self) -> Ability {
        self.user.ability()
    }
}

#[test]
fn m12_a_session_without_an_end_is_renewed_for_ever_and_logged_out() {
    for version in [KeycloakVersion::V26, KeycloakVersion::V21] {
        let world = World::with(|config| {
            config.version = version;
            config.rotation = Rotation::OneTime;
        });
        let manager = world.manager(OtherAuth {
            user: PasswordAuth::new(OFFLINE, PASSWORD),
            scope: Some("offline_access"),
            _canary: None,
        });
        manager.authorization_header().unwrap();
        for day in 1..=40 {
            world.advance(86_400);
            if day == 20 {
                world.sandbox.restart();
            }
            assert!(world.accepts(&manager.authorization_header().unwrap()), "day {day}");
            let status = manager.status();
            assert_eq!((status.session_expires_at, status.login_needed_by), (None, None), "day {day}");
            assert!(status.logged_in && status.refreshable, "day {day}");
        }
        // Unused for long: nothing says that it cannot be renewed.
        world.advance(100 * 86_400);
        assert_eq!(manager.status().state, SessionState::Expired);
        let last = manager.tokens(Duration::ZERO).unwrap().refresh_token().unwrap().to_owned();
        let counters = world.sandbox.counters();
        assert_eq!((counters.logins_ok, counters.refreshes_ok, counters.refresh_failures), (1, 41, 0));
        manager.logout().unwrap();
        assert_eq!((world.sandbox.counters().logouts, world.sandbox.counters().sessions_open), (1, 0));
        let other = world.manager(RefreshTokenAuth::new(last.as_str()));
        assert_eq!(other.authorization_header().unwrap_err().kind(), ErrorKind::ReauthRequired);
    }
}

#[test]
fn m12_a_token_without_a_session_is_no_session_without_an_end() {
    let world = World::new();
    let manager = world.manager(ClientCredentialsAuth::new("sh-client", "sh-secret"));
    manager.authorization_header().unwrap();
    let status = manager.status();
    assert_eq!((status.session_expires_at, status.logged_in), (None, true));
    world.advance(1801);
    assert!(!manager.status().logged_in, "its token is all that there was");
}

#[test]
fn m13_works_without_a_runtime_on_one_thread_and_on_many() {
    let world = World::new();
    let manager = world.logged_in();
    for runtime in [
        tokio::runtime::Builder::new_current_thread().build().unwrap(),
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap(),
    ] {
        world.advance(700);
        runtime.block_on(async { manager.as_async().authorization_header().await }).unwrap();
    }
    fn all<T: Send + Sync + Clone + 'static>() {}
    all::<TokenManager>();
    all::<cdse_auth::Error>();
}

#[test]
fn m14_near_the_hard_end_a_login_leaves_no_gap() {
    let world = World::with(|config| {
        config.lifetimes = Lifetimes {
            access: Duration::from_secs(600),
            idle: Duration::from_secs(3600),
            max: Duration::from_secs(1500),
        };
    });
    let manager = world.logged_in();
    for _ in 0..200 {
        world.advance(10);
        let header = manager.authorization_header().unwrap();
        assert!(world.accepts(&header), "a caller saw a gap");
    }
    let counters = world.sandbox.counters();
    assert_eq!((counters.logins_ok, counters.sessions_open), (2, 1));
}

/// A renewal in the last moment of a session brings a token that has ended; the next one tells whether it was that.
#[test]
fn m14_the_last_moment_of_a_session_is_no_error_where_credentials_are_at_hand() {
    let over = || {
        let answer = serde_json::json!({
            "access_token": "ended", "expires_in": 0, "refresh_token": "r", "refresh_expires_in": 0, "token_type": "Bearer",
        });
        Fault::token(Action::json(200, &answer))
    };
    for (faults, logins, kind) in [
        (vec![over()], 2, None),
        // A service that does so for other reasons is not asked for ever.
        (vec![over(), over()], 1, Some(ErrorKind::MalformedAnswer)),
    ] {
        let world = World::new();
        let manager = world.logged_in();
        world.advance(700);
        let requests = 2 + faults.len() as u64;
        faults.into_iter().for_each(|fault| world.sandbox.script(fault));
        let caller = manager.clone();
        let caller = std::thread::spawn(move || caller.authorization_header());
        until(
            "it waits a moment",
            || matches!(manager.waiting(), Some(waiting) if matches!(waiting.cause, WaitCause::Hold(_))),
        );
        world.advance(1);
        let header = caller.join().unwrap();
        assert_eq!(header.as_ref().err().map(cdse_auth::Error::kind), kind, "{header:?}");
        if let Ok(header) = header {
            assert!(world.accepts(&header));
            // A renewal that is refused, and a login.
            assert_eq!(world.sandbox.counters().token_requests, requests + 1);
        }
        assert_eq!(world.sandbox.counters().logins_ok, logins);
    }
    let world = World::new();
    world.sandbox.script(over().always());
    assert_eq!(world.manager(user()).authorization_header().unwrap_err().kind(), ErrorKind::MalformedAnswer);
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn m14_keep_alive_renews_without_being_asked() {
    let world = World::new();
    let manager: blocking::TokenManager = world.builder(user()).keep_alive(true).build().unwrap().into();
    until("it logs in by itself", || world.sandbox.counters().logins_ok == 1);
    for renewals in 1..4 {
        until("it sleeps", || manager.status().state == SessionState::Fresh);
        until("it renews", || {
            if world.sandbox.counters().refreshes_ok < renewals {
                world.advance(60);
            }
            world.sandbox.counters().refreshes_ok >= renewals
        });
    }
    drop(manager);
}

#[test]
fn m14_keep_alive_ends_with_the_last_manager() {
    let world = World::new();
    let (send, gone) = std::sync::mpsc::channel();
    let manager = world
        .builder(OtherAuth { user: user(), scope: None, _canary: Some(Canary(send)) })
        .keep_alive(true)
        .build()
        .unwrap();
    until("it logs in by itself", || world.sandbox.counters().logins_ok == 1);
    let other = manager.clone();
    drop(manager);
    assert!(gone.try_recv().is_err(), "somebody holds it");
    drop(other);
    until("nothing is left of it", || gone.try_recv().is_ok());
}

#[test]
fn e3_settings_that_cannot_be_used_are_found_before_anything_is_sent() {
    let prepared = |transport: TransportConfig| {
        let builder = TokenManager::builder(user()).realm_url("https://identity.example/realms/x");
        let manager: blocking::TokenManager = builder.transport(transport).build().unwrap().into();
        manager.prepare().map_err(|error| (error.kind(), error.to_string()))
    };
    let transport = || TransportConfig::new().with_proxy(Proxy::None);
    let (kind, said) = prepared(transport().with_root_certificate_file("--ca-bundle", "missing.pem")).unwrap_err();
    assert!(kind == ErrorKind::Transport && said.starts_with("--ca-bundle: missing.pem"), "{said}");
    let (kind, said) = prepared(transport().with_user_agent("two\nlines")).unwrap_err();
    assert!(kind == ErrorKind::Transport && said.contains("user agent"), "{said}");
    assert_eq!(transport().with_root_certificates(b"none").unwrap_err().kind(), ErrorKind::Configuration);
    let (kind, said) = prepared(TransportConfig::new().with_proxy(Proxy::Url("no proxy".into()))).unwrap_err();
    assert!(kind == ErrorKind::Transport && said.contains("proxy"), "{said}");
}

/// An address where nobody listens, and nobody else can for as long as it is kept.
fn refusing() -> (rustix::fd::OwnedFd, std::net::SocketAddr) {
    use rustix::net;
    let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).unwrap();
    net::bind(&socket, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = net::getsockname(&socket).unwrap().try_into().unwrap();
    (socket, address)
}

/// In a process of its own, for the environment is everybody's.
#[test]
fn e3_an_empty_variable_names_no_proxy_and_the_next_one_counts() {
    let (_kept, unused) = refusing();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_meets_a_proxy", "--nocapture"])
        .env_remove("https_proxy")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env("HTTPS_PROXY", "")
        .env("ALL_PROXY", format!("http://{unused}"))
        .env("CDSE_TEST_PROXY", unused.to_string())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
}

/// The other process of a test; by itself it does nothing.
#[test]
fn child_meets_a_proxy() {
    if let Ok(address) = std::env::var("CDSE_TEST_PROXY") {
        let builder = TokenManager::builder(user()).realm_url("https://identity.invalid/realms/x");
        let manager: blocking::TokenManager = builder.build().unwrap().into();
        let error = manager.probe().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network, "{error}");
        assert!(error.message().contains(&format!("the proxy http://{address} (ALL_PROXY)")), "{error}");
    }
}

#[test]
fn e3_the_system_says_why_the_service_was_not_reached() {
    let (_kept, unused) = refusing();
    let builder = TokenManager::builder(user()).realm_url(&format!("http://{unused}/realms/x"));
    let manager: blocking::TokenManager = builder.build().unwrap().into();
    let error = manager.probe().unwrap_err();
    let expected = std::net::TcpStream::connect(unused).unwrap_err().to_string();
    assert!(error.message().contains(&format!("could not be reached ({expected})")), "{error}");
}

#[test]
fn m8_a_session_that_was_stored_by_a_call_that_failed_is_nobodys_orphan() {
    for renewals in 0..2 {
        let world = World::new();
        // The first writes what is about to be sent, the second what came of it.
        let store = Watched { late: Some(1), ..Watched::default() };
        let manager: blocking::TokenManager = world.builder(user()).store(store).build().unwrap().into();
        manager.authorization_header().unwrap();
        at_rest(&manager);
        assert!(manager.status().logged_in);
        for _ in 0..renewals {
            manager.force_refresh().unwrap();
            at_rest(&manager);
        }
        manager.settle().expect("it is stored, whatever the call has said");
        let counters = world.sandbox.counters();
        assert_eq!((counters.logouts, counters.sessions_open, counters.logins_ok), (0, 1, 1));
    }
}

/// Somebody who does not heed the lock, or whose guard has run out.
#[test]
fn m8_a_renewal_that_was_overtaken_ends_its_session_only_if_nobody_has_it_any_more() {
    for (session, open) in [(None, 1), (Some("another"), 0)] {
        let world = World::new();
        let store = MemoryTokenStore::new();
        let manager: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
        manager.authorization_header().unwrap();
        at_rest(&manager);
        let slot = manager.as_async().slot().clone();
        world.sandbox.script(Fault::token(Action::edit(move |_| {
            let records = store.records().unwrap();
            let record = records.read(&slot).unwrap().unwrap();
            let mut json: Value = serde_json::from_slice(&record.to_json()).unwrap();
            json["generation"] = (json["generation"].as_u64().unwrap() + 1).into();
            if let Some(session) = session {
                json["tokens"]["session_id"] = session.into();
            }
            let next = Record::from_json(json.to_string().as_bytes()).unwrap();
            assert_eq!(records.commit(&slot, Some(record.version()), &next).unwrap(), Commit::Done);
        })));
        world.advance(120);
        let _ = manager.force_refresh();
        at_rest(&manager);
        let counters = world.sandbox.counters();
        assert_eq!((counters.refreshes_ok, counters.sessions_open), (1, open), "{session:?}");
    }
}

#[test]
fn m14_keep_alive_wakes_for_renewals_only() {
    let world = World::new();
    let store = Watched::default();
    let manager = world.builder(user()).store(store.clone()).keep_alive(true).build().unwrap();
    until("it logs in by itself", || world.sandbox.counters().logins_ok == 1);
    let requests = || world.sandbox.counters().token_requests;
    let mut before = requests();
    for _ in 0..24 * 60 * 2 {
        world.advance(30);
        // Whoever is due comes within a moment; whoever is not does not.
        std::thread::park_timeout(Duration::from_millis(2));
        if requests() > before {
            until("the renewal is done", || manager.fresh_header().is_some());
            before = requests();
        }
    }
    let (looks, requests) = (store.looks.load(Ordering::SeqCst), requests());
    // A token of 10 min is renewed before its last fifth; each renewal reads the record a few times.
    assert!((100..300).contains(&requests), "{requests} requests in a day");
    assert!(looks as u64 <= 8 * requests, "{looks} looks at the store for {requests} requests");
    drop(manager);
}

// ---- session economy ----

#[test]
fn x3_a_login_that_replaces_a_session_ends_it() {
    let world = World::new();
    let manager = world.logged_in();
    manager.force_login().unwrap();
    let counters = world.sandbox.counters();
    assert_eq!((counters.logins_ok, counters.logouts, counters.sessions_open), (2, 1, 1));
}

#[test]
fn x3_logging_in_as_somebody_else_ends_nobodys_session() {
    let world = World::new();
    let store = MemoryTokenStore::new();
    let one: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
    one.authorization_header().unwrap();
    let secret = TotpSecret::new(TOTP_SECRET).unwrap();
    let other: blocking::TokenManager =
        world.builder(PasswordAuth::new(MFA, PASSWORD).with_totp_secret(secret)).store(store).build().unwrap().into();
    other.authorization_header().unwrap();
    assert_eq!(world.sandbox.counters().sessions_open, 2);
    assert!(world.accepts(&one.authorization_header().unwrap()));
}

#[test]
fn x4_a_day_costs_one_request_per_renewal_period() {
    let world = World::with(|config| config.lifetimes.max = Duration::from_secs(90_000));
    let manager = world.logged_in();
    for _ in 0..86_400 / 20 {
        world.advance(20);
        manager.authorization_header().unwrap();
        at_rest(&manager);
    }
    let counters = world.sandbox.counters();
    assert!((165..=190).contains(&counters.token_requests), "{} requests in a day", counters.token_requests);
    assert_eq!((counters.logins_ok, counters.sessions_open), (1, 1));
}

// ---- a fixed token ----

#[test]
fn p3_a_fixed_access_token_is_used_as_it_is() {
    let world = World::new();
    let token = world.logged_in().tokens(Duration::ZERO).unwrap();
    let manager = world.manager(AccessTokenAuth::new(token.access_token()));
    let header = manager.authorization_header().unwrap();
    assert_eq!(header, token.authorization_header());
    assert!(manager.status().access_expires_at.is_some(), "it says when it ends");
    let error = manager.force_login().unwrap_err();
    assert!(error.kind() == ErrorKind::Configuration && error.message().contains("used as it is"), "{error}");
    world.sandbox.clear_log();
    assert_eq!(manager.force_refresh_after(&header).unwrap_err().kind(), ErrorKind::ReauthRequired);
    world.advance(700);
    assert_eq!(manager.authorization_header().unwrap_err().kind(), ErrorKind::ReauthRequired);
    assert_eq!(world.sandbox.counters().token_requests, 0);
    let endless = world.manager(AccessTokenAuth::new("opaque"));
    world.advance(40 * 24 * 3600);
    endless.authorization_header().expect("it does not say when it ends");
    assert_eq!(endless.status().access_expires_at, None);
    let odd = world.builder(AccessTokenAuth::new("line\nend")).build();
    assert_eq!(odd.unwrap_err().kind(), ErrorKind::MalformedAnswer);
    world.sandbox.script(Fault::token(Action::edit(|body| drop(body.insert("access_token".into(), "opaque".into())))));
    let issued = world.logged_in();
    assert!(issued.status().access_expires_at.is_some(), "its answer has said when it ends");
}

#[test]
fn s4_a_simple_store_needs_three_methods() {
    #[derive(Debug, Default)]
    struct Simple(std::sync::Mutex<Option<TokenSet>>, AtomicUsize);
    impl TokenStore for Simple {
        fn load(&self) -> Result<Option<TokenSet>> {
            Ok(self.0.lock().unwrap().clone())
        }
        fn save(&self, tokens: &TokenSet) -> Result<()> {
            self.1.fetch_add(1, Ordering::SeqCst);
            *self.0.lock().unwrap() = Some(tokens.clone());
            Ok(())
        }
        fn clear(&self) -> Result<()> {
            self.1.fetch_add(1, Ordering::SeqCst);
            *self.0.lock().unwrap() = None;
            Ok(())
        }
    }
    let world = World::new();
    let store = Arc::new(Simple::default());
    let manager =
        || -> blocking::TokenManager { world.builder(user()).store(Arc::clone(&store)).build().unwrap().into() };
    let header = manager().authorization_header().unwrap();
    assert_eq!(store.1.load(Ordering::SeqCst), 1, "it is written to when there are other tokens");
    assert_eq!(manager().authorization_header().unwrap(), header, "the session survives its manager");
    assert!(!manager().status().store.shared, "and it says that processes do not share it");
    let last = manager();
    last.logout().unwrap();
    assert_eq!(store.load().unwrap(), None);
    assert_eq!((world.sandbox.counters().logins_ok, world.sandbox.counters().sessions_open), (1, 0));
}

#[test]
fn s4_a_session_that_only_this_process_knows_is_ended_by_shutdown() {
    let world = World::new();
    let manager = world.logged_in();
    manager.shutdown().unwrap();
    assert_eq!(world.sandbox.counters().sessions_open, 0);
    assert_eq!(manager.authorization_header().unwrap_err().kind(), ErrorKind::ShutDown);
}
