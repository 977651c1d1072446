use cdse_sandbox::KeycloakVersion::{V21, V26};

use crate::client::{
    Calls, FORM, JSON, PASSWORD, START, USER, claims, encode, part, password_fields, sandbox, sandbox_of,
};

/// The top-level keys of a JSON object, in the order in which they are written.
fn keys(body: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut strings = body.split('"').skip(1).step_by(2);
    let mut separators = body.split('"').skip(2).step_by(2);
    while let (Some(string), Some(separator)) = (strings.next(), separators.next()) {
        if separator.starts_with(':') {
            keys.push(string.to_owned());
        }
    }
    keys
}

#[test]
fn a_login_answers_keys_in_keycloaks_order_and_numbers_as_integers() {
    let sandbox = sandbox();
    let reply = sandbox.password(USER, PASSWORD);
    assert_eq!(
        keys(reply.text()),
        [
            "access_token",
            "expires_in",
            "refresh_expires_in",
            "refresh_token",
            "token_type",
            "not-before-policy",
            "session_state",
            "scope"
        ]
    );
    let json = reply.json();
    assert_eq!(json["expires_in"], 600);
    assert_eq!(json["refresh_expires_in"], 3600);
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["not-before-policy"], 0);
    assert_eq!(json["scope"], "profile email");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("pragma"), Some("no-cache"));
    assert_eq!(reply.header("date"), None);
    assert_eq!(reply.header("set-cookie"), None);
    assert_eq!(reply.header("x-robots-tag"), Some("none"));
}

#[test]
fn tokens_have_the_form_of_26() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    assert!((1250..1400).contains(&tokens.access.len()), "{}", tokens.access.len());
    let header: serde_json::Value = serde_json::from_slice(&part(&tokens.access, 0)).unwrap();
    assert_eq!(header["alg"], "RS256");
    assert_eq!(part(&tokens.access, 2).len(), 256);
    assert_eq!(
        keys(std::str::from_utf8(&part(&tokens.access, 1)).unwrap()),
        [
            "exp",
            "iat",
            "jti",
            "iss",
            "aud",
            "sub",
            "typ",
            "azp",
            "sid",
            "acr",
            "allowed-origins",
            "realm_access",
            "roles",
            "resource_access",
            "account",
            "roles",
            "scope",
            "email_verified",
            "name",
            "preferred_username",
            "given_name",
            "family_name",
            "email"
        ]
    );
    let access = claims(&tokens.access);
    assert_eq!(access["iat"], START);
    assert_eq!(access["exp"], START + 600);
    assert_eq!(access["iss"], sandbox.realm_url());
    assert_eq!(access["azp"], "cdse-public");
    assert_eq!(access["sid"], tokens.session);
    assert_eq!(access["preferred_username"], USER);
    assert!(access["jti"].as_str().unwrap().starts_with("onrtro:"));
    assert_eq!(tokens.session.len(), 24);

    let refresh = claims(&tokens.refresh);
    assert_eq!(refresh["typ"], "Refresh");
    assert_eq!(refresh["exp"], START + 3600);
    assert_eq!(refresh["aud"], sandbox.realm_url());
    assert_eq!(refresh["sub"], access["sub"]);
    assert_eq!(part(&tokens.refresh, 2).len(), 64);

    let refreshed = sandbox.refresh(&tokens.refresh).tokens();
    assert!(claims(&refreshed.access)["jti"].as_str().unwrap().starts_with("onrtrt:"));
}

#[test]
fn tokens_have_the_form_of_21() {
    let sandbox = sandbox_of(V21);
    let reply = sandbox.password(USER, PASSWORD);
    assert_eq!(reply.head.matches("set-cookie: ").count(), 2);
    assert_eq!(reply.header("x-xss-protection"), Some("1; mode=block"));
    let tokens = reply.tokens();
    assert_eq!(tokens.session.len(), 36);
    let access = claims(&tokens.access);
    assert_eq!(access["session_state"], tokens.session);
    assert_eq!(access["sid"], tokens.session);
    assert_eq!(access["jti"].as_str().unwrap().len(), 36);
    assert_eq!(part(&tokens.refresh, 2).len(), 32);
    assert_eq!(claims(&tokens.refresh)["session_state"], tokens.session);
}

#[test]
fn an_id_token_comes_with_the_openid_scope_only() {
    let sandbox = sandbox();
    let mut fields = password_fields(USER, PASSWORD);
    fields.push(("scope", "openid"));
    let json = sandbox.token(&fields).json();
    assert_eq!(json["scope"], "openid profile email");
    let id = claims(json["id_token"].as_str().unwrap());
    assert_eq!(id["typ"], "ID");
    assert_eq!(id["aud"], "cdse-public");
    let refreshed = sandbox.refresh(json["refresh_token"].as_str().unwrap()).json();
    assert!(refreshed["id_token"].is_string());
    assert!(sandbox.password(USER, PASSWORD).json().get("id_token").is_none());
}

#[test]
fn every_login_opens_a_session_of_its_own() {
    let sandbox = sandbox();
    assert_ne!(sandbox.login().session, sandbox.login().session);
    assert_eq!(sandbox.counters().sessions_open, 2);
}

#[test]
fn wrong_credentials_share_one_body_and_differ_in_status_by_version() {
    for (version, status) in [(V26, 400), (V21, 401)] {
        let sandbox = sandbox_of(version);
        for (username, password) in [(USER, "nope"), (USER, ""), ("nobody@example.com", PASSWORD)] {
            sandbox.password(username, password).refused(status, "invalid_grant", "Invalid user credentials");
        }
        let without_password = &password_fields(USER, PASSWORD)[..3];
        sandbox.token(without_password).refused(status, "invalid_grant", "Invalid user credentials");
        assert_eq!(sandbox.counters().login_failures, 4);
        assert_eq!(sandbox.counters().password_grants, 4);
        assert_eq!(sandbox.counters().logins_ok, 0);
    }
}

#[test]
fn usernames_know_no_case_but_spaces() {
    let sandbox = sandbox();
    assert_eq!(sandbox.password("User@Example.COM", PASSWORD).status, 200);
    assert_eq!(sandbox.password(" user@example.com", PASSWORD).status, 400);
    assert_eq!(sandbox.password(USER, "s3cret!\n").status, 400);
}

#[test]
fn disabled_users_are_recognised_after_the_password_on_26_and_before_it_on_21() {
    let disabled = "disabled@example.com";
    for (version, description) in [(V26, "Invalid user credentials"), (V21, "Account disabled")] {
        let sandbox = sandbox_of(version);
        sandbox.password(disabled, PASSWORD).refused(400, "invalid_grant", "Account disabled");
        sandbox.password(disabled, "nope").refused(400, "invalid_grant", description);
    }
}

#[test]
fn a_required_action_shows_only_to_the_right_password() {
    let sandbox = sandbox();
    let action = "action@example.com";
    sandbox.password(action, PASSWORD).refused(400, "invalid_grant", "Account is not fully set up");
    sandbox.password(action, "nope").refused(400, "invalid_grant", "Invalid user credentials");
}

#[test]
fn clients_are_checked_before_users() {
    let sandbox = sandbox();
    let with_client = |id: &'static str| {
        let mut fields = password_fields(USER, "nope");
        fields[0] = ("client_id", id);
        sandbox.token(&fields)
    };
    let invalid = "Invalid client or Invalid client credentials";
    with_client("nobody").refused(401, "invalid_client", invalid);
    with_client("sh-client").refused(401, "unauthorized_client", invalid);
    with_client("no-grants").refused(400, "unauthorized_client", "Client not allowed for direct access grants");
    sandbox.token(&password_fields(USER, PASSWORD)[1..]).refused(401, "invalid_client", invalid);
}

#[test]
fn malformed_token_requests_are_refused() {
    let sandbox = sandbox();
    let fields = password_fields(USER, PASSWORD);
    sandbox.token(&[]).refused(400, "invalid_request", "Missing form parameter: grant_type");
    sandbox.token(&[("client_id", "cdse-public"), ("grant_type", "magic")]).refused(
        400,
        "unsupported_grant_type",
        "Unsupported grant_type",
    );
    sandbox.token(&[fields[0], fields[1], fields[3]]).refused(401, "invalid_request", "Missing parameter: username");
    let mut twice = fields.clone();
    twice.push(("username", "other@example.com"));
    sandbox.token(&twice).refused(400, "invalid_request", "duplicated parameter");
    let mut scope = fields.clone();
    scope.push(("scope", "nonexistent"));
    sandbox.token(&scope).refused(400, "invalid_scope", "Invalid scopes: nonexistent");
    let mut offline = fields.clone();
    offline.push(("scope", "offline_access"));
    sandbox.token(&offline).refused(400, "not_allowed", "Offline tokens not allowed for the user or client");
    assert_eq!(sandbox.counters().sessions_open, 0);
}

#[test]
fn only_a_form_in_a_post_is_a_token_request() {
    let path = "/auth/realms/CDSE/protocol/openid-connect/token";
    let body = encode(&password_fields(USER, PASSWORD));
    let json = ("content-type", "application/json");
    let sandbox = sandbox();
    sandbox.call("GET", path, &[], "").refused(405, "HTTP 405 Method Not Allowed", "");
    sandbox.call("PUT", path, &[FORM], &body).refused(405, "HTTP 405 Method Not Allowed", "");
    let missing = "Missing form parameter: grant_type";
    sandbox.call("POST", path, &[json], "{}").refused(400, "invalid_request", missing);
    sandbox.call("POST", path, &[], &body).refused(400, "invalid_request", missing);
    let charset = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    assert_eq!(sandbox.call("POST", &format!("{path}/"), &[charset, JSON], &body).status, 200);

    let sandbox = sandbox_of(V21);
    assert_eq!(sandbox.call("POST", path, &[json], "{}").status, 415);
    assert!(sandbox.call("GET", path, &[], "").error().1.starts_with("RESTEASY003650"));
}

#[test]
fn other_realms_and_paths_are_not_found() {
    let sandbox = sandbox();
    for realm in ["NOPE", "cdse"] {
        let path = format!("/auth/realms/{realm}/protocol/openid-connect/token");
        sandbox.call("POST", &path, &[FORM], "a=b").refused(404, "Realm does not exist", "");
    }
    for path in ["/", "/realms/CDSE/protocol/openid-connect/token", "/auth/realms/CDSE/nothing"] {
        assert_eq!(sandbox.call("GET", path, &[], "").status, 404, "{path}");
    }
}

#[test]
fn fields_that_are_too_long_are_413_on_26_only() {
    let long = "x".repeat(2_000_000);
    assert_eq!(sandbox().password(USER, &long[..100_000]).status, 400);
    sandbox().password(USER, &long).refused(413, "HTTP 413 Request Entity Too Large", "");
    assert_eq!(sandbox_of(V21).password(USER, &long).status, 401);
}

#[test]
fn a_service_account_gets_an_access_token_and_nothing_else() {
    let sandbox = sandbox();
    let reply = sandbox.token(&[
        ("grant_type", "client_credentials"),
        ("client_id", "sh-client"),
        ("client_secret", "sh-secret"),
    ]);
    assert_eq!(
        keys(reply.text()),
        ["access_token", "expires_in", "refresh_expires_in", "token_type", "not-before-policy", "scope"]
    );
    let tokens = reply.tokens();
    assert_eq!((tokens.expires_in, tokens.refresh_expires_in), (1800, 0));
    let claims = claims(&tokens.access);
    assert_eq!(claims["client_id"], "sh-client");
    assert_eq!(claims["preferred_username"], "service-account-sh-client");
    assert!(claims.get("sid").is_none());
    assert_eq!(sandbox.counters().sessions_open, 0);
    assert_eq!(sandbox.resource(&tokens.access).status, 200);
}

#[test]
fn clients_may_authenticate_with_http_basic() {
    let sandbox = sandbox();
    let path = "/auth/realms/CDSE/protocol/openid-connect/token";
    let basic = |pair: &str| format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()));
    let credentials = |pair: &str| {
        let value = basic(pair);
        sandbox.call("POST", path, &[FORM, ("authorization", &value)], "grant_type=client_credentials")
    };
    assert_eq!(credentials("sh-client:sh-secret").status, 200);
    let invalid = "Invalid client or Invalid client credentials";
    credentials("sh-client:nope").refused(401, "unauthorized_client", invalid);
    credentials("sh-nope:nope").refused(401, "invalid_client", invalid);
    credentials("cdse-public:").refused(
        401,
        "unauthorized_client",
        "Public client not allowed to retrieve service account",
    );
    assert_eq!(sandbox.counters().client_credentials_grants, 4);
    assert_eq!(sandbox.counters().client_credentials_ok, 1);

    let value = basic("cdse-public:");
    let body = encode(&password_fields(USER, PASSWORD)[1..]);
    assert_eq!(sandbox.call("POST", path, &[FORM, ("authorization", &value)], &body).status, 200);
}
