use std::time::Duration;

use cdse_sandbox::Lifetimes;

use crate::client::{Calls, PASSWORD, START, USER, claims, refresh_fields, sandbox, sandbox_with};

fn seconds(access: u64, idle: u64, max: u64) -> Lifetimes {
    let [access, idle, max] = [access, idle, max].map(Duration::from_secs);
    Lifetimes { access, idle, max }
}

#[test]
fn without_rotation_older_tokens_go_on_working_in_one_session() {
    let sandbox = sandbox();
    let first = sandbox.login();
    let second = sandbox.refresh(&first.refresh).tokens();
    assert_ne!(second.refresh, first.refresh);
    assert_ne!(second.access, first.access);
    assert_eq!(second.session, first.session);
    assert_eq!(sandbox.refresh(&first.refresh).status, 200);
    assert_eq!(sandbox.refresh(&second.refresh).status, 200);
    assert_eq!(sandbox.resource(&first.access).status, 200);
    let counters = sandbox.counters();
    assert_eq!((counters.refreshes_ok, counters.sessions_open, counters.reuse_detected), (3, 1, 0));
}

#[test]
fn bad_refresh_tokens_are_refused_and_do_no_harm() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    let mut forged = tokens.refresh.clone();
    let last = if forged.ends_with('A') { 'B' } else { 'A' };
    forged.pop();
    forged.push(last);
    for bad in ["garbage", "", &forged, &tokens.access] {
        sandbox.refresh(bad).refused(400, "invalid_grant", "Invalid refresh token");
    }
    let fields = refresh_fields(&tokens.refresh);
    sandbox.token(&fields[..2]).refused(400, "invalid_request", "No refresh token");
    let invalid = "Invalid client or Invalid client credentials";
    sandbox.token(&fields[1..]).refused(401, "invalid_client", invalid);
    let other = [("client_id", "other-public"), fields[1], fields[2]];
    sandbox.token(&other).refused(
        400,
        "invalid_grant",
        "Invalid refresh token. Token client and authorized client don't match",
    );
    assert_eq!(sandbox.counters().refresh_failures, 7);
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
}

#[test]
fn an_idle_session_ends_with_its_refresh_token() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    sandbox.advance(Duration::from_secs(3599));
    let tokens = sandbox.refresh(&tokens.refresh).tokens();
    sandbox.advance(Duration::from_secs(3600));
    sandbox.refresh(&tokens.refresh).refused(400, "invalid_grant", "Session not active");
    sandbox.advance(Duration::from_secs(1));
    sandbox.refresh(&tokens.refresh).refused(400, "invalid_grant", "Token is not active");
    assert_eq!(sandbox.counters().sessions_open, 0);
}

#[test]
fn lifetimes_are_cut_to_the_rest_of_the_session() {
    let sandbox = sandbox_with(|config| config.lifetimes = seconds(60, 8, 20));
    let mut tokens = sandbox.login();
    assert_eq!((tokens.expires_in, tokens.refresh_expires_in), (20, 8));
    assert_eq!(claims(&tokens.access)["exp"], START + 20);
    assert_eq!(claims(&tokens.refresh)["exp"], START + 8);
    for (advance, expected) in [(7, (13, 8)), (6, (7, 7)), (6, (1, 1))] {
        sandbox.advance(Duration::from_secs(advance));
        tokens = sandbox.refresh(&tokens.refresh).tokens();
        assert_eq!((tokens.expires_in, tokens.refresh_expires_in), expected);
    }
    sandbox.advance(Duration::from_secs(1));
    sandbox.refresh(&tokens.refresh).refused(400, "invalid_grant", "Session not active");
    sandbox.advance(Duration::from_secs(1));
    sandbox.refresh(&tokens.refresh).refused(400, "invalid_grant", "Token is not active");
}

#[test]
fn lifetimes_can_be_changed_while_it_runs() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    sandbox.set_lifetimes(seconds(5, 100, 1000));
    let tokens = sandbox.refresh(&tokens.refresh).tokens();
    assert_eq!((tokens.expires_in, tokens.refresh_expires_in), (5, 100));
}

#[test]
fn a_changed_password_leaves_sessions_alone() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    sandbox.set_password(USER, "changed");
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
    assert_eq!(sandbox.password(USER, PASSWORD).status, 400);
    assert_eq!(sandbox.password(USER, "changed").status, 200);
}

#[test]
fn a_disabled_user_can_refresh_again_once_enabled() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    sandbox.set_enabled(USER, false);
    sandbox.refresh(&tokens.refresh).refused(400, "invalid_grant", "User disabled");
    assert_eq!(sandbox.resource(&tokens.access).status, 401);
    sandbox.set_enabled(USER, true);
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
}

#[test]
fn a_not_before_makes_what_was_issued_stale_and_nothing_else() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    sandbox.push_not_before();
    sandbox.refresh(&tokens.refresh).refused(400, "invalid_grant", "Stale token");
    assert_eq!(sandbox.resource(&tokens.access).status, 401);
    let reply = sandbox.password(USER, PASSWORD);
    assert_eq!(reply.json()["not-before-policy"], START);
    let tokens = reply.tokens();
    assert_eq!(sandbox.resource(&tokens.access).status, 200);
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
}

#[test]
fn a_session_that_somebody_else_ended_is_not_active() {
    let sandbox = sandbox();
    let (ended, other) = (sandbox.login(), sandbox.login());
    assert!(sandbox.end_session(&ended.session));
    assert!(!sandbox.end_session(&ended.session));
    sandbox.refresh(&ended.refresh).refused(400, "invalid_grant", "Session not active");
    let other = sandbox.refresh(&other.refresh).tokens();
    sandbox.restart();
    sandbox.refresh(&other.refresh).refused(400, "invalid_grant", "Session not active");
    assert_eq!(sandbox.sessions(), []);
}
