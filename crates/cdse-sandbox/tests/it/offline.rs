//! Offline sessions. What Keycloak was seen to answer about them is judged elsewhere; this is what else there is.

use std::time::Duration;

use cdse_sandbox::KeycloakVersion::{V21, V26};
use cdse_sandbox::Sandbox;

use crate::client::{Calls, PASSWORD, START, Tokens, claims, password_fields, sandbox_of};

const OFFLINE: &str = "offline@example.com";

fn offline_login(sandbox: &Sandbox) -> Tokens {
    let mut fields = password_fields(OFFLINE, PASSWORD);
    fields.push(("scope", "offline_access"));
    sandbox.token(&fields).tokens()
}

#[test]
fn an_offline_session_is_open_and_counted_once_and_outlives_time_and_service() {
    for version in [V26, V21] {
        let sandbox = sandbox_of(version);
        let login = offline_login(&sandbox);
        assert_eq!(sandbox.counters().sessions_open, 1);
        let views = sandbox.sessions();
        assert_eq!((views.len(), views[0].id.as_str(), views[0].offline), (1, login.session.as_str(), true));
        sandbox.advance(Duration::from_secs(400 * 86_400));
        sandbox.restart();
        let again = sandbox.refresh(&login.refresh).tokens();
        assert_eq!(again.session, login.session);
        let views = sandbox.sessions();
        let used = START + 400 * 86_400;
        assert_eq!((views[0].started, views[0].last_access, views[0].expires), (START, used, used + 30 * 86_400));
        assert!(sandbox.end_session(&login.session));
        assert_eq!(sandbox.counters().sessions_open, 0);
        sandbox.refresh(&again.refresh).refused(400, "invalid_grant", "Offline user session not found");
        assert!(!sandbox.end_session(&login.session));
    }
}

#[test]
fn an_offline_token_says_so_and_has_no_end() {
    let sandbox = sandbox_of(V26);
    let login = offline_login(&sandbox);
    let refresh = claims(&login.refresh);
    assert_eq!((refresh["typ"].as_str(), refresh.get("exp")), (Some("Offline"), None));
    let access = claims(&login.access);
    assert_eq!(access["realm_access"]["roles"][0], "offline_access");
    assert!(access["jti"].as_str().unwrap().starts_with("ofrtro:"));
}
