//! What people met on their first day.

use std::fs;
use std::process::Command;

use cdse_sandbox::{Action, Endpoint, Fault};
use serde_json::Value;

use crate::support::{BINARY, Call, MFA, PASSWORD, TOTP_SECRET, USER, World};

#[test]
fn cli9_a_programs_own_flags_are_not_ours() {
    let run =
        |words: &[&str]| Call::new(BINARY, [&["sandbox", "run"], words].concat()).env("PATH", "/usr/bin:/bin").run();
    for words in [&["--", "echo", "--json", "--color=always"][..], &["echo", "--json", "--color=always"]] {
        assert_eq!(run(words).ok().stdout, "--json --color=always\n");
    }
    for words in [
        &["/does/not/exist", "--json"][..],
        &["--", "/does/not/exist", "--json"],
        &["--lifetime", "5m", "/does/not/exist", "--json"],
        &["/does/not/exist", "--color=always"],
    ] {
        let done = run(words).exits(127);
        assert!(done.stderr.starts_with("error: "), "{done:?}");
    }
    // Before the program they are.
    assert_eq!(run(&["--json", "/does/not/exist"]).exits(127).error_json()["error"]["exit"], 127);
}

#[test]
fn cli9_a_group_of_commands_alone_shows_its_help() {
    let world = World::new();
    for group in [&[][..], &["auth"], &["sandbox"]] {
        let help = world.cdse(group.iter().chain(&["--help"])).run().ok().stdout;
        let alone = world.cdse(group).run().ok();
        assert_eq!((alone.stdout.as_str(), alone.stderr.as_str()), (help.as_str(), ""), "{group:?}");
        assert_eq!(world.cdse(group.iter().chain(&["-v"])).run().ok().stdout, help);
        assert_eq!(world.cdse(group.iter().chain(&["--json"])).run().ok().stdout, help, "the exit code is the same");
    }
    for (words, same) in [
        (&["auth", "help"][..], &["auth", "--help"][..]),
        (&["auth", "help", "login"], &["auth", "login", "--help"]),
        (&["auth", "sessions", "help", "prune"], &["auth", "sessions", "prune", "--help"]),
        (&["sandbox", "help"], &["sandbox", "--help"]),
    ] {
        assert_eq!(world.cdse(words).run().ok().stdout, world.cdse(same).run().ok().stdout, "{words:?}");
    }
    world.cdse(["auth", "help", "nothing"]).run().exits(2);
}

#[test]
fn cli9_a_command_of_a_group_is_suggested_where_its_group_is_missing() {
    let world = World::new();
    for (typed, meant) in [
        ("login", "cdse auth login"),
        ("token", "cdse auth token"),
        ("status", "cdse auth status"),
        ("logout", "cdse auth logout"),
        ("doctor", "cdse auth doctor"),
        ("header-file", "cdse auth header-file"),
        ("demo", "cdse sandbox demo"),
        ("prune", "cdse auth sessions prune"),
        ("lgoin", "cdse auth login"),
        ("auht", "cdse auth"),
        ("auth tokn", "cdse auth token"),
        ("auth serve", "cdse sandbox serve"),
        ("logout --all", "cdse auth logout"),
    ] {
        world.cdse(typed.split(' ')).run().exits(2).says(&format!("did you mean `{meant}`?"));
    }
    let done = world.cdse(["CANARYxyz"]).run().exits(2);
    assert!(!done.stderr.contains("did you mean"), "{done:?}");
}

fn two_profiles_of_one_account() -> World {
    let world = World::logged_in();
    world.cdse(["auth", "login", "--profile", "b", "--username", USER, "--password-stdin"]).stdin(PASSWORD).run().ok();
    world
}

#[test]
fn m11_a_logout_says_before_and_after_who_else_uses_the_session() {
    let world = two_profiles_of_one_account();
    let done = world.cdse(["auth", "logout", "--profile", "b"]).run().ok();
    let lines: Vec<&str> = done.stderr.lines().collect();
    assert!(lines[0].starts_with("warning: ") && lines[0].contains("profile default"), "{done:?}");
    assert!(lines[1].starts_with("logged out: ") && lines[1].contains("profile b, profile default"), "{done:?}");
    let world = two_profiles_of_one_account();
    // What the environment names may be the same account.
    world.cdse_as(USER, ["auth", "logout"]).run().ok().says("profile b, default").says("profile b, profile default");
    let world = World::logged_in();
    assert!(!world.cdse(["auth", "logout"]).run().ok().stderr.contains("warning"));
}

#[test]
fn field_s_each_command_answers_in_json_and_says_nothing_beside_it() {
    let world = World::new();
    let json = |arguments: &[&str]| {
        let done = world.cdse(arguments.iter().chain(&["--json"])).stdin(PASSWORD).run().ok();
        assert_eq!(done.stderr, "", "{arguments:?}");
        done.json()
    };
    let login = ["auth", "login", "--username", USER, "--password-stdin"];
    let opened = json(&login);
    assert_eq!(
        (&opened["opened"], &opened["username"], &opened["profile"]),
        (&true.into(), &USER.into(), &"default".into())
    );
    assert_eq!(json(&login)["opened"], false);
    assert_eq!(json(&["auth", "refresh"])["source"], "profile default");
    json(&["auth", "login", "--profile", "b", "--username", USER, "--password-stdin"]);
    assert_eq!(json(&["auth", "switch", "b"])["source"], "profile b");
    let ended = json(&["auth", "logout"]);
    assert_eq!(ended["logged_out"][0]["profiles"], serde_json::json!(["b", "default"]));
    assert!(ended["warnings"][0].as_str().unwrap().contains("default"), "{ended}");
    assert_eq!(json(&["auth", "logout"])["logged_out"], serde_json::json!([]));
    assert_eq!(json(&["auth", "logout", "--all"])["logged_out"], serde_json::json!([]));
}

#[test]
fn field_s_warnings_are_inside_the_object() {
    let world = World::logged_in();
    let done = world.cdse(["auth", "token", "--min-validity", "1d", "--json"]).run().ok();
    assert_eq!(done.stderr, "");
    assert!(done.json()["warnings"][0].as_str().unwrap().contains("requested"));
    use std::os::unix::fs::PermissionsExt as _;
    world.age(700);
    fs::set_permissions(world.session_file(), fs::Permissions::from_mode(0o644)).unwrap();
    world.sandbox.script(Fault::token(Action::json(400, &serde_json::json!({ "error": "invalid_grant" }))).always());
    let done = world.cdse(["auth", "token", "--json"]).run().exits(4).prints_nothing();
    assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
    assert!(done.error_json()["warnings"][0].as_str().unwrap().contains("other users"), "{done:?}");
    // The log is JSON as well, a line each.
    let done = world.cdse(["auth", "token", "--json", "-vv"]).run().exits(4);
    let lines: Vec<Value> = done.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, log) = lines.split_last().unwrap();
    assert!(last["error"].is_object() && !log.is_empty() && log.iter().all(|line| line["log"]["message"].is_string()));
}

#[test]
fn field_b_a_token_that_was_printed_here_is_renewed_like_the_session_that_it_is_of() {
    let world = World::logged_in();
    let token = world.cdse(["auth", "token"]).run().token();
    let call = |arguments: &[&str]| world.cdse(arguments).env("CDSE_ACCESS_TOKEN", &token);
    world.age(700);
    let renewed = call(&["auth", "token"]).run().token();
    assert_ne!(renewed, token);
    assert_eq!(call(&["auth", "status", "--json"]).run().ok().json()["source"], "profile default");
    call(&["auth", "token", "--force-refresh"]).run().token();
    call(&["auth", "refresh"]).run().ok();
    let done = call(&["auth", "token", "--min-validity", "5m"]).run().ok();
    assert_eq!(done.stderr, "");
    // Also where no profile points to it.
    fs::remove_file(world.profile_file("default")).unwrap();
    call(&["auth", "refresh"]).run().ok();
}

#[test]
fn field_b_a_token_that_is_over_says_that_a_session_is_stored() {
    let world = World::logged_in();
    // {"exp": 1000}
    let ended = "eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDB9.eA";
    for odd in [ended, "a.~~~.b", "a.e30.b", "a..b", "a.W10.b"] {
        let call = world.cdse(["auth", "status", "--check"]).env("CDSE_ACCESS_TOKEN", odd).run();
        assert_eq!(call.code, Some(4), "{call:?}");
    }
    let done = world.cdse(["auth", "token"]).env("CDSE_ACCESS_TOKEN", ended).run().exits(4);
    done.says("a session is stored (profile default): unset CDSE_ACCESS_TOKEN");
}

/// Each of these would have succeeded for a caller that waits longer.
#[test]
fn cli3_a_login_waits_for_ten_seconds_and_anything_else_for_as_long_as_its_timeout_says() {
    let outage = |world: &World, seconds: &str| {
        let headers = vec![("retry-after".to_owned(), seconds.to_owned())];
        world.sandbox.script(Fault::token(Action::Answer { status: 503, headers, body: Vec::new() }));
    };
    let world = World::new();
    outage(&world, "15");
    let login = ["auth", "login", "--username", USER, "--password-stdin"];
    world.cdse(login).stdin(PASSWORD).run().exits(5).says("503");
    let world = World::new();
    outage(&world, "3");
    world.cdse_as(USER, ["auth", "token", "--timeout", "1s"]).run().exits(5).says("503");
    world.cdse_as(USER, ["auth", "token", "--timeout", "8s"]).run().token();
    world.cdse(["auth", "token", "--timeout", "0s"]).run().exits(2).says("--timeout");
}

#[test]
fn cli3_what_takes_longer_than_the_caller_waits_is_finished_and_kept() {
    let world = World::with(|config| config.rotation = cdse_sandbox::Rotation::OneTime);
    let slow = || world.sandbox.script(Fault::token(Action::DelayAnswer(std::time::Duration::from_secs(3))));
    slow();
    let login = ["auth", "login", "--timeout", "1s", "--username", USER, "--password-stdin"];
    world.cdse(login).stdin(PASSWORD).run().ok().says("logged in as");
    for command in
        [&["auth", "refresh", "--timeout", "1s"][..], &["auth", "token", "--force-refresh", "--timeout", "1s"]]
    {
        slow();
        world.cdse(command).run().exits(5);
        world.cdse(["auth", "refresh"]).run().ok();
    }
    assert_eq!((world.sandbox.counters().reuse_detected, world.sandbox.sessions().len()), (0, 1));
}

/// The service would answer, but later than the caller waits.
#[test]
fn cli3_a_request_that_leaves_nothing_behind_ends_with_the_callers_patience() {
    let world = World::logged_in();
    let slow = |endpoint| {
        let action = Action::Delay(std::time::Duration::from_secs(4));
        world.sandbox.script(Fault::new(endpoint, action));
    };
    slow(Endpoint::Discovery);
    let done = world.cdse(["auth", "doctor", "--timeout", "1s"]).run().exits(5);
    assert!(!done.stdout.contains(" answers"), "{done:?}");
    slow(Endpoint::Logout);
    world.cdse(["auth", "logout", "--timeout", "1s"]).run().exits(5).says("may still be open");
}

#[test]
fn cli9_off_a_terminal_one_line_says_what_is_waited_for() {
    let world = World::logged_in();
    world.sandbox.script(Fault::token(Action::Delay(std::time::Duration::from_secs(7))));
    let done = world.cdse(["auth", "refresh"]).run().ok();
    assert_eq!(done.stderr.matches("Waiting for the identity service (at most ").count(), 1, "{done:?}");
    assert!(!done.stderr.contains('\r'));
}

#[test]
fn cli9_the_variable_for_the_log_says_what_the_option_says_with_times() {
    let world = World::logged_in();
    let call = |arguments: &[&str], level: &str| world.cdse(arguments).env("CDSE_LOG", level).run();
    let line = regex::Regex::new(r"(?m)^info: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z the credential is").unwrap();
    for (level, told) in [("info", true), ("INFO", true), ("debug", true), ("off", false), ("", false), ("warn", false)]
    {
        let done = call(&["auth", "token"], level).ok();
        assert_eq!(line.is_match(&done.stderr), told, "{level}: {done:?}");
    }
    assert!(line.is_match(&call(&["auth", "token", "-v"], "off").ok().stderr), "the option wins");
    let done = call(&["auth", "token"], "CANARY").exits(2);
    done.says("CDSE_LOG must be off, error, warn, info, debug or trace");
}

#[test]
fn field_u_list_says_why_it_does_not_know() {
    let world = World::logged_in();
    fs::write(world.profile_file("default"), "{").unwrap();
    let done = world.cdse(["auth", "list"]).run().ok();
    done.says("warning: default: ").says("default.json");
    let list = world.cdse(["auth", "list", "--json"]).run().ok();
    assert_eq!(list.stderr, "");
    assert!(list.json()[0]["problems"][0].as_str().unwrap().contains("default.json"));
}

#[test]
fn sandbox_code_prints_a_code_that_logs_in() {
    let world = World::new();
    let code = world.cdse(["sandbox", "code", MFA]).run().ok().stdout;
    let login = ["auth", "login", "--username", MFA, "--password-stdin", "--totp", code.trim()];
    world.cdse(login).stdin(PASSWORD).run().ok();
    assert_eq!(world.cdse(["sandbox", "code"]).run().ok().stdout.trim().len(), 6);
    assert!(world.cdse(["sandbox", "code", "--json"]).run().ok().json()["code"].is_string());
    world.cdse(["sandbox", "code", USER]).run().exits(2);
    world.cdse(["sandbox", "code", "a b/../%\n"]).run().exits(2);
    world.cdse(["sandbox", "code"]).without("CDSE_IDENTITY_URL").run().exits(2).says("cdse sandbox serve");
    let elsewhere = world.cdse(["sandbox", "code"]).env("CDSE_IDENTITY_URL", "https://identity.example/realms/x");
    elsewhere.run().exits(2);
    world.cdse(["sandbox", "code"]).env("CDSE_IDENTITY_URL", "http://127.0.0.1:1/x").run().exits(5);
    let help = world.cdse(["sandbox", "serve", "--help"]).run().ok().stdout;
    assert!(help.contains("sandbox/faults") && help.contains("sandbox code USER") && !TOTP_SECRET.is_empty(), "{help}");
}

/// Each fault that the page shows is taken, and every kind is shown.
#[test]
fn sandbox_the_page_shows_every_fault() {
    let page = include_str!("../../../../docs/sandbox.md");
    let world = World::new();
    let faults = format!("http://{}/sandbox/faults", world.sandbox.address());
    let shown: Vec<&str> = page.lines().filter(|line| line.trim_start().starts_with('{')).collect();
    for kind in ["answer", "answer_after", "endless", "delay", "delay_answer", "torn", "reset", "stall"] {
        assert!(shown.iter().any(|line| line.contains(&format!("\"kind\": \"{kind}\""))), "{kind}");
    }
    for fault in shown {
        let done = Command::new("curl").args(["-sS", "--fail", "-d", fault, &faults]).output().unwrap();
        assert!(done.status.success(), "{fault}: {done:?}");
    }
}

/// The lines of the README that download something, with the service's addresses in place of the real ones.
#[test]
fn readme_the_lines_that_download_fail_when_they_fail_and_give_the_token_to_no_other_host() {
    let readme = include_str!("../../../../README.md");
    let lines: Vec<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("$ ")).filter(|l| l.contains(" -o ")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let world = World::logged_in();
    // The catalogue redirects to the download host, and must never see a token.
    let catalogue = cdse_sandbox::Sandbox::start(cdse_sandbox::Config::default()).unwrap();
    let moved = |to: String| {
        let headers = vec![("location".to_owned(), to)];
        catalogue
            .script(Fault::new(Endpoint::Resource, Action::Answer { status: 301, headers, body: b"moved".to_vec() }));
    };
    let resource = world.sandbox.resource_url();
    let folder = tempfile::tempdir().unwrap();
    let product = folder.path().join("product.zip");
    let run = |line: &str, url: &str, token: &str| {
        let script = line
            .replace("https://catalogue.dataspace.copernicus.eu", &format!("http://{}", catalogue.address()))
            .replace("https://download.dataspace.copernicus.eu", &format!("http://{}", world.sandbox.address()))
            .replace("cdse auth", &format!("{BINARY} auth"));
        let mut call = Command::new("bash");
        call.args(["-c", &script]).current_dir(folder.path()).env("url", url).env("HOME", world.home.path());
        call.env("CDSE_STATE_DIR", world.state()).env("CDSE_IDENTITY_URL", world.sandbox.realm_url());
        if !token.is_empty() {
            call.env("CDSE_ACCESS_TOKEN", token);
        }
        call.output().unwrap()
    };
    moved(resource.clone());
    let asked = run(&format!("{}; printf %s \"$url\"", lines[0]), "", "");
    assert_eq!(String::from_utf8_lossy(&asked.stdout), resource, "{asked:?}");
    let done = run(lines[1], &resource, "");
    assert!(done.status.success() && fs::read(&product).unwrap().starts_with(b"PK"), "{done:?}");
    fs::remove_file(&product).unwrap();
    for (token, fault) in
        [("eyCANARY", None), ("", Some(Action::page(503))), ("", Some(Action::Torn { processed: true, body_bytes: 3 }))]
    {
        if let Some(action) = fault {
            world.sandbox.script(Fault::new(Endpoint::Resource, action));
        }
        let done = run(lines[1], &resource, token);
        assert!(!done.status.success() && !product.exists(), "{done:?}");
    }
    // Another host that the download host leads to gets no token.
    catalogue.clear_log();
    let headers = vec![("location".to_owned(), catalogue.resource_url())];
    world.sandbox.script(Fault::new(Endpoint::Resource, Action::Answer { status: 302, headers, body: Vec::new() }));
    let done = run(lines[1], &resource, "");
    assert!(!done.status.success() && !product.exists(), "{done:?}");
    assert!(catalogue.requests().iter().all(|request| !format!("{request:?}").to_lowercase().contains("bearer ")));
    assert_eq!(catalogue.counters().resource_ok, 0);
}

/// Whichever command is asked: a clock that was set forward is no verdict on a session.
#[test]
fn field_u_a_clock_that_was_set_forward_is_no_verdict() {
    let world = World::logged_in();
    world.age(20_000);
    let status = world.cdse(["auth", "status", "--json"]).run().exits(5).json();
    assert_eq!(status["state"], "unknown");
    let list = world.cdse(["auth", "list", "--json"]).run().ok().json();
    assert_eq!(list[0]["state"], "unknown");
    assert!(list[0]["problems"][0].as_str().is_some_and(|why| why.contains("clock")), "{list}");
    world.cdse(["auth", "token"]).run().token();
    assert_eq!(world.cdse(["auth", "status", "--json"]).run().ok().json()["state"], "fresh");
}

/// No login helps a disabled user, and none is recommended.
#[test]
fn field_u_a_disabled_user_is_not_told_to_log_in_again() {
    let world = World::logged_in();
    world.sandbox.set_enabled(USER, false);
    world.age(700);
    for _ in 0..2 {
        let done = world.cdse(["auth", "token"]).run().exits(4).says("the account cannot be used");
        assert!(!done.stderr.contains("auth login"), "{done:?}");
    }
}
