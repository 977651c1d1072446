use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::support::{MFA, PASSWORD, TOTP_SECRET, USER, World};

const VARIABLES: [&str; 13] = [
    "CDSE_IDENTITY_URL",
    "CDSE_PROFILE",
    "CDSE_NO_INPUT",
    "CDSE_ACCESS_TOKEN",
    "CDSE_REFRESH_TOKEN",
    "CDSE_CLIENT_ID",
    "CDSE_CLIENT_SECRET",
    "CDSE_USERNAME",
    "CDSE_PASSWORD",
    "CDSE_TOTP",
    "CDSE_TOTP_SECRET",
    "CDSE_TOTP_COMMAND",
    "CDSE_STATE_DIR",
];

#[test]
fn cli4_a_variable_that_is_not_utf8_is_named_and_not_shown() {
    let world = World::new();
    for name in VARIABLES {
        let done = world.cdse(["auth", "token"]).env(name, OsStr::from_bytes(b"CANARY\xff")).run().exits(2);
        assert!(done.stderr.contains(name), "{done:?}");
    }
}

#[test]
fn cli4_an_empty_variable_counts_as_unset() {
    let world = World::logged_in();
    for name in VARIABLES.into_iter().filter(|name| *name != "CDSE_STATE_DIR") {
        world.cdse(["auth", "token"]).env(name, "").run().token();
    }
}

#[test]
fn cli4_odd_values_of_variables_are_usage_errors() {
    let world = World::new();
    let odd = [
        ("CDSE_IDENTITY_URL", "identity.example"),
        ("CDSE_IDENTITY_URL", " "),
        ("CDSE_IDENTITY_URL", "http://example.com/realms/x"),
        ("CDSE_IDENTITY_URL", "https://user:CANARY@example.com/realms/x"),
        ("CDSE_IDENTITY_URL", "https://example.com/realms/x?token=CANARY"),
        ("CDSE_IDENTITY_URL", "file:///etc/passwd"),
        ("CDSE_PROFILE", "../CANARY"),
        ("CDSE_PROFILE", " "),
        ("CDSE_PROFILE", ".CANARY"),
        ("CDSE_NO_INPUT", "CANARY"),
        ("CDSE_ACCESS_TOKEN", "CANARY\nX"),
        ("CDSE_ACCESS_TOKEN", " "),
        ("CDSE_ACCESS_TOKEN", "Bearer CANARY"),
        ("CDSE_REFRESH_TOKEN", "CANARY\r\nX"),
        ("CDSE_REFRESH_TOKEN", "CANARY ü"),
    ];
    for (name, value) in odd {
        let done = world.cdse(["auth", "token"]).env(name, value).run().exits(2).prints_nothing();
        assert!(done.stderr.contains(name), "{name}: {done:?}");
    }
    let user = [
        ("CDSE_USERNAME", "CANARY\n"),
        ("CDSE_USERNAME", "  "),
        ("CDSE_USERNAME", "CANARY\u{7}"),
        ("CDSE_TOTP", "CANARY"),
        ("CDSE_TOTP", "12345"),
        ("CDSE_TOTP", "-123456"),
        ("CDSE_TOTP_SECRET", "CANARY 018"),
        ("CDSE_TOTP_SECRET", "otpauth://totp/x?secret=&x=CANARY"),
        ("CDSE_TOTP_COMMAND", "'CANARY"),
        ("CDSE_TOTP_COMMAND", "  "),
    ];
    for (name, value) in user {
        let done = world.cdse_as(MFA, ["auth", "token"]).env(name, value).run().exits(2).prints_nothing();
        assert!(done.stderr.contains(name), "{name}: {done:?}");
    }
    assert_eq!(world.sandbox.counters().connections, 0);
}

#[test]
fn cli11_odd_arguments_are_usage_errors_and_not_shown() {
    let world = World::new();
    let odd: [&[&str]; 27] = [
        &["CANARY"],
        &["auth", "CANARY"],
        &["auth", "token", "CANARY"],
        &["auth", "token", "--what=CANARY"],
        &["auth", "token", "--profile"],
        &["auth", "token", "--profile", ""],
        &["auth", "token", "--profile", "../CANARY"],
        &["auth", "token", "--profile", ".CANARY"],
        &["auth", "token", "--profile", "CANARY\n"],
        &["auth", "token", "--min-validity", ""],
        &["auth", "token", "--min-validity", "CANARY"],
        &["auth", "token", "--min-validity", "-5s"],
        &["auth", "token", "--min-validity", "1,5h"],
        &["auth", "token", "--min-validity", "99999999999999999999"],
        &["auth", "token", "--min-validity", "1s", "--min-validity", "2s"],
        &["auth", "login", "CANARY"],
        &["auth", "login", "--password", "CANARY"],
        &["auth", "login", "--password=CANARY"],
        &["auth", "login", "--client-secret=CANARY"],
        &["auth", "login", "--username", ""],
        &["auth", "login", "--username", "  "],
        &["auth", "login", "--username", "a\nCANARY"],
        &["auth", "login", "--username", "x", "--totp", "CANARY"],
        &["auth", "login", "--username", "x", "--totp", "123456", "--totp-command", "CANARY"],
        &["auth", "login", "--username", "x", "--password-stdin", "--password-command", "CANARY"],
        &["auth", "login", "--username", "x", "--password-command", "'CANARY"],
        &["auth", "login", "--client-secret-stdin"],
    ];
    for arguments in odd {
        let done = world.cdse(arguments).stdin("CANARY").run().exits(2).prints_nothing();
        assert!(done.stderr.lines().count() <= 2, "{arguments:?}: {done:?}");
    }
    let mut call = world.cdse(["auth", "token", "--profile"]);
    call.command.arg(OsStr::from_bytes(b"CANARY\xff"));
    call.run().exits(2);
    assert_eq!(world.sandbox.counters().connections, 0);
}

#[test]
fn cli2_odd_input_on_stdin() {
    let world = World::new();
    let user = ["auth", "login", "--username", USER, "--password-stdin"];
    let client = ["auth", "login", "--client-id", "sh-client", "--client-secret-stdin"];
    let token = ["auth", "login", "--refresh-token-stdin"];
    for arguments in [&user[..], &client, &token] {
        for input in [&b""[..], b"\n", b"CANARY\xff", &[b'x'; 100_000]] {
            world.cdse(arguments).stdin(input).run().exits(2).prints_nothing();
        }
    }
    world.cdse(token).stdin("CANARY with spaces").run().exits(2);
    assert_eq!(world.sandbox.counters().connections, 0);
}

#[test]
fn p1_names_and_passwords_go_to_the_service_as_they_are() {
    let world = World::with(|config| {
        let user = cdse_sandbox::User::new("ü ser+x@example.com", " p&=%\"'ä\\ ");
        config.users.push(user);
    });
    let login = world.cdse(["auth", "login", "--username", "Ü ser+x@example.com", "--password-stdin"]);
    login.stdin(" p&=%\"'ä\\ \n").run().ok();
    let requests = world.sandbox.requests();
    assert_eq!(requests[0].field("username"), Some("Ü ser+x@example.com"));
    assert_eq!(requests[0].field("password"), Some(" p&=%\"'ä\\ "));
}

#[test]
fn p2_a_code_may_be_written_with_a_space_and_is_never_sent_twice() {
    let world = World::new();
    let code = world.sandbox.totp_code(MFA).unwrap();
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let call = |code: &str| world.cdse_as(MFA, ["auth", "token"]).env("CDSE_TOTP", code).run();
    call(&spaced).token();
    world.cdse_as(MFA, ["auth", "logout"]).run().ok();
    call(&code).exits(4).says("CDSE_TOTP");
    let counters = world.sandbox.counters();
    assert_eq!((counters.password_grants, counters.totp_reused), (1, 0));
}

#[test]
fn p5_nothing_of_a_session_is_shown() {
    // The calls look for secrets themselves; here are the ones that have most to tell.
    let world = World::new();
    let mfa = |arguments: &[&str]| world.cdse_as(MFA, arguments).env("CDSE_TOTP_SECRET", TOTP_SECRET);
    for arguments in [&["auth", "login"][..], &["auth", "status"], &["auth", "status", "--json"], &["auth", "refresh"]]
    {
        let done = mfa(arguments).run().ok();
        assert!(!done.stderr.contains(PASSWORD));
    }
    mfa(&["auth", "logout"]).run().ok();
}
