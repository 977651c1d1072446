use std::time::Duration;

use cdse_sandbox::KeycloakVersion::V21;
use serde_json::json;

use crate::client::{Calls, JSON, PASSWORD, START, USER, sandbox, sandbox_of};

#[test]
fn sessions_are_listed_with_the_callers_marked() {
    let sandbox = sandbox();
    let first = sandbox.login();
    sandbox.advance(Duration::from_secs(5));
    let second = sandbox.login();
    sandbox.advance(Duration::from_secs(5));
    let second = sandbox.refresh(&second.refresh).tokens();
    sandbox.set_enabled("disabled@example.com", true);
    sandbox.password("disabled@example.com", PASSWORD).tokens();
    let reply = sandbox.account("GET", "sessions", &second.access);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json;charset=UTF-8"));
    let clients = json!([{
        "clientId": "cdse-public", "userConsentRequired": false, "inUse": false, "offlineAccess": false
    }]);
    assert_eq!(
        reply.json(),
        json!([
            {
                "id": first.session, "ipAddress": "127.0.0.1", "started": START, "lastAccess": START,
                "expires": START + 36_000, "clients": clients
            },
            {
                "id": second.session, "ipAddress": "127.0.0.1", "started": START + 5, "lastAccess": START + 10,
                "expires": START + 36_005, "clients": clients, "current": true
            }
        ])
    );
    let views = sandbox.sessions();
    assert_eq!(views.len(), 3);
    assert_eq!((views[0].id.as_str(), views[0].username.as_str()), (first.session.as_str(), USER));
}

#[test]
fn one_session_can_be_ended_and_an_unknown_one_is_no_error() {
    let sandbox = sandbox();
    let (first, second) = (sandbox.login(), sandbox.login());
    assert_eq!(sandbox.account("DELETE", &format!("sessions/{}", first.session), &second.access).status, 204);
    assert_eq!(sandbox.account("DELETE", "sessions/unknown", &second.access).status, 204);
    sandbox.refresh(&first.refresh).refused(400, "invalid_grant", "Session not active");
    assert_eq!(sandbox.account("DELETE", &format!("sessions/{}", second.session), &second.access).status, 204);
    sandbox.account("GET", "sessions", &second.access).refused(401, "HTTP 401 Unauthorized", "");
}

#[test]
fn somebody_elses_session_stays() {
    let sandbox = sandbox();
    let mine = sandbox.login();
    sandbox.set_enabled("disabled@example.com", true);
    let theirs = sandbox.password("disabled@example.com", PASSWORD).tokens();
    assert_eq!(sandbox.account("DELETE", &format!("sessions/{}", theirs.session), &mine.access).status, 204);
    assert_eq!(sandbox.account("DELETE", "sessions?current=true", &mine.access).status, 204);
    assert_eq!(sandbox.refresh(&theirs.refresh).status, 200);
    assert_eq!(sandbox.refresh(&mine.refresh).status, 400);
}

#[test]
fn all_sessions_are_all_others_unless_the_own_is_asked_for() {
    let sandbox = sandbox();
    let (first, second) = (sandbox.login(), sandbox.login());
    assert_eq!(sandbox.account("DELETE", "sessions", &second.access).status, 204);
    assert_eq!(sandbox.refresh(&first.refresh).status, 400);
    assert_eq!(sandbox.refresh(&second.refresh).status, 200);
    assert_eq!(sandbox.account("DELETE", "sessions?current=true", &second.access).status, 204);
    assert_eq!(sandbox.refresh(&second.refresh).status, 400);
}

#[test]
fn only_a_users_good_access_token_opens_the_account() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    let service = sandbox
        .token(&[("grant_type", "client_credentials"), ("client_id", "sh-client"), ("client_secret", "sh-secret")])
        .tokens();
    for token in ["garbage", &tokens.refresh, &service.access] {
        sandbox.account("GET", "sessions", token).refused(401, "HTTP 401 Unauthorized", "");
    }
    let path = "/auth/realms/CDSE/account/sessions";
    sandbox.call("GET", path, &[JSON], "").refused(401, "HTTP 401 Unauthorized", "");
    sandbox.advance(Duration::from_secs(601));
    sandbox.account("GET", "sessions", &tokens.access).refused(401, "HTTP 401 Unauthorized", "");
}

#[test]
fn without_asking_for_json_there_is_no_account_api() {
    let path = "/auth/realms/CDSE/account/sessions";
    let sandbox = sandbox();
    let bearer = format!("Bearer {}", sandbox.login().access);
    for accept in ["*/*", "text/html"] {
        let reply = sandbox.call("GET", path, &[("authorization", &bearer), ("accept", accept)], "");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    }
    let sandbox = sandbox_of(V21);
    let bearer = format!("Bearer {}", sandbox.login().access);
    let reply = sandbox.call("GET", path, &[("authorization", &bearer)], "");
    assert_eq!(reply.status, 404);
    assert!(reply.error().1.starts_with("RESTEASY003210"));
}
