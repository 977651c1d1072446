use std::process::Stdio;

use cdse_sandbox::{Action, Endpoint, Fault};

use crate::support::{BINARY, MFA, PASSWORD, USER, World};

fn answer(status: u16, seconds: &str) -> Action {
    Action::Answer { status, headers: vec![("retry-after".to_owned(), seconds.to_owned())], body: Vec::new() }
}

#[test]
fn exit_2_for_arguments_and_4_for_no_login() {
    let world = World::new();
    world.cdse(["auth", "nothing"]).run().exits(2);
    for command in ["token", "refresh"] {
        world.cdse(["auth", command]).run().exits(4).prints_nothing().says("cdse auth login");
    }
    assert_eq!(world.sandbox.counters().connections, 0);
}

#[test]
fn exit_4_for_a_wrong_password_and_nothing_is_stored_under_the_profile() {
    let world = World::new();
    for _ in 0..2 {
        let login = world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin("CANARY");
        let done = login.run().exits(4).prints_nothing().says("login failed").says("minute");
        assert!(done.stderr.contains("--totp"), "{done:?}");
    }
    assert!(!world.profile_file("default").exists());
    assert_eq!(world.sandbox.counters().login_failures, 2);
    // A corrected password works at once.
    world.log_in();
}

#[test]
fn exit_4_for_a_blocked_account() {
    let world = World::new();
    for user in ["disabled@example.com", "action@example.com"] {
        let login = world.cdse(["auth", "login", "--json", "--username", user, "--password-stdin"]).stdin(PASSWORD);
        assert_eq!(login.run().exits(4).error_json()["error"]["code"], "account_blocked", "{user}");
    }
}

#[test]
fn exit_5_for_a_service_that_is_out_of_order_and_the_session_is_kept() {
    let world = World::logged_in();
    world.age(700);
    for status in [503, 429] {
        world.sandbox.script(Fault::token(answer(status, "300")));
        world.cdse(["auth", "token"]).run().exits(5).prints_nothing();
        // The hold is everybody's: nobody asks again before it ends.
        world.cdse(["auth", "token"]).run().exits(5);
        assert_eq!(world.sandbox.counters().faults_met, if status == 503 { 1 } else { 2 });
        // Once it is over the session is as good as before.
        let file = world.session_file();
        let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        record.as_object_mut().unwrap().remove("hold");
        std::fs::write(&file, record.to_string()).unwrap();
    }
    world.cdse(["auth", "token"]).run().token();
    assert_eq!(world.sandbox.counters().logins_ok, 1);
}

#[test]
fn exit_5_for_a_login_at_a_service_that_is_out_of_order() {
    let world = World::new();
    world.sandbox.script(Fault::token(answer(503, "300")).always());
    let login = world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(PASSWORD);
    login.run().exits(5).prints_nothing();
    // A person's login may try more than once, but not as fast as it can.
    assert!(world.sandbox.counters().token_requests <= 10, "{:?}", world.sandbox.counters());
    assert!(!world.profile_file("default").exists());
}

#[test]
fn exit_5_for_a_valid_token_is_no_exit_5() {
    let world = World::logged_in();
    world.age(500);
    world.sandbox.script(Fault::token(answer(503, "300")));
    world.cdse(["auth", "token"]).run().token();
    assert_eq!(world.sandbox.counters().faults_met, 1);
}

#[test]
fn exit_5_for_a_logout_that_did_not_reach_the_service_and_the_copy_is_gone() {
    let world = World::logged_in();
    world.sandbox.script(Fault::new(Endpoint::Logout, Action::page(503)));
    world.cdse(["auth", "logout"]).run().exits(5).prints_nothing().says("may still be open");
    world.cdse(["auth", "token"]).run().exits(4);
    assert!(!std::fs::read_to_string(world.session_file()).unwrap().contains("refresh_token"));
    assert!(!world.profile_file("default").exists());
    assert_eq!(world.sandbox.counters().sessions_open, 1);
}

#[test]
fn exit_5_for_a_service_that_is_not_there() {
    let world = World::logged_in();
    let World { sandbox, home } = world;
    let (realm, address) = (sandbox.realm_url(), sandbox.address());
    drop(sandbox);
    let call = |command| {
        let call = crate::support::Call::new(BINARY, ["auth", command]).env("HOME", home.path());
        call.env("CDSE_STATE_DIR", home.path().join("state")).env("CDSE_IDENTITY_URL", &realm)
    };
    call("token").run().token();
    let done = call("logout").run().exits(5);
    assert!(done.stderr.contains(&address.ip().to_string()), "{done:?}");
    call("token").run().exits(4);
}

#[test]
fn exit_6_for_a_full_account() {
    let world = World::with(|config| config.session_limit = Some(1));
    world.log_in();
    let elsewhere = tempfile::tempdir().unwrap();
    let login = world.cdse(["auth", "login", "--json", "--username", USER, "--password-stdin"]).stdin(PASSWORD);
    let done = login.env("CDSE_STATE_DIR", elsewhere.path()).run().exits(6).prints_nothing();
    assert_eq!(done.error_json()["error"]["code"], "session_limit");
    assert_eq!(world.sandbox.counters().sessions_open, 1);
}

#[test]
fn exit_1_for_a_wrong_realm() {
    let world = World::new();
    world.sandbox.script(Fault::token(Action::page(404)));
    let login = world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(PASSWORD).run();
    login.exits(1).prints_nothing();
}

/// D: a firewall's page says nothing about a session that has worked.
#[test]
fn exit_5_for_what_answers_in_place_of_a_service_that_has_worked() {
    for status in [302, 401, 403, 404] {
        let world = World::logged_in();
        world.age(700);
        let headers = vec![("retry-after".to_owned(), "300".to_owned())];
        world.sandbox.script(Fault::token(Action::Answer { status, headers, body: b"RBAC: access denied".to_vec() }));
        world.cdse(["auth", "token"]).run().exits(5).prints_nothing();
        assert!(std::fs::read_to_string(world.session_file()).unwrap().contains("refresh_token"));
    }
}

#[test]
fn exit_1_for_an_answer_that_is_none() {
    let world = World::new();
    world
        .sandbox
        .script(Fault::token(Action::json(200, &serde_json::json!({"access_token": "a\nCANARY", "expires_in": 600}))));
    let done = world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(PASSWORD).run();
    done.exits(1).prints_nothing();
}

#[test]
fn cli1_a_closed_stdout_ends_quietly() {
    let world = World::logged_in();
    for command in [&["auth", "token"][..], &["auth", "status"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut call = world.cdse(command);
        call.command.stdout(Stdio::from(writer));
        let done = call.run().ok();
        assert_eq!(done.stderr, "");
    }
}

#[test]
fn cli1_a_full_disk_behind_stdout_is_an_error() {
    let world = World::logged_in();
    let mut call = world.cdse(["auth", "token"]);
    call.command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
    call.run().exits(1).says("cannot write to standard output");
}

#[test]
fn cli1_help_and_version_go_to_stdout() {
    let world = World::new();
    for arguments in [&["--help"][..], &["auth", "login", "--help"], &["--version"], &["sandbox", "demo", "--help"]] {
        let done = world.cdse(arguments).run().ok();
        assert!(!done.stdout.is_empty() && done.stderr.is_empty(), "{done:?}");
    }
    // What belongs to a test is not offered to people.
    assert!(!world.cdse(["sandbox", "demo", "--help"]).run().stdout.contains("renewals"));
}

#[test]
fn exit_5_for_a_login_whose_answer_was_lost_and_nothing_is_sent_again() {
    let world = World::new();
    let code = world.sandbox.totp_code(MFA).unwrap();
    world.sandbox.script(Fault::token(Action::Reset { processed: true }));
    let login =
        || world.cdse(["auth", "login", "--username", MFA, "--password-stdin", "--totp", &code]).stdin(PASSWORD);
    login().run().exits(5).prints_nothing().says("a session may have been opened");
    assert!(!world.profile_file("default").exists());
    let counters = world.sandbox.counters();
    assert_eq!((counters.password_grants, counters.totp_reused), (1, 0));
}

#[test]
fn exit_5_for_a_lost_renewal_and_the_session_is_kept() {
    let world = World::logged_in();
    world.sandbox.script(Fault::token(Action::Torn { processed: false, body_bytes: 20 }));
    // The token is good for minutes: it is served, and its refresh token is not risked.
    world.cdse(["auth", "refresh"]).run().exits(5).prints_nothing();
    world.cdse(["auth", "token"]).run().token();
    assert_eq!((world.sandbox.counters().logins_ok, world.sandbox.counters().sessions_open), (1, 1));
}
