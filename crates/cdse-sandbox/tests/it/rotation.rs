use std::thread;
use std::time::Duration;

use cdse_sandbox::KeycloakVersion::{V21, V26};
use cdse_sandbox::{Rotation, Sandbox};

use crate::client::{Calls, PASSWORD, USER, claims, sandbox, sandbox_with};

fn rotating() -> Sandbox {
    sandbox_with(|config| config.rotation = Rotation::OneTime)
}

#[test]
fn each_refresh_token_works_once() {
    let sandbox = rotating();
    let mut tokens = sandbox.login();
    for _ in 0..5 {
        tokens = sandbox.refresh(&tokens.refresh).tokens();
    }
    assert_eq!(sandbox.counters().reuse_detected, 0);
    assert!(claims(&tokens.refresh)["reuse_id"].is_string());
}

#[test]
fn reusing_the_last_token_kills_the_newest_and_the_access_tokens() {
    for version in [V26, V21] {
        let sandbox = sandbox_with(|config| {
            config.rotation = Rotation::OneTime;
            config.version = version;
        });
        let bystander = sandbox.login();
        let first = sandbox.login();
        let second = sandbox.refresh(&first.refresh).tokens();
        assert_eq!(sandbox.resource(&first.access).status, 200);
        let exceeded = "Maximum allowed refresh token reuse exceeded";
        sandbox.refresh(&first.refresh).refused(400, "invalid_grant", exceeded);
        let detached = "Session doesn't have required client";
        sandbox.refresh(&second.refresh).refused(400, "invalid_grant", detached);
        sandbox.refresh(&first.refresh).refused(400, "invalid_grant", detached);
        assert_eq!(sandbox.resource(&first.access).status, 401);
        assert_eq!(sandbox.resource(&second.access).status, 401);
        assert_eq!(sandbox.counters().reuse_detected, 1);
        assert_eq!(sandbox.resource(&bystander.access).status, 200);
        assert_eq!(sandbox.refresh(&bystander.refresh).status, 200);
    }
}

#[test]
fn a_token_two_behind_is_stale_and_kills_as_well() {
    let sandbox = rotating();
    let first = sandbox.login();
    let second = sandbox.refresh(&first.refresh).tokens();
    let third = sandbox.refresh(&second.refresh).tokens();
    sandbox.refresh(&first.refresh).refused(400, "invalid_grant", "Stale token");
    let detached = "Session doesn't have required client";
    sandbox.refresh(&third.refresh).refused(400, "invalid_grant", detached);
    assert_eq!(sandbox.counters().reuse_detected, 1);
}

#[test]
fn a_session_without_its_client_stays_listed_and_counts_until_a_dead_token_logs_it_out() {
    let sandbox = sandbox_with(|config| {
        config.rotation = Rotation::OneTime;
        config.session_limit = Some(2);
    });
    let other = sandbox.login();
    let first = sandbox.login();
    let second = sandbox.refresh(&first.refresh).tokens();
    assert_eq!(sandbox.refresh(&first.refresh).status, 400);

    let listed = sandbox.account("GET", "sessions", &other.access).json();
    let zombie = listed.as_array().unwrap().iter().find(|entry| entry["id"] == first.session.as_str()).unwrap();
    assert_eq!(zombie["clients"], serde_json::json!([]));
    assert!(sandbox.sessions().iter().any(|view| view.id == first.session && view.clients.is_empty()));
    assert_eq!(sandbox.counters().sessions_open, 2);
    assert_eq!(sandbox.password(USER, PASSWORD).status, 403);

    assert_eq!(sandbox.logout(&second.refresh).status, 204);
    sandbox.refresh(&second.refresh).refused(400, "invalid_grant", "Session not active");
    assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
}

#[test]
fn a_used_token_still_logs_out() {
    let sandbox = rotating();
    let first = sandbox.login();
    let second = sandbox.refresh(&first.refresh).tokens();
    assert_eq!(sandbox.logout(&first.refresh).status, 204);
    sandbox.refresh(&second.refresh).refused(400, "invalid_grant", "Session not active");
    assert_eq!(sandbox.counters().reuse_detected, 0);
}

#[test]
fn an_expired_token_still_logs_out_a_session_that_its_sibling_keeps_alive() {
    let sandbox = sandbox();
    let first = sandbox.login();
    sandbox.advance(Duration::from_secs(2000));
    let second = sandbox.refresh(&first.refresh).tokens();
    sandbox.advance(Duration::from_secs(2000));
    sandbox.refresh(&first.refresh).refused(400, "invalid_grant", "Token is not active");
    assert_eq!(sandbox.logout(&first.refresh).status, 204);
    sandbox.refresh(&second.refresh).refused(400, "invalid_grant", "Session not active");
}

#[test]
fn of_many_refreshes_at_once_one_succeeds_and_its_tokens_are_dead() {
    let sandbox = rotating();
    let tokens = sandbox.login();
    let replies: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..32).map(|_| scope.spawn(|| sandbox.refresh(&tokens.refresh))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (ok, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!((ok.len(), refused.len()), (1, 31));
    let survivor = ok[0].tokens();
    assert_eq!(sandbox.resource(&survivor.access).status, 401);
    assert_eq!(sandbox.refresh(&survivor.refresh).status, 400);
}

#[test]
fn rotation_can_be_turned_on_and_off() {
    let sandbox = sandbox();
    let first = sandbox.login();
    sandbox.refresh(&first.refresh).tokens();
    sandbox.set_rotation(Rotation::OneTime);
    let second = sandbox.refresh(&first.refresh).tokens();
    sandbox.set_rotation(Rotation::Off);
    assert_eq!(sandbox.refresh(&first.refresh).status, 200);
    sandbox.set_rotation(Rotation::OneTime);
    assert_eq!(sandbox.refresh(&first.refresh).status, 400);
    assert_eq!(sandbox.refresh(&second.refresh).status, 400);
}
