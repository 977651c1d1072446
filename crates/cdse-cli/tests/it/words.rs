//! Words of the service, and of whoever writes the files: a terminal must not obey them.

use cdse_sandbox::{Action, Fault};
use serde_json::json;

use crate::support::{Done, PASSWORD, USER, World};

/// ESC and CSI, BEL, OSC, C1, line ends, and what turns text around or hides it.
const ODD: &str = "\u{1b}[31mred\u{9b}2J\u{7}\u{1b}]0;title\u{7}\r\nerror: forged\u{85}\u{202e}txet\u{2066}\u{200b}\u{e0041}\u{7f}end";

#[track_caller]
fn is_harmless(done: &Done) {
    for c in format!("{}{}", done.stdout, done.stderr).chars().filter(|c| *c != '\n') {
        let odd = c.is_control() || "\u{202e}\u{2066}\u{200b}\u{e0041}".contains(c);
        assert!(!odd, "{c:?} in {done:?}");
    }
    assert!(!done.stderr.lines().any(|line| line.starts_with("error: forged")), "{done:?}");
}

fn refusal(error: &str) -> Action {
    Action::json(400, &json!({ "error": error, "error_description": ODD }))
}

#[test]
fn e2_a_refusal_in_odd_words_at_a_login() {
    for (error, code) in [("invalid_grant", 4), (ODD, 1), ("invalid_client", 1), ("unauthorized_client", 1)] {
        for switches in [&[][..], &["--json"], &["-vv"]] {
            let world = World::new();
            world.sandbox.script(Fault::token(refusal(error)).always());
            let arguments = [&["auth", "login", "--username", USER, "--password-stdin"], switches].concat();
            let done = world.cdse(&arguments).stdin(PASSWORD).run();
            assert_eq!(done.code, Some(code), "{done:?}");
            is_harmless(&done);
            let status = world.cdse_as(USER, ["auth", "status"]).run();
            is_harmless(&status);
        }
    }
}

#[test]
fn e2_a_session_that_ends_in_odd_words() {
    let world = World::logged_in();
    world.age(700);
    world.sandbox.script(Fault::token(refusal("invalid_grant")).always());
    for arguments in [
        &["auth", "refresh"][..],
        &["auth", "token", "-vv"],
        &["auth", "token", "--json"],
        &["auth", "status"],
        &["auth", "status", "--json"],
    ] {
        let done = world.cdse(arguments).run();
        assert_ne!(done.code, Some(0), "{done:?}");
        is_harmless(&done);
        assert!(format!("{}{}", done.stdout, done.stderr).contains("forged"), "{done:?}");
    }
    is_harmless(&world.cdse(["auth", "logout"]).run());
}

#[test]
fn e2_a_hold_in_odd_words() {
    let world = World::logged_in();
    world.age(700);
    world.sandbox.script(Fault::token(refusal("temporarily_unavailable")).always());
    for arguments in [&["auth", "token"][..], &["auth", "status"], &["auth", "status", "--json"]] {
        is_harmless(&world.cdse(arguments).run());
    }
}

#[test]
fn cli12_names_in_files_are_no_commands_of_a_terminal_either() {
    let world = World::logged_in();
    let (profile, session) = (world.profile_file("default"), world.session_file());
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&profile).unwrap()).unwrap();
    text["username"] = ODD.into();
    std::fs::write(&profile, text.to_string()).unwrap();
    let mut record: serde_json::Value = serde_json::from_slice(&std::fs::read(&session).unwrap()).unwrap();
    record["suspect"] = json!({ "sent": "login", "since": 1, "by": ODD });
    record["tokens"]["session_id"] = ODD.into();
    std::fs::write(&session, record.to_string()).unwrap();
    for arguments in [
        &["auth", "status"][..],
        &["auth", "status", "--json"],
        &["auth", "token", "--json"],
        &["auth", "login", "--no-input"],
        &["auth", "refresh", "-vv"],
        &["auth", "logout"],
    ] {
        let done = world.cdse(arguments).run();
        is_harmless(&done);
        if arguments.contains(&"status") && arguments.contains(&"--json") {
            // As JSON it is the name that it is.
            assert_eq!(done.json()["username"], ODD);
        }
    }
}
