use crate::support::{MFA, PASSWORD, TOTP_SECRET, USER, World};

/// Everything at once, the strongest taken away one by one.
#[test]
fn cli4_one_precedence_and_status_names_the_winner() {
    let world = World::logged_in();
    let refresh = world.stored_refresh_token();
    let variables = [
        ("CDSE_ACCESS_TOKEN", "CANARY", "environment CDSE_ACCESS_TOKEN"),
        ("CDSE_REFRESH_TOKEN", refresh.as_str(), "environment CDSE_REFRESH_TOKEN"),
        ("CDSE_CLIENT_ID", "sh-client", "environment CDSE_CLIENT_ID"),
        ("CDSE_CLIENT_SECRET", "sh-secret", ""),
        ("CDSE_USERNAME", USER, "environment CDSE_USERNAME"),
        ("CDSE_PASSWORD", PASSWORD, ""),
    ];
    for (nth, (_, _, winner)) in variables.iter().enumerate().filter(|(_, (_, _, winner))| !winner.is_empty()) {
        let with = |arguments: &[&str]| {
            variables[nth..].iter().fold(world.cdse(arguments), |call, (name, value, _)| call.env(name, value))
        };
        let status = with(&["auth", "status", "--json"]).run().json();
        assert_eq!(status["source"], *winner);
        assert_eq!(status["profile"], serde_json::Value::Null);
        // A flag wins over all of them.
        let status = with(&["auth", "status", "--json", "--profile", "default"]).run().ok().json();
        assert_eq!((&status["source"], &status["profile"]), (&"profile default".into(), &"default".into()));
    }
    let status = world.cdse(["auth", "status", "--json"]).run().json();
    assert_eq!(status["source"], "profile default");
}

#[test]
fn cli4_half_a_pair_names_the_missing_one() {
    let world = World::logged_in();
    let pairs = [("CDSE_CLIENT_ID", "CDSE_CLIENT_SECRET"), ("CDSE_USERNAME", "CDSE_PASSWORD")];
    for (one, other) in pairs {
        for (given, missing) in [(one, other), (other, one)] {
            for command in ["token", "status", "refresh", "logout"] {
                let done = world.cdse(["auth", command]).env(given, "CANARY").run().exits(2).prints_nothing();
                assert!(done.stderr.contains(&format!("{missing} is not")), "{done:?}");
            }
            // An empty one counts as unset; what stands above half a pair wins.
            world.cdse(["auth", "status"]).env(given, "").run().ok();
            world.cdse(["auth", "status"]).env(given, "CANARY").env("CDSE_ACCESS_TOKEN", "x").run().ok();
        }
    }
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn cli4_an_access_token_is_used_as_it_is_and_never_stored() {
    let world = World::logged_in();
    let token = world.cdse(["auth", "token"]).run().token();
    let home = tempfile::tempdir().unwrap();
    let with = |arguments: &[&str], token: &str| {
        world.cdse(arguments).env("CDSE_STATE_DIR", home.path().join("none")).env("CDSE_ACCESS_TOKEN", token)
    };
    assert_eq!(with(&["auth", "token"], &token).run().token(), token);
    assert_eq!(with(&["auth", "token"], &token).without("HOME").without("CDSE_STATE_DIR").run().token(), token);
    with(&["auth", "token", "--min-validity", "1d"], &token).run().ok().says("warning: ");
    for refused in [&["auth", "refresh"][..], &["auth", "logout"], &["auth", "token", "--force-refresh"]] {
        with(refused, &token).run().exits(2).prints_nothing().says("CDSE_ACCESS_TOKEN");
    }
    let status = with(&["auth", "status", "--json"], &token).run().ok().json();
    assert_eq!((&status["credential"], &status["state"]), (&"access_token".into(), &"fresh".into()));
    assert!(!home.path().join("none").exists());
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn cli4_an_access_token_that_has_ended_is_named_by_its_variable() {
    let world = World::new();
    // {"exp": 1000}
    let ended = "eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDB9.eA";
    let call = |arguments: &[&str]| world.cdse(arguments).env("CDSE_ACCESS_TOKEN", ended).run();
    call(&["auth", "token"]).exits(4).prints_nothing().says("CDSE_ACCESS_TOKEN");
    call(&["auth", "status"]).exits(4);
}

#[test]
fn cli4_a_refresh_token_that_is_refused_is_named_by_its_variable() {
    let world = World::new();
    let call = world.cdse(["auth", "token"]).env("CDSE_REFRESH_TOKEN", "eyCANARY");
    call.run().exits(4).prints_nothing().says("CDSE_REFRESH_TOKEN");
}

#[test]
fn cli4_credentials_that_are_refused_are_named_by_their_variables() {
    let world = World::new();
    let call = world.cdse(["auth", "token"]).env("CDSE_USERNAME", USER).env("CDSE_PASSWORD", "CANARY");
    call.run().exits(4).says("CDSE_PASSWORD").says("CDSE_TOTP");
    let call = world.cdse(["auth", "token"]).env("CDSE_CLIENT_ID", "sh-client").env("CDSE_CLIENT_SECRET", "CANARY");
    call.run().says("CDSE_CLIENT_SECRET");
}

#[test]
fn cli4_two_sources_of_codes_are_one_too_many() {
    let world = World::new();
    let two = [("CDSE_TOTP", "123456"), ("CDSE_TOTP_SECRET", TOTP_SECRET), ("CDSE_TOTP_COMMAND", "echo 123456")];
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let call = world.cdse_as(MFA, ["auth", "token"]).env(two[one].0, two[one].1).env(two[other].0, two[other].1);
        call.run().exits(2).says(two[one].0).says(two[other].0);
    }
    assert_eq!(world.sandbox.counters().token_requests, 0);
}

#[test]
fn cli4_the_environments_password_is_its_own_users() {
    let world = World::new();
    let call = world.cdse_as(USER, ["auth", "login", "--username", MFA]);
    call.run().exits(2).says("--password-stdin");
    assert_eq!(world.sandbox.counters().token_requests, 0);
}

#[test]
fn cli4_login_says_that_the_environment_wins() {
    let world = World::new();
    world.cdse_as(USER, ["auth", "login"]).run().ok().says("CDSE_USERNAME is set and takes precedence");
}

#[test]
fn cli4_no_file_in_the_working_folder_is_read() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "CDSE_ACCESS_TOKEN=CANARY\nCDSE_IDENTITY_URL=https://example.com\n")
        .unwrap();
    let mut call = world.cdse(["auth", "status", "--json"]);
    call.command.current_dir(folder.path());
    assert_eq!(call.run().exits(4).json()["source"], "profile default");
}
