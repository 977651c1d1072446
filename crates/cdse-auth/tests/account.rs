//! The account API: sessions that are listed and ended by their owner, and what the service says of a token.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use cdse_auth::{
    AccessTokenAuth, ClientCredentialsAuth, DataService, ErrorKind, Grant, HeaderValue, RefreshTokenAuth, Verdict,
    blocking,
};
use cdse_sandbox::{Action, Endpoint, Fault};
use support::World;

fn fixed(world: &World, header: &HeaderValue) -> blocking::TokenManager {
    world.manager(AccessTokenAuth::new(header.to_str().unwrap().strip_prefix("Bearer ").unwrap()))
}

fn client(world: &World) -> blocking::TokenManager {
    world.manager(ClientCredentialsAuth::new("sh-client", "sh-secret"))
}

#[test]
fn cli5_the_owner_sees_and_ends_the_sessions_of_the_account() {
    let world = World::new();
    let manager = world.logged_in();
    let other = world.logged_in();
    let sessions = manager.sessions().unwrap();
    assert_eq!(sessions.len(), 2);
    let current: Vec<_> = sessions.iter().filter(|session| session.current).collect();
    assert_eq!(current.len(), 1);
    assert_eq!(current[0].clients, ["cdse-public"]);
    assert_eq!(current[0].ip.as_deref(), Some("127.0.0.1"));
    assert_eq!(current[0].started_at, Some(world.time.wall()));
    let theirs = sessions.iter().find(|session| !session.current).unwrap();
    // What is no name must not come to mean all sessions.
    for none in ["", ".", ".."] {
        assert_eq!(manager.end_session(none).unwrap_err().kind(), ErrorKind::Configuration, "{none:?}");
    }
    assert_eq!(world.sandbox.sessions().len(), 2);
    manager.end_session(&theirs.id).unwrap();
    assert_eq!(world.sandbox.sessions().len(), 1);
    assert!(!world.accepts(&other.authorization_header().unwrap()));
    // The service does not tell an id that it does not know; one that is no path must not become one.
    manager.end_session("../sessions").unwrap();
    manager.end_session("no such session").unwrap();
    manager.end_session("x").unwrap();
    assert_eq!(world.sandbox.sessions().len(), 1);
}

#[test]
fn cli5_a_token_that_is_refused_is_renewed_once() {
    let world = World::new();
    let manager = world.logged_in();
    world.advance(120);
    world.sandbox.script(Fault::new(
        Endpoint::Account,
        Action::json(401, &serde_json::json!({"error": "HTTP 401 Unauthorized"})),
    ));
    let before = world.sandbox.counters().token_requests;
    assert_eq!(manager.sessions().unwrap().len(), 1);
    assert_eq!(world.sandbox.counters().token_requests, before + 1);
    world.advance(120);
    world.sandbox.script(
        Fault::new(Endpoint::Account, Action::json(401, &serde_json::json!({"error": "HTTP 401 Unauthorized"})))
            .always(),
    );
    assert_eq!(manager.sessions().unwrap_err().kind(), ErrorKind::StillRefused);
    assert_eq!(world.sandbox.counters().token_requests, before + 2);
}

#[test]
fn cli5_a_client_has_no_account_and_is_told_before_a_request() {
    let world = World::new();
    let error = client(&world).sessions().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongCredential);
    assert!(error.message().contains("account"), "{error}");
    assert_eq!(world.sandbox.counters().connections, 0);
}

#[test]
fn cli5_what_a_credential_reaches() {
    for service in DataService::ALL {
        let (user, client) = (Grant::Password.check_reach(*service), Grant::ClientCredentials.check_reach(*service));
        assert!(user.is_ok(), "{service}");
        let fails = matches!(
            service,
            DataService::Download
                | DataService::S3Keys
                | DataService::Subscriptions
                | DataService::Account
                | DataService::Stac
        );
        assert_eq!(client.is_err(), fails, "{service}");
        assert!(Grant::AccessToken.check_reach(*service).is_ok());
    }
    assert!(Grant::RefreshToken.check_reach(DataService::Download).is_ok());
    assert!(Grant::AccessToken.reach().is_empty(), "nobody here knows whose it is");
    let error = Grant::ClientCredentials.check_reach(DataService::Download).unwrap_err();
    assert!(error.message().contains("download") && error.hint() == Some("log in as a user"), "{error}");
}

#[test]
fn cli5_other_answers_of_the_account_api_are_explained() {
    let world = World::new();
    let manager = world.logged_in();
    let cases = [
        (Action::page(200), ErrorKind::MalformedAnswer),
        (Action::json(200, &serde_json::json!({"a": 1})), ErrorKind::MalformedAnswer),
        (Action::json(200, &serde_json::json!([{"id": 7}])), ErrorKind::MalformedAnswer),
        (Action::page(403), ErrorKind::WrongCredential),
        (Action::page(404), ErrorKind::Configuration),
        (Action::page(429), ErrorKind::RateLimited),
        (Action::page(503), ErrorKind::ServiceUnavailable),
    ];
    for (action, kind) in cases {
        world.sandbox.script(Fault::new(Endpoint::Account, action.clone()));
        assert_eq!(manager.sessions().unwrap_err().kind(), kind);
        if kind != ErrorKind::WrongCredential {
            world.sandbox.script(Fault::new(Endpoint::Account, action));
            assert_eq!(manager.verify().unwrap_err().kind(), kind, "nothing is known of the token");
        }
    }
    assert_eq!(manager.sessions().unwrap().len(), 1, "nothing of it has touched the session");
}

#[test]
fn e5_an_answer_may_be_a_mebibyte_and_no_more() {
    let world = World::new();
    let manager = world.logged_in();
    let list = |length: usize| {
        let mut body = b"[]".to_vec();
        body.resize(length, b' ');
        Action::Answer { status: 200, headers: Vec::new(), body }
    };
    world.sandbox.script(Fault::new(Endpoint::Account, list(1 << 20)));
    assert_eq!(manager.sessions().unwrap().len(), 0);
    world.sandbox.script(Fault::new(Endpoint::Account, list((1 << 20) + 1)));
    assert_eq!(manager.sessions().unwrap_err().kind(), ErrorKind::MalformedAnswer);
}

#[test]
fn cli5_an_entry_may_lack_all_but_its_id_and_hold_anything() {
    let world = World::new();
    let manager = world.logged_in();
    let odd = serde_json::json!([{"id": "a\u{1b}[31mb", "started": u64::MAX, "browser": "x", "clients": [{"clientId": "\u{9b}c"}]}]);
    world.sandbox.script(Fault::new(Endpoint::Account, Action::json(200, &odd)));
    let sessions = manager.sessions().unwrap();
    assert_eq!((sessions[0].id.as_str(), sessions[0].clients[0].as_str()), ("a [31mb", " c"));
    assert_eq!((sessions[0].started_at, sessions[0].last_access_at, &sessions[0].ip), (None, None, &None));
}

#[test]
fn m12_what_the_service_says_of_a_token() {
    let world = World::new();
    let manager = world.logged_in();
    assert_eq!(manager.verify().unwrap(), Verdict::Accepted { open_sessions: Some(1) });
    let header = manager.authorization_header().unwrap();
    assert_eq!(fixed(&world, &header).verify().unwrap(), Verdict::Accepted { open_sessions: Some(1) });
    // A client's token does not open the account, and without `openid` the service does not tell.
    assert_eq!(client(&world).verify().unwrap(), Verdict::Unknown);
    manager.logout().unwrap();
    let refused = fixed(&world, &header).verify().map_err(|error| error.kind());
    // Keycloak 26 answers 403 for a session that has gone, too, where the scope is missing.
    assert!(matches!(refused, Err(ErrorKind::ReauthRequired) | Ok(Verdict::Unknown)), "{refused:?}");
}

/// A service that lets a client see whose token it has.
#[test]
fn m12_a_clients_token_is_what_userinfo_says_of_it() {
    let world = World::new();
    for (status, said) in [(200, Ok(Verdict::Accepted { open_sessions: None })), (401, Err(ErrorKind::ReauthRequired))]
    {
        let answer = Action::json(status, &serde_json::json!({"sub": "service-account-sh-client"}));
        world.sandbox.script(Fault::new(Endpoint::Userinfo, answer));
        assert_eq!(client(&world).verify().map_err(|error| error.kind()), said, "{status}");
    }
}

#[test]
fn m12_a_session_that_was_ended_elsewhere_is_found_out() {
    let world = World::new();
    let manager = world.logged_in();
    let id = world.sandbox.sessions()[0].id.clone();
    assert!(world.sandbox.end_session(&id));
    // A manager with a password logs in again.
    assert_eq!(manager.verify().unwrap(), Verdict::Accepted { open_sessions: Some(1) });
    assert_ne!(world.sandbox.sessions()[0].id, id);
    let given = manager.tokens(std::time::Duration::ZERO).unwrap().refresh_token().unwrap().to_owned();
    let other = world.manager(RefreshTokenAuth::new(given));
    assert_eq!(other.verify().unwrap(), Verdict::Accepted { open_sessions: Some(1) });
    assert!(world.sandbox.end_session(&world.sandbox.sessions()[0].id));
    assert_eq!(other.verify().unwrap_err().kind(), ErrorKind::ReauthRequired);
}
