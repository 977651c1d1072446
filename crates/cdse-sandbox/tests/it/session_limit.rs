use std::time::Duration;

use cdse_sandbox::KeycloakVersion::{V21, V26};
use cdse_sandbox::{KeycloakVersion, Sandbox};

use crate::client::{Calls, FORM, JSON, PASSWORD, USER, encode, password_fields, sandbox_with};

fn limited(version: KeycloakVersion) -> Sandbox {
    sandbox_with(|config| {
        config.version = version;
        config.session_limit = Some(3);
    })
}

const PATH: &str = "/auth/realms/CDSE/protocol/openid-connect/token";

#[test]
fn past_the_limit_26_answers_403_with_a_page_or_json_as_asked() {
    let sandbox = limited(V26);
    for _ in 0..3 {
        sandbox.login();
    }
    let body = encode(&password_fields(USER, PASSWORD));
    for accept in [None, Some(("accept", "*/*")), Some(("accept", "text/html"))] {
        let headers: Vec<_> = [FORM].into_iter().chain(accept).collect();
        let reply = sandbox.call("POST", PATH, &headers, &body);
        assert_eq!(reply.status, 403);
        assert_eq!(reply.header("content-type"), Some("text/html;charset=utf-8"));
        assert!(reply.text().contains("There are too many sessions"));
    }
    let reply = sandbox.call("POST", PATH, &[FORM, JSON], &body);
    assert_eq!((reply.status, reply.text()), (403, r#"{"error":"There are too many sessions"}"#));
    sandbox.password(USER, "nope").refused(400, "invalid_grant", "Invalid user credentials");
    assert_eq!(sandbox.counters().sessions_open, 3);
}

#[test]
fn past_the_limit_21_answers_401_json() {
    let sandbox = limited(V21);
    for _ in 0..3 {
        sandbox.login();
    }
    sandbox.password(USER, PASSWORD).refused(401, "generic_authentication_error", "sessionLimitExceeded");
}

#[test]
fn a_full_account_can_refresh_and_a_logout_makes_room() {
    let sandbox = limited(V26);
    let tokens = sandbox.login();
    sandbox.login();
    sandbox.login();
    let tokens = sandbox.refresh(&tokens.refresh).tokens();
    assert_eq!(sandbox.password(USER, PASSWORD).status, 403);
    assert_eq!(sandbox.logout(&tokens.refresh).status, 204);
    sandbox.login();
    assert_eq!(sandbox.password(USER, PASSWORD).status, 403);
}

#[test]
fn sessions_that_ran_out_and_those_of_others_do_not_count() {
    let sandbox = limited(V26);
    for _ in 0..3 {
        sandbox.login();
    }
    sandbox.set_password("mfa@example.com", "x");
    sandbox.set_enabled("disabled@example.com", true);
    assert_eq!(sandbox.password("disabled@example.com", PASSWORD).status, 200);
    sandbox.advance(Duration::from_secs(3600));
    sandbox.login();
    sandbox.set_session_limit(Some(1));
    assert_eq!(sandbox.password(USER, PASSWORD).status, 403);
    sandbox.set_session_limit(None);
    sandbox.login();
}
