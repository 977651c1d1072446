use crate::support::{USER, World};

#[test]
fn cli12_the_keys_of_status_are_always_the_same() {
    let world = World::new();
    let shapes = [
        world.cdse(["auth", "status", "--json"]),
        world.cdse_as(USER, ["auth", "status", "--json"]),
        world.cdse(["auth", "status", "--json"]).env("CDSE_ACCESS_TOKEN", "x"),
    ];
    for call in shapes {
        call.run().json();
    }
    world.log_in();
    let status = world.cdse(["auth", "--json", "status"]).run().ok().json();
    assert_eq!(status["logged_in"], true);
    assert_eq!(status["state"], "fresh");
    assert_eq!(status["username"], USER);
    assert_eq!(status["client_id"], "cdse-public");
    assert_eq!(status["credential"], "user");
    assert_eq!(status["store"]["kind"], "file");
    assert_eq!(status["store"]["path"], world.session_file().to_str().unwrap());
    for name in ["access_expires_at", "session_expires_at", "last_renewal_at"] {
        let text = status[name].as_str().unwrap();
        assert!(text.ends_with('Z') && text.len() == "2027-01-15T08:00:00Z".len(), "{text}");
    }
}

#[test]
fn cli12_the_states_and_exit_codes_of_status() {
    let world = World::new();
    let status = |code| {
        let done = world.cdse(["auth", "status", "--json"]).run().exits(code);
        assert_eq!(done.stderr, "");
        done.json()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(4), "missing");
    world.log_in();
    assert_eq!(status(0), "fresh");
    world.age(500);
    assert_eq!(status(0), "usable");
    world.age(200);
    assert_eq!(status(0), "expired");
    world.age(10_000);
    assert_eq!(status(5), "unknown");
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn cli12_the_token_as_json() {
    let world = World::logged_in();
    let token = world.cdse(["auth", "token"]).run().token();
    let json = world.cdse(["auth", "token", "--json"]).run().ok().json();
    assert_eq!(json["access_token"], token.as_str());
    assert_eq!(
        (&json["token_type"], &json["username"], &json["profile"]),
        (&"Bearer".into(), &USER.into(), &"default".into())
    );
    let expires_in = json["expires_in"].as_i64().unwrap();
    assert!((1..=600).contains(&expires_in) && json["expires_at"].is_string());
    assert_eq!(json.as_object().unwrap().len(), 7);
}

#[test]
fn cli7_errors_are_json_and_the_exit_code_is_the_same() {
    let world = World::new();
    let calls: [(&[&str], i32, &str); 4] = [
        (&["auth", "token"], 4, "login_required"),
        (&["auth", "token", "--nonsense"], 2, "usage"),
        (&["auth", "token", "--profile", ".x"], 2, "usage"),
        (&["auth", "login", "--no-input"], 2, "usage"),
    ];
    for (arguments, code, name) in calls {
        world.cdse(arguments).run().exits(code);
        let done = world.cdse(arguments.iter().chain(&["--json"])).run().exits(code).prints_nothing();
        let error = &done.error_json()["error"];
        assert_eq!((&error["code"], &error["exit"]), (&name.into(), &code.into()), "{arguments:?}");
        assert!(error["message"].is_string() && error["hint"].is_string());
        assert_eq!(done.error_json()["warnings"], serde_json::json!([]));
        assert_eq!(done.stderr.lines().count(), 1);
    }
}

#[test]
fn m12_status_shows_a_hold_and_its_reason() {
    let world = World::new();
    let call =
        |command| world.cdse(["auth", command, "--json"]).env("CDSE_USERNAME", USER).env("CDSE_PASSWORD", "CANARY");
    call("token").run().exits(4);
    let status = call("status").run().exits(4).json();
    assert!(status["hold"]["until"].is_string() && status["hold"]["reason"].is_string(), "{status}");
    assert_eq!(status["hold"].as_object().unwrap().len(), 2);
}

#[test]
fn cli4_a_refresh_token_that_was_not_used_yet_can_be_used() {
    let world = World::logged_in();
    let token = world.stored_refresh_token();
    let elsewhere = tempfile::tempdir().unwrap();
    let with = |arguments: &[&str]| {
        world.cdse(arguments).env("CDSE_STATE_DIR", elsewhere.path()).env("CDSE_REFRESH_TOKEN", &token)
    };
    let done = with(&["auth", "status"]).run().ok();
    assert!(done.stdout.contains("not used yet"), "{done:?}");
    with(&["auth", "token"]).run().token();
    with(&["auth", "status"]).run().ok();
}

#[test]
fn cli4_credentials_that_cannot_be_used_are_no_success() {
    let world = World::new();
    let blocked = || world.cdse_as("disabled@example.com", ["auth", "status"]);
    blocked().run().ok();
    world.cdse_as("disabled@example.com", ["auth", "token"]).run().exits(4);
    assert_eq!(blocked().run().code, Some(4));
    let code = world.sandbox.totp_code(crate::support::MFA).unwrap();
    let with = |arguments: &[&str]| world.cdse_as(crate::support::MFA, arguments).env("CDSE_TOTP", &code);
    with(&["auth", "token"]).run().token();
    with(&["auth", "logout"]).run().ok();
    assert_eq!(with(&["auth", "status"]).run().code, Some(4), "the code is spent");
}

#[test]
fn cli12_what_is_not_known_is_null() {
    let world = World::new();
    let token = world.cdse(["auth", "token", "--json"]).env("CDSE_ACCESS_TOKEN", "opaque").run().ok().json();
    assert_eq!((&token["expires_at"], &token["expires_in"]), (&serde_json::Value::Null, &serde_json::Value::Null));
}
