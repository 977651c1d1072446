use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{BINARY, Call, USER, World};

/// The figures of every step: requests, logins, renewals, reuse, logouts, open.
fn figures(text: &str) -> Vec<Vec<u64>> {
    let numbers = |line: &str| -> Vec<u64> {
        let line = line.get(46..).unwrap_or_default();
        line.split_whitespace().map_while(|word| word.parse().ok()).collect()
    };
    text.lines().map(numbers).filter(|row| row.len() == 6).collect()
}

#[test]
fn demo_shows_the_main_job_in_the_services_own_figures() {
    // Nothing of the caller's reaches it.
    let call = Call::new(BINARY, ["sandbox", "demo"])
        .env("CDSE_ACCESS_TOKEN", "CANARY")
        .env("CDSE_IDENTITY_URL", "https://example.com/realms/x")
        .env("CDSE_STATE_DIR", "/dev/null")
        .env("CDSE_PROFILE", "../CANARY")
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("ALL_PROXY", "http://127.0.0.1:1")
        .env("HOME", "/nonexistent")
        .env("PATH", "/usr/bin:/bin");
    let done = call.run().ok();
    let renewed = [1, 0, 1, 0, 0, 1];
    let expected =
        [[1, 1, 0, 0, 0, 1], renewed, renewed, [3, 0, 1, 0, 0, 1], renewed, [2, 0, 2, 0, 0, 1], [0, 0, 0, 0, 1, 0]];
    assert_eq!(figures(&done.stdout), expected, "{done:?}");
    assert!(done.stdout.contains("every promise was kept"));
    assert_eq!(done.stderr, "");
}

#[test]
fn demo_forced_to_two_renewals_shows_other_figures() {
    let done = Call::new(BINARY, ["sandbox", "demo", "--renewals", "2"]).env("PATH", "/usr/bin:/bin").run().ok();
    let rows = figures(&done.stdout);
    let renewals: u64 = rows.iter().map(|row| row[2]).sum();
    assert_eq!((rows.len(), renewals), (9, 8), "{done:?}");
    Call::new(BINARY, ["sandbox", "demo", "--renewals", "0"]).run().exits(2);
    Call::new(BINARY, ["sandbox", "demo", "--renewals", "x"]).run().exits(2);
}

#[test]
fn run_gives_the_command_a_service_and_gives_back_its_code() {
    let run = |script: &str| {
        let call = Call::new(BINARY, ["sandbox", "run", "--", "sh", "-c", script]);
        call.env("PATH", "/usr/bin:/bin").env("B", BINARY).env("CDSE_ACCESS_TOKEN", "CANARY").run()
    };
    assert_eq!(run("exit 3").code, Some(3));
    assert_eq!(run("kill -TERM $$").code, Some(143));
    let done = run("echo ${CDSE_ACCESS_TOKEN-none}; $B auth status --json | grep -c environment; $B auth logout").ok();
    assert_eq!(done.stdout, "none\n1\n");
    // The state folder is gone with it.
    let folder = run("echo $CDSE_STATE_DIR").ok().stdout;
    assert!(folder.starts_with('/') && !std::path::Path::new(folder.trim()).exists(), "{folder}");
    assert_eq!(run("$B auth token > /dev/null && $B auth status --json").ok().json()["username"], USER);
}

#[test]
fn run_says_when_there_is_no_such_command() {
    Call::new(BINARY, ["sandbox", "run", "--", "/does/not/exist"]).run().exits(127);
    Call::new(BINARY, ["sandbox", "run", "--", "/etc/passwd"]).run().exits(126);
    Call::new(BINARY, ["sandbox", "run"]).run().exits(2);
    Call::new(BINARY, ["sandbox", "run", "--lifetime", "0s", "--", "true"]).run().exits(2);
    Call::new(BINARY, ["sandbox", "run", "--port", "99999", "--", "true"]).run().exits(2);
}

#[test]
fn serve_prints_an_environment_that_works_until_it_is_told_to_end() {
    let mut call = Call::new(BINARY, ["sandbox", "serve", "--rotation", "--lifetime", "5m"]);
    let mut child = call.command.stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut variables = Vec::new();
    // The comment about the second factor is the last line.
    for line in lines.by_ref().map_while(Result::ok) {
        match line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
            Some((name, value)) => variables.push((name.to_owned(), value.trim_matches('\'').to_owned())),
            None => break,
        }
    }
    let cdse = |arguments: &[&str]| variables.iter().fold(Call::new(BINARY, arguments), |call, (n, v)| call.env(n, v));
    cdse(&["auth", "token"]).run().token();
    let status = cdse(&["auth", "status", "--json"]).run().ok().json();
    assert_eq!(status["username"], USER);
    cdse(&["auth", "logout"]).run().ok();
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn serve_says_when_its_port_is_taken() {
    let world = World::new();
    let port = world.sandbox.address().port().to_string();
    Call::new(BINARY, ["sandbox", "serve", "--port", &port]).run().exits(1).says("taken");
}

#[test]
fn demo_that_is_interrupted_leaves_no_folder_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = Call::new(BINARY, ["sandbox", "demo"]).env("TMPDIR", folder.path());
    let mut child = call.command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("log in with")));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
