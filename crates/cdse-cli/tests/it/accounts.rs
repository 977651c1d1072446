//! Several accounts on one machine: list, switch, dir, and what covers all of them.

use std::fs;

use serde_json::Value;

use crate::support::{MFA, USER, World};

/// The user under `default`, the user with a second factor under `second`.
fn two_accounts() -> World {
    let world = World::logged_in();
    log_in_second(&world);
    world
}

fn log_in_second(world: &World) {
    let code = world.sandbox.totp_code(MFA).unwrap();
    let login = ["auth", "login", "--profile", "second", "--username", MFA, "--password-stdin", "--totp", &code];
    world.cdse(login).stdin(crate::support::PASSWORD).run().ok();
}

fn list(world: &World) -> Vec<Value> {
    world.cdse(["auth", "list", "--json"]).run().ok().json().as_array().unwrap().clone()
}

#[test]
fn cli8_list_shows_every_account_and_the_active_one() {
    let world = World::new();
    world.cdse(["auth", "list"]).run().ok().prints_nothing().says("not logged in; run");
    assert!(list(&world).is_empty());
    let world = two_accounts();
    let accounts = list(&world);
    let row = |entry: &Value| (entry["profile"].clone(), entry["active"].clone(), entry["username"].clone());
    assert_eq!(row(&accounts[0]), ("default".into(), true.into(), USER.into()));
    assert_eq!(row(&accounts[1]), ("second".into(), false.into(), MFA.into()));
    let text = world.cdse(["auth", "list"]).run().ok().stdout;
    assert!(text.lines().count() == 3 && text.contains("*  default") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(world.sandbox.counters().token_requests, 2, "listing asks nobody");
}

#[test]
fn cli8_switch_chooses_the_profile_until_somebody_names_one() {
    let world = two_accounts();
    let winner = |call: crate::support::Call| call.run().ok().json()["username"].clone();
    assert_eq!(winner(world.cdse(["auth", "status", "--json"])), USER);
    world.cdse(["auth", "switch", "second"]).run().ok().prints_nothing().says(MFA);
    assert_eq!(winner(world.cdse(["auth", "status", "--json"])), MFA);
    assert_eq!(winner(world.cdse(["auth", "status", "--json"]).env("CDSE_PROFILE", "default")), USER);
    assert_eq!(winner(world.cdse(["auth", "status", "--json", "--profile", "default"])), USER);
    assert_eq!(list(&world)[1]["active"], true);
    world
        .cdse(["auth", "switch", "default"])
        .env("CDSE_PROFILE", "second")
        .run()
        .ok()
        .says("CDSE_PROFILE is set and takes precedence");
    world.cdse(["auth", "switch", "second"]).run().ok();
    // Who logs out is not asked for by default any more.
    world.cdse(["auth", "logout"]).run().ok();
    assert_eq!(winner(world.cdse(["auth", "status", "--json"])), USER);
}

#[test]
fn cli8_switch_to_what_is_not_there_changes_nothing() {
    let world = two_accounts();
    world.cdse(["auth", "switch", "third"]).run().exits(2).says("no profile third").says("cdse auth list");
    world.cdse(["auth", "switch", "../x"]).run().exits(2);
    world.cdse(["auth", "switch"]).run().exits(2);
    world.cdse(["auth", "switch", "second", "--profile", "default"]).run().exits(2);
    assert_eq!(list(&world)[0]["active"], true);
}

#[test]
fn cli11_a_choice_that_cannot_be_understood_is_named() {
    let world = World::logged_in();
    let file = world.state().join("active.json");
    for odd in ["", "{", "[]", r#"{"schema":9,"profile":"default"}"#, r#"{"schema":1,"profile":"../x"}"#, "\u{0}\u{1}"]
    {
        fs::write(&file, odd).unwrap();
        world.cdse(["auth", "token"]).run().exits(1).prints_nothing().says("active.json").says("cdse auth switch");
        world.cdse(["auth", "token", "--profile", "default"]).run().token();
        world.cdse(["auth", "switch", "default"]).run().ok();
        world.cdse(["auth", "token"]).run().token();
    }
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
    world.cdse(["auth", "token"]).run().exits(7).says("symbolic link");
}

#[test]
fn cli11_dir_prints_where_sessions_are() {
    let world = World::new();
    let printed = world.cdse(["auth", "dir"]).run().ok().stdout;
    assert_eq!(printed.trim_end(), world.state().to_str().unwrap());
    let json = world.cdse(["auth", "dir", "--json"]).run().ok().json();
    assert_eq!(json["sessions"], world.state().join("sessions").to_str().unwrap());
    assert!(!world.state().exists(), "asking makes nothing");
    let home = world.cdse(["auth", "dir"]).without("CDSE_STATE_DIR").run().ok().stdout;
    assert_eq!(home.trim_end(), world.home.path().join(".local/state/cdse").to_str().unwrap());
}

#[test]
fn cli11_all_covers_sessions_that_no_profile_points_to() {
    let world = two_accounts();
    fs::remove_file(world.profile_file("second")).unwrap();
    assert_eq!((&list(&world)[1]["profile"], &list(&world)[1]["username"]), (&Value::Null, &MFA.into()));
    let all = world.cdse(["auth", "status", "--all", "--json"]).run().ok().json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert!(all[1]["source"].as_str().unwrap().starts_with("session file "), "{all}");
    let done = world.cdse(["auth", "logout", "--all"]).run().ok();
    assert_eq!(done.stderr.matches("logged out").count(), 2, "{done:?}");
    assert_eq!((world.sandbox.sessions().len(), list(&world).len()), (0, 0));
    world.cdse(["auth", "logout", "--all"]).run().ok().says("nothing to do");
    world.cdse(["auth", "status", "--all"]).run().exits(4);
}

#[test]
fn cli11_one_damaged_session_keeps_nothing_else_from_being_shown_and_ended() {
    let world = two_accounts();
    fs::write(world.profile_file("default"), "{").unwrap();
    let all = world.cdse(["auth", "status", "--all", "--json"]).run().exits(1).json();
    let states: Vec<&Value> = all.as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(
        states,
        ["unknown", "fresh", "fresh"],
        "the profile, the other one, and the session without its profile"
    );
    assert!(all[0]["problems"][0].as_str().unwrap().contains("default.json"));
    let done = world.cdse(["auth", "logout", "--all"]).run();
    assert!(done.code == Some(1) && done.stderr.contains("error: profile default: "), "{done:?}");
    assert_eq!(world.sandbox.sessions().len(), 0);
}

#[test]
fn cli11_all_and_one_profile_exclude_each_other() {
    let world = World::new();
    for command in ["status", "logout"] {
        world.cdse(["auth", command, "--all", "--profile", "x"]).run().exits(2).says("--profile");
        world.cdse(["--profile", "x", "auth", command, "--all"]).run().exits(2).says("--profile");
    }
}

#[test]
fn m11_a_local_logout_tells_nobody_and_says_what_is_left() {
    let world = World::logged_in();
    world.sandbox.clear_log();
    let done = world.cdse(["auth", "logout", "--local"]).run().ok();
    assert!(done.stderr.contains("stays open at the service until"), "{done:?}");
    assert_eq!((world.sandbox.counters().connections, world.sandbox.sessions().len()), (0, 1));
    assert!(!world.profile_file("default").exists());
    world.cdse(["auth", "token"]).run().exits(4);
}

#[test]
fn m12_status_asks_the_service_only_when_told_to() {
    let world = World::logged_in();
    world.sandbox.clear_log();
    assert_eq!(world.cdse(["auth", "status", "--json"]).run().ok().json()["open_sessions"], Value::Null);
    assert_eq!(world.sandbox.counters().connections, 0);
    assert_eq!(world.cdse(["auth", "status", "--check", "--json"]).run().ok().json()["open_sessions"], 1);
    assert_eq!(world.sandbox.counters().token_requests, 0, "no new token");
    // Ended by somebody else.
    assert!(world.sandbox.end_session(&world.sandbox.sessions()[0].id));
    world.cdse(["auth", "status"]).run().ok();
    let status = world.cdse(["auth", "status", "--check", "--json"]).run().exits(4).json();
    assert_eq!((&status["logged_in"], &status["state"]), (&false.into(), &"expired".into()));
}

#[test]
fn m12_a_check_that_is_not_answered_is_unknown() {
    let world = World::logged_in();
    let status = world.cdse(["auth", "status", "--check", "--json"]);
    world.sandbox.script(cdse_sandbox::Fault::new(cdse_sandbox::Endpoint::Account, cdse_sandbox::Action::page(503)));
    let status = status.run().exits(5).json();
    assert_eq!(status["state"], "unknown");
    let token = world.cdse(["auth", "token"]).run().token();
    let call = |token: &str| world.cdse(["auth", "status", "--check"]).env("CDSE_ACCESS_TOKEN", token);
    call(&token).run().ok();
    call("eyCANARY").run().exits(4);
    // Whether a machine client's token is taken nobody can tell.
    let client =
        world.cdse(["auth", "token"]).env("CDSE_CLIENT_ID", "sh-client").env("CDSE_CLIENT_SECRET", "sh-secret");
    let token = client.run().token();
    call(&token).run().exits(5);
}

#[test]
fn m12_a_check_opens_no_session() {
    let world = World::new();
    world.cdse_as(USER, ["auth", "status", "--check"]).run().ok();
    world.cdse(["auth", "status", "--check"]).run().exits(4);
    assert_eq!(world.sandbox.counters().connections, 0);
}
