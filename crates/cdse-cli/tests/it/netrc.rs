//! User name and password from a netrc file, on request and last of all.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Call, MFA, PASSWORD, TOTP_SECRET, USER, World};

fn with_netrc(world: &World, text: impl AsRef<[u8]>, arguments: &[&str]) -> Call {
    let file = world.home.path().join(".netrc");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    world.cdse(arguments)
}

fn entry(user: &str) -> String {
    format!("machine other.example login x password y\nmachine 127.0.0.1\n  login {user}\n  password {PASSWORD}\n")
}

#[test]
fn cli4_netrc_is_read_on_request_only_and_last_of_all() {
    let world = World::new();
    let call = |arguments: &[&str]| with_netrc(&world, entry(USER), arguments);
    call(&["auth", "token"]).run().exits(4);
    call(&["auth", "token", "--netrc"]).run().token();
    let status = call(&["auth", "status", "--netrc", "--json"]).run().ok().json();
    assert_eq!(status["source"], format!("netrc {}", world.home.path().join(".netrc").display()));
    assert_eq!(status["username"], USER);
    // One session, shared by every call.
    call(&["auth", "token", "--netrc"]).run().token();
    assert_eq!(world.sandbox.counters().token_requests, 1);
    // A stored session wins, and so does the environment.
    world.log_in();
    let status = call(&["auth", "status", "--netrc", "--json"]).run().ok().json();
    assert_eq!(status["source"], "profile default");
    let status = call(&["auth", "status", "--netrc", "--json"]).env("CDSE_ACCESS_TOKEN", "x").run().ok().json();
    assert_eq!(status["source"], "environment CDSE_ACCESS_TOKEN");
    world.cdse(["auth", "logout"]).run().ok();
    call(&["auth", "logout", "--netrc"]).run().ok();
    assert_eq!(world.sandbox.sessions().len(), 0);
}

#[test]
fn cli4_netrc_comes_back_when_the_stored_session_has_ended() {
    let world = World::logged_in();
    world.sandbox.end_session(&world.sandbox.sessions()[0].id);
    world.age(700);
    world.cdse(["auth", "token"]).run().exits(4);
    with_netrc(&world, entry(USER), &["auth", "token", "--netrc"]).run().token();
}

#[test]
fn cli4_netrc_with_a_second_factor_takes_its_code_from_the_environment() {
    let world = World::new();
    let call = || with_netrc(&world, entry(MFA), &["auth", "token", "--netrc"]);
    call().run().exits(4).says("CDSE_TOTP_SECRET");
    let world = World::new();
    with_netrc(&world, entry(MFA), &["auth", "token", "--netrc"]).env("CDSE_TOTP_SECRET", TOTP_SECRET).run().token();
}

#[test]
fn cli4_a_netrc_that_cannot_be_used_is_named_and_not_shown() {
    let world = World::new();
    let call = |text: &str| with_netrc(&world, text, &["auth", "token", "--netrc"]).run().exits(2).prints_nothing();
    call("machine 127.0.0.1 login a CANARY\n").says("cannot be understood").says("line");
    call("CANARY\n").says("cannot be understood");
    call("machine other.example login a password CANARY\n").says("has no entry for 127.0.0.1");
    call("machine 127.0.0.1 password CANARY\n").says("the login in");
    call("machine 127.0.0.1 login a\n").says("no password");
    call("").says("has no entry for");
    fs::write(world.home.path().join(".netrc"), b"\xff\xfeCANARY").unwrap();
    world.cdse(["auth", "token", "--netrc"]).run().exits(2).says("cannot be read");
    fs::remove_file(world.home.path().join(".netrc")).unwrap();
    world.cdse(["auth", "token", "--netrc"]).run().exits(2).says("cannot be read");
    world.cdse(["auth", "token", "--netrc"]).env("NETRC", "/nowhere").run().exits(2).says("/nowhere");
    world.cdse(["auth", "token", "--netrc"]).env("NETRC", world.home.path()).run().exits(2);
    world.cdse(["auth", "token", "--netrc"]).env("NETRC", "/dev/zero").run().exits(2).says("not a regular file");
    world.cdse(["auth", "login", "--netrc"]).run().exits(2).says("leave it out");
    // The service's own password is for no other address.
    let theirs = format!("machine identity.dataspace.copernicus.eu login {USER} password {PASSWORD}\n");
    call(&theirs).says("has no entry for 127.0.0.1");
    assert_eq!(world.sandbox.counters().connections, 0);
}

#[test]
fn field_m_what_is_wrong_with_anothers_entry_does_not_spoil_ours() {
    let ours = entry(USER);
    let others: [&[u8]; 7] = [
        b"machine other.example login jos\xe9 password caf\xe9\n",
        b"machine other.example login a passwort b\n",
        b"machine other.example port 443 login a password b\n",
        b"# r\xe9sum\xe9: machine 127.0.0.1 login nobody password x\n",
        b"macdef init\nmachine 127.0.0.1 login nobody password x\n\n",
        b"default login anonymous password me@\xe9\n",
        b"machine other.example login a password \"x\\\" machine 127.0.0.1\"\n",
    ];
    for other in others {
        for text in [[other, ours.as_bytes()].concat(), [ours.as_bytes(), other].concat()] {
            let world = World::new();
            with_netrc(&world, &text, &["auth", "token", "--netrc"]).run().token();
        }
    }
    // As some editors save it.
    for text in
        [format!("\u{feff}{ours}"), ours.replace('\n', "\r\n"), ours.replace(PASSWORD, &format!("\"{PASSWORD}\""))]
    {
        let world = World::new();
        with_netrc(&world, &text, &["auth", "token", "--netrc"]).run().token();
    }
}

#[test]
fn field_m_a_file_that_is_not_utf8_is_named_and_of_two_entries_the_first_wins() {
    let world = World::new();
    let call = |text: &[u8]| with_netrc(&world, text, &["auth", "token", "--netrc"]).run();
    let wide = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| {
        mark.into_iter().chain(entry(USER).encode_utf16().flat_map(unit)).collect::<Vec<u8>>()
    };
    for text in [wide([0xff, 0xfe], u16::to_le_bytes), wide([0xfe, 0xff], u16::to_be_bytes)] {
        call(&text).exits(2).says("UTF-16").says("save it as UTF-8");
        call(&text[2..]).exits(2).says("UTF-16");
    }
    call(b"machine 127.0.0.1 login a password CANARY\xe9\n")
        .exits(2)
        .says("the password of 127.0.0.1")
        .says("not valid UTF-8");
    call(b"machine 127.0.0.1 login \xe9 password CANARY\n").exits(2).says("the login of 127.0.0.1");
    assert_eq!(world.sandbox.counters().connections, 0);
    let twice = format!("{}machine 127.0.0.1 login other@example.com password wrong\n", entry(USER));
    let done = call(twice.as_bytes()).ok().says("has 2 entries for 127.0.0.1: the first one is used");
    assert!(!done.stderr.contains("wrong"));
}

#[test]
fn cli4_a_netrc_that_others_can_read_is_said() {
    let world = World::new();
    with_netrc(&world, entry(USER), &[]);
    let file = world.home.path().join(".netrc");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    world.cdse(["auth", "token", "--netrc"]).run().ok().says("warning: other users can read").says("chmod 600");
}
