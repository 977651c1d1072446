use std::time::Duration;

use cdse_sandbox::KeycloakVersion::{V21, V26};

use crate::client::{Calls, PASSWORD, Tokens, USER, password_fields, path_of, sandbox, sandbox_of};

fn openid(sandbox: &cdse_sandbox::Sandbox) -> Tokens {
    let mut fields = password_fields(USER, PASSWORD);
    fields.push(("scope", "openid"));
    sandbox.token(&fields).tokens()
}

const FAILED: &str = r#"Bearer realm="CDSE", error="invalid_token", error_description="Token verification failed""#;

#[test]
fn userinfo_says_who_the_bearer_is() {
    let sandbox = sandbox();
    let reply = sandbox.userinfo(&openid(&sandbox).access);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["preferred_username"], USER);
    assert!(reply.json()["sub"].is_string());
}

#[test]
fn userinfo_needs_the_openid_scope() {
    let sandbox = sandbox();
    let reply = sandbox.userinfo(&sandbox.login().access);
    assert_eq!(reply.status, 403);
    assert_eq!(
        reply.header("www-authenticate"),
        Some(r#"Bearer realm="CDSE", error="insufficient_scope", error_description="Missing openid scope""#)
    );
}

#[test]
fn userinfo_refuses_bad_tokens() {
    let sandbox = sandbox();
    let tokens = openid(&sandbox);
    let path = "/auth/realms/CDSE/protocol/openid-connect/userinfo";
    let reply = sandbox.call("GET", path, &[], "");
    assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some(r#"Bearer realm="CDSE""#)));
    for token in ["garbage", &tokens.refresh] {
        let reply = sandbox.userinfo(token);
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some(FAILED)));
        assert_eq!(reply.body.len(), 0);
    }
    sandbox.advance(Duration::from_secs(601));
    assert_eq!(sandbox.userinfo(&tokens.access).header("www-authenticate"), Some(FAILED));
}

#[test]
fn userinfo_names_an_ended_session_by_version() {
    for (version, description) in
        [(V26, "user_session_not_found"), (V21, "User session not found or doesn't have client attached on it")]
    {
        let sandbox = sandbox_of(version);
        let tokens = openid(&sandbox);
        assert_eq!(sandbox.logout(&tokens.refresh).status, 204);
        let reply = sandbox.userinfo(&tokens.access);
        assert_eq!(reply.status, 401);
        let expected = format!(r#"Bearer realm="CDSE", error="invalid_token", error_description="{description}""#);
        assert_eq!(reply.header("www-authenticate"), Some(expected.as_str()));
    }
}

#[test]
fn the_resource_is_for_bearers_of_good_tokens_only() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    assert_eq!(sandbox.resource(&tokens.access).body, b"PK\x03\x04sandbox\n");
    let reply = sandbox.call("GET", &path_of(&sandbox.resource_url()), &[], "");
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    assert_eq!(reply.json()["code"], "DAT-ZIP-604");
    for token in ["garbage", &tokens.refresh] {
        let reply = sandbox.resource(token);
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer")));
    }
    sandbox.advance(Duration::from_secs(600));
    assert_eq!(sandbox.resource(&tokens.access).status, 200);
    sandbox.advance(Duration::from_secs(1));
    let reply = sandbox.resource(&tokens.access);
    assert_eq!((reply.status, reply.json()["code"].as_str()), (401, Some("DAT-ZIP-109")));
    let counters = sandbox.counters();
    assert_eq!((counters.resource_ok, counters.resource_refused), (2, 4));
}

#[test]
fn the_discovery_document_names_what_is_served() {
    let sandbox = sandbox();
    let path = path_of(&format!("{}/.well-known/openid-configuration", sandbox.realm_url()));
    let document = sandbox.call("GET", &path, &[], "").json();
    assert_eq!(document["issuer"], sandbox.realm_url());
    assert_eq!(document["token_endpoint"], sandbox.token_url());
    let logout = format!("{}/protocol/openid-connect/logout", sandbox.realm_url());
    assert_eq!(document["end_session_endpoint"], logout);
}
