//! The token in the forms that other programs read, and the header in a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use cdse_sandbox::{Action, Fault};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{USER, World, until};

/// The status that the protected resource gives to a real curl.
fn curl(world: &World, arguments: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--noproxy",
        "*",
        "--max-time",
        "20",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
    ]);
    let done = curl.args(arguments).arg(world.sandbox.resource_url()).stdin(Stdio::null()).output().unwrap();
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn cli1_each_format_is_one_line_that_its_reader_takes() {
    let world = World::logged_in();
    let token = world.cdse(["auth", "token"]).run().token();
    let print = |format: &str| world.cdse(["auth", "token", "--format", format]).run().ok().stdout;
    assert_eq!(print("raw"), format!("{token}\n"));
    assert_eq!(print("header"), format!("Authorization: Bearer {token}\n"));
    assert_eq!(print("env"), format!("export CDSE_ACCESS_TOKEN={token}\n"));
    assert_eq!(print("curl-config"), format!("header = \"Authorization: Bearer {token}\"\n"));
    assert_eq!(world.cdse(["auth", "token", "--format", "json"]).run().ok().json()["access_token"], token.as_str());
    world.cdse(["auth", "token", "--json", "--format", "json"]).run().ok().json();
    world.cdse(["auth", "token", "--json", "--format", "env"]).run().exits(2).prints_nothing();
    world.cdse(["auth", "token", "--format", "xml"]).run().exits(2).says("raw, header, json, env, curl-config");
    let config = world.home.path().join("curlrc");
    fs::write(&config, print("curl-config")).unwrap();
    assert_eq!(curl(&world, &["--config", config.to_str().unwrap()]), "200");
    assert_eq!(curl(&world, &["--header", print("header").trim_end()]), "200");
    assert_eq!(curl(&world, &[]), "401");
}

#[test]
fn cli1_a_token_from_outside_is_quoted_for_its_reader() {
    let world = World::new();
    let odd = r#"a'b"c\d$(e)`f`"#;
    let print = |format: &str| {
        world.cdse(["auth", "token", "--format", format]).env("CDSE_ACCESS_TOKEN", odd).run().ok().stdout
    };
    let shell = Command::new("sh").arg("-c").arg(format!("{}printf %s \"$CDSE_ACCESS_TOKEN\"", print("env"))).output();
    assert_eq!(String::from_utf8(shell.unwrap().stdout).unwrap(), odd);
    assert!(print("curl-config").contains(r#"a'b\"c\\d"#));
}

fn token_in(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.strip_prefix("Authorization: Bearer ").unwrap().strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn cli1_the_header_file_is_private_and_curl_reads_it() {
    let world = World::logged_in();
    let file = world.home.path().join("header");
    let write = || world.cdse(["auth", "header-file", file.to_str().unwrap()]).run().ok().prints_nothing();
    write();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(curl(&world, &["--header", &format!("@{}", file.display())]), "200");
    // What was written before is replaced, whatever became of it.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    write();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&file, "").unwrap();
    write();
    assert_eq!(token_in(&file), world.cdse(["auth", "token"]).run().token());
}

#[test]
fn cli1_a_file_that_is_something_else_is_left_as_it_is() {
    let world = World::logged_in();
    let file = world.home.path().join("precious");
    let at = |path: &Path| world.cdse(["auth", "header-file", path.to_str().unwrap()]).run();
    fs::write(&file, "years of work\n").unwrap();
    at(&file).exits(7).says("it was left as it is");
    assert_eq!(fs::read_to_string(&file).unwrap(), "years of work\n");
    at(world.home.path()).exits(7);
    at(Path::new("/dev/null")).exits(7);
    let link = world.home.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    at(&link).exits(7);
    at(&file.join("below")).exits(1).says("cannot be used");
    world.cdse(["auth", "header-file"]).run().exits(2);
    let nobody = World::new();
    nobody.cdse(["auth", "header-file", world.home.path().join("none").to_str().unwrap()]).run().exits(4);
    assert!(!world.home.path().join("none").exists());
}

#[test]
fn m14_a_watched_header_file_follows_the_renewals_and_is_removed_at_the_end() {
    let world = World::with(|config| config.lifetimes.access = Duration::from_secs(4));
    world.log_in();
    let file = world.home.path().join("header");
    let mut call = world.cdse(["auth", "header-file", "--watch", file.to_str().unwrap()]);
    let child = call.spawn();
    until("the first header is there", || file.exists());
    let first = token_in(&file);
    until("it is replaced", || token_in(&file) != first);
    let second = token_in(&file);
    until("and again", || token_in(&file) != second);
    assert_eq!(curl(&world, &["--header", &format!("@{}", file.display())]), "200");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let done = call.wait(child);
    assert_eq!(done.code, Some(143), "{done:?}");
    assert!(!file.exists());
    world.cdse(["auth", "token"]).run().token();
}

#[test]
fn m14_a_watch_says_that_the_session_has_ended_and_goes_on_when_somebody_logs_in() {
    let world = World::with(|config| config.lifetimes.access = Duration::from_secs(4));
    world.log_in();
    let (file, said) = (world.home.path().join("header"), world.home.path().join("said"));
    let mut call = world.cdse(["auth", "header-file", "--watch", file.to_str().unwrap()]);
    call.command.stderr(fs::File::create(&said).unwrap());
    let mut child = call.spawn();
    until("the first header is there", || file.exists());
    world.sandbox.end_session(&world.sandbox.sessions()[0].id);
    until("it is said", || fs::read_to_string(&said).unwrap().contains("; still watching"));
    let dead = token_in(&file);
    world.log_in();
    // It looks once a minute for somebody's login.
    until("the new session is used", || token_in(&file) != dead);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!file.exists());
}

#[test]
fn x2_a_watch_that_has_no_token_yet_ends_with_its_signal() {
    let world = World::new();
    world.sandbox.script(Fault::token(Action::Delay(Duration::from_secs(3))));
    let file = world.home.path().join("header");
    let mut call = world.cdse_as(USER, ["auth", "header-file", "--watch", file.to_str().unwrap()]);
    let mut child = call.spawn();
    until("it asks", || world.sandbox.counters().token_requests == 1);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let mut end = None;
    for _ in 0..30_000 {
        end = child.try_wait().unwrap();
        if end.is_some() {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    let _ = child.kill();
    assert_eq!(end.unwrap().code(), Some(143));
}
