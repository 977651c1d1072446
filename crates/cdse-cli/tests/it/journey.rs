use std::os::unix::fs::PermissionsExt;

use crate::support::{MFA, PASSWORD, TOTP_SECRET, USER, World};

#[test]
fn cli1_login_token_status_refresh_logout_without_a_code() {
    let world = World::new();
    let login = world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(format!("{PASSWORD}\n"));
    let done = login.run().ok().prints_nothing().says("logged in as user@example.com").says("sessions/");
    assert!(done.stderr.contains("the session ends at"), "{done:?}");
    let first = world.cdse(["auth", "token"]).run().token();
    assert_eq!(world.cdse(["auth", "token"]).run().token(), first);
    assert!(world.cdse(["auth", "status"]).run().ok().stdout.starts_with("logged in as user@example.com\n"));
    world.cdse(["auth", "refresh"]).run().ok().prints_nothing().says("renewed");
    assert_ne!(world.cdse(["auth", "token"]).run().token(), first);
    world.cdse(["auth", "logout"]).run().ok().prints_nothing().says("logged out: user@example.com");
    world.cdse(["auth", "token"]).run().exits(4).prints_nothing().says("cdse auth login");
    world.cdse(["auth", "logout"]).run().ok().prints_nothing().says("not logged in");
    let counters = world.sandbox.counters();
    assert_eq!((counters.token_requests, counters.logouts, counters.sessions_open), (2, 1, 0));
    // The record of the logout stays, the profile does not.
    assert!(world.session_file().exists() && !world.profile_file("default").exists());
}

#[test]
fn cli1_login_with_a_code() {
    let world = World::new();
    let code = world.sandbox.totp_code(MFA).unwrap();
    let login = world.cdse(["auth", "login", "--username", MFA, "--password-stdin", "--totp", &code]).stdin(PASSWORD);
    login.run().ok().prints_nothing().says("logged in as mfa@example.com");
    world.cdse(["auth", "token"]).run().token();
    world.cdse(["auth", "logout"]).run().ok();
    // From now on it is known that this account wants one: a try without it would count as failed.
    let login = world.cdse(["auth", "login", "--username", MFA, "--password-stdin"]).stdin(PASSWORD);
    login.run().exits(2).says("--totp");
    let counters = world.sandbox.counters();
    assert_eq!((counters.logins_ok, counters.login_failures, counters.sessions_open), (1, 0, 0));
}

#[test]
fn cli2_password_and_code_from_programs_without_a_shell() {
    let world = World::new();
    let code = world.sandbox.totp_code(MFA).unwrap();
    let password = format!("printf '%s\\n' '{PASSWORD}'");
    let codes = format!("echo {code}");
    let login = ["auth", "login", "--username", MFA, "--password-command", &password, "--totp-command", &codes];
    world.cdse(login).env("PATH", "/usr/bin:/bin").run().ok().prints_nothing();
    assert_eq!(world.sandbox.counters().logins_ok, 1);
}

#[test]
fn cli2_a_failing_program_shows_its_code_and_not_its_output() {
    let world = World::new();
    let login = ["auth", "login", "--username", USER, "--password-command", "sh -c 'echo CANARY; exit 3'"];
    world.cdse(login).env("PATH", "/usr/bin:/bin").run().exits(1).says("exit status: 3");
    assert_eq!(world.sandbox.counters().token_requests, 0);
}

#[test]
fn cli6_one_line_end_is_stripped_from_a_password_and_nothing_else() {
    let world = World::with(|config| config.users[0].password = " s3cret! ".to_owned());
    let login = |text: &str| world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(text).run();
    login(" s3cret! \n\n").exits(2).says("line end");
    login(" s3cret!\n").exits(4);
    world.cdse(["auth", "logout"]).run().ok();
    assert_eq!(world.sandbox.counters().token_requests, 1, "what holds a line end is not sent");
    login(" s3cret! \n").ok();
}

#[test]
fn cli6_already_logged_in_makes_no_request() {
    let world = World::logged_in();
    for arguments in [&["auth", "login"][..], &["auth", "login", "--username", "User@Example.com", "--password-stdin"]]
    {
        world.cdse(arguments).stdin("wrong").run().ok().prints_nothing().says("already logged in");
    }
    world.cdse_as(USER, ["auth", "login"]).run().ok().says("already logged in");
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn cli6_another_user_gets_another_session_and_nobodys_is_ended() {
    let world = World::logged_in();
    let code = world.sandbox.totp_code(MFA).unwrap();
    let login = world.cdse(["auth", "login", "--username", MFA, "--password-stdin", "--totp", &code]).stdin(PASSWORD);
    login.run().ok().says("that session was not ended");
    assert_eq!((world.session_files().len(), world.sandbox.counters().sessions_open), (2, 2));
    assert_eq!(world.cdse(["auth", "status", "--json"]).run().json()["username"], MFA);
    // And back, without a request.
    world.cdse(["auth", "login", "--username", USER]).run().ok().says("already logged in");
    assert_eq!(world.cdse(["auth", "status", "--json"]).run().json()["username"], USER);
    assert_eq!(world.sandbox.counters().token_requests, 2);
}

#[test]
fn cli6_force_logs_in_and_then_ends_the_old_session() {
    let world = World::logged_in();
    let before = world.sandbox.sessions()[0].id.clone();
    let login = world.cdse(["auth", "login", "--username", USER, "--password-stdin", "--force"]).stdin(PASSWORD);
    login.run().ok().says("logged in as");
    let sessions = world.sandbox.sessions();
    assert_eq!(sessions.len(), 1);
    assert_ne!(sessions[0].id, before);
}

#[test]
fn cli3_login_asks_nobody_without_a_terminal() {
    let world = World::new();
    world.cdse(["auth", "login"]).run().exits(2).says("--username");
    world.cdse(["auth", "login", "--username", USER]).run().exits(2).says("--password-stdin");
    world.cdse(["auth", "login", "--username", USER]).env("CDSE_NO_INPUT", "1").run().exits(2);
    assert_eq!(world.sandbox.counters().token_requests, 0);
}

#[test]
fn cli4_a_totp_secret_in_the_environment_logs_in_unattended() {
    let world = World::new();
    let call = || world.cdse_as(MFA, ["auth", "token"]).env("CDSE_TOTP_SECRET", TOTP_SECRET);
    let token = call().run().token();
    assert_eq!(call().run().token(), token);
    assert_eq!(world.sandbox.counters().logins_ok, 1);
}

#[test]
fn cli5_a_client_logs_in_and_has_no_session_to_end() {
    let world = World::new();
    let login = ["auth", "login", "--client-id", "sh-client", "--client-secret-stdin"];
    world.cdse(login).stdin("sh-secret\n").run().ok().prints_nothing().says("client sh-client");
    world.cdse(["auth", "token"]).run().token();
    let status = world.cdse(["auth", "status", "--json"]).run().json();
    assert_eq!(status["credential"], "client");
    assert_eq!(status["reach"], serde_json::json!(["sentinel-hub", "openeo", "catalogue"]));
    world.cdse(["auth", "logout"]).run().ok();
    world.cdse(["auth", "token"]).run().exits(4);
}

#[test]
fn cli6_a_session_is_taken_over_by_its_refresh_token() {
    let there = World::logged_in();
    let token = there.stored_refresh_token();
    let home = tempfile::tempdir().unwrap();
    let here = |arguments: &[&str]| there.cdse(arguments).env("CDSE_STATE_DIR", home.path());
    here(&["auth", "login", "--refresh-token-stdin"]).stdin(&token).run().ok().says("refresh token");
    here(&["auth", "token"]).run().token();
    here(&["auth", "login", "--refresh-token-stdin"]).stdin(&token).run().ok().says("already logged in");
    here(&["auth", "logout"]).run().ok();
    assert_eq!(there.sandbox.counters().sessions_open, 0);
    there.cdse(["auth", "refresh"]).run().exits(4).says("cdse auth login");
}

#[test]
fn cli8_profiles_are_accounts() {
    let world = World::logged_in();
    world.cdse(["auth", "token", "--profile", "work"]).run().exits(4).says("cdse auth login --profile work");
    let code = world.sandbox.totp_code(MFA).unwrap();
    let login = ["auth", "login", "--profile", "work", "--username", MFA, "--password-stdin", "--totp", &code];
    world.cdse(login).stdin(PASSWORD).run().ok().says("profile work");
    let name = |call: crate::support::Call| call.run().ok().json()["username"].clone();
    assert_eq!(name(world.cdse(["auth", "status", "--json", "--profile", "work"])), MFA);
    assert_eq!(name(world.cdse(["auth", "status", "--json"]).env("CDSE_PROFILE", "work")), MFA);
    assert_eq!(name(world.cdse(["auth", "status", "--json"])), USER);
    world.cdse(["auth", "logout", "--profile", "work"]).run().ok();
    world.cdse(["auth", "token"]).run().token();
    assert_eq!(world.sandbox.counters().sessions_open, 1);
}

#[test]
fn s2_everything_stored_is_closed_to_others() {
    let world = World::logged_in();
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.state()), 0o700);
    assert_eq!(mode(world.state().join("profiles")), 0o700);
    assert_eq!(mode(world.state().join("sessions")), 0o700);
    assert_eq!(mode(world.session_file()), 0o600);
    assert_eq!(mode(world.profile_file("default")), 0o600);
    let text = std::fs::read_to_string(world.session_file()).unwrap();
    assert!(!text.contains(PASSWORD));
}

#[test]
fn s2_the_state_folder_is_where_xdg_says_or_below_home() {
    let world = World::new();
    let login = || {
        let call = world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(PASSWORD);
        call.without("CDSE_STATE_DIR")
    };
    login().run().ok();
    assert!(world.home.path().join(".local/state/cdse/profiles/default.json").exists());
    login().env("XDG_STATE_HOME", world.home.path().join("xdg")).run().ok();
    assert!(world.home.path().join("xdg/cdse/profiles/default.json").exists());
    // A relative one means nothing.
    login().env("XDG_STATE_HOME", "xdg").run().ok().says("already logged in");
}

#[test]
fn cli10_a_stored_session_is_used_at_its_own_service() {
    let world = World::logged_in();
    world.cdse(["auth", "token"]).without("CDSE_IDENTITY_URL").run().token();
    let other = World::new();
    let call = world.cdse(["auth", "token"]).env("CDSE_IDENTITY_URL", other.sandbox.realm_url());
    call.run().exits(4).says("CDSE_IDENTITY_URL");
    assert_eq!(other.sandbox.counters().token_requests, 0);
}

#[test]
fn m4_min_validity_and_force_refresh() {
    let world = World::logged_in();
    let first = world.cdse(["auth", "token"]).run().token();
    assert_eq!(world.cdse(["auth", "token", "--min-validity", "5m"]).run().token(), first);
    world.age(200);
    let second = world.cdse(["auth", "token", "--min-validity", "500s"]).run().token();
    assert_ne!(second, first);
    let done = world.cdse(["auth", "token", "--min-validity", "2h"]).run().says("warning: ");
    assert_eq!(done.stderr.lines().count(), 1);
    let third = done.token();
    assert_ne!(world.cdse(["auth", "token", "--force-refresh"]).run().token(), third);
    assert_eq!(world.sandbox.counters().reuse_detected, 0);
}

#[test]
fn cli4_environment_credentials_log_in_again_and_a_profile_does_not() {
    let world = World::logged_in();
    world.sandbox.end_session(&world.sandbox.sessions()[0].id);
    world.age(700);
    world.cdse(["auth", "token"]).run().exits(4).says("cdse auth login");
    world.cdse(["auth", "status"]).run().exits(4);
    world.cdse_as(USER, ["auth", "token"]).run().token();
    // It is the same session for both.
    world.cdse(["auth", "token"]).run().token();
    assert_eq!((world.session_files().len(), world.sandbox.counters().sessions_open), (1, 1));
}

#[test]
fn cli6_a_login_over_a_dead_session_is_a_login() {
    let world = World::logged_in();
    world.sandbox.end_session(&world.sandbox.sessions()[0].id);
    world.cdse(["auth", "refresh"]).run().exits(4).says("cdse auth login");
    world.log_in();
    assert_eq!((world.sandbox.counters().logins_ok, world.sandbox.counters().sessions_open), (2, 1));
}

#[test]
fn cli6_another_client_is_another_session_and_a_slash_is_none() {
    let world = World::logged_in();
    let login = ["auth", "login", "--client-id", "other-public", "--password-stdin", "--username", USER];
    world.cdse(login).stdin(PASSWORD).run().ok().says("logged in as");
    assert_eq!(world.cdse(["auth", "status", "--json"]).run().json()["client_id"], "other-public");
    let call = world.cdse(["auth", "login"]).env("CDSE_IDENTITY_URL", world.sandbox.realm_url() + "/");
    call.run().ok().says("already logged in");
    assert_eq!(world.sandbox.counters().logins_ok, 2);
}

#[test]
fn cli5_what_a_client_gave_cannot_be_renewed_without_its_secret() {
    let world = World::new();
    let login = ["auth", "login", "--client-id", "sh-client", "--client-secret-stdin"];
    world.cdse(login).stdin("sh-secret\n").run().ok();
    world.cdse(["auth", "refresh"]).run().exits(4).says("valid until").says("--client-secret-stdin --force");
    let login = [&login[..], &["--force"]].concat();
    world.cdse(login).stdin("sh-secret\n").run().ok();
    assert_eq!(world.sandbox.counters().client_credentials_ok, 2);
}

#[test]
fn cli6_a_profile_that_was_changed_meanwhile_is_not_lost() {
    let world = World::logged_in();
    world.sandbox.script(cdse_sandbox::Fault::new(
        cdse_sandbox::Endpoint::Logout,
        cdse_sandbox::Action::DelayAnswer(std::time::Duration::from_millis(700)),
    ));
    let mut logout = world.cdse(["auth", "logout"]);
    let child = logout.spawn();
    crate::support::until("the session is ended", || world.sandbox.counters().sessions_open == 0);
    let code = world.sandbox.totp_code(MFA).unwrap();
    let login = world.cdse(["auth", "login", "--username", MFA, "--password-stdin", "--totp", &code]).stdin(PASSWORD);
    login.run().ok();
    logout.wait(child).ok();
    assert_eq!(world.cdse(["auth", "status", "--json"]).run().ok().json()["username"], MFA);
}

#[test]
fn cli2_a_program_that_gives_no_code_is_named() {
    let world = World::new();
    let call = world.cdse_as(MFA, ["auth", "token"]).env("PATH", "/usr/bin:/bin");
    call.env("CDSE_TOTP_COMMAND", "echo abc").run().exits(1).says("CDSE_TOTP_COMMAND");
}

#[test]
fn cli6_an_account_that_has_got_a_second_factor_is_told_how_to_give_its_code() {
    let world = World::logged_in();
    world.cdse(["auth", "logout"]).run().ok();
    world.sandbox.set_password(USER, "another");
    let login = world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(PASSWORD);
    login.run().exits(4).says("--totp");
}

#[test]
fn m4_a_validity_that_is_left_is_served_at_once_however_late_the_token_is() {
    for (age, asked) in [(520, "60s"), (540, "30s"), (585, "5s")] {
        let world = World::logged_in();
        world.age(age);
        world.cdse(["auth", "token", "--min-validity", asked]).run().token();
        let requests = world.sandbox.counters().token_requests;
        assert!(requests <= 2, "{requests} requests");
    }
}
