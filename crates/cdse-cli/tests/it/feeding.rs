//! The token in the forms that other programs read, and the header in a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use cdse_sandbox::{Action, Fault};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Call, USER, World, until};

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
fn cli1_a_token_from_outside_reaches_its_reader_as_it_is() {
    let world = World::new();
    // All that a token may hold (RFC 6750 §2.1).
    let odd = "aZ09-._~+/==";
    let print = |format: &str| {
        world.cdse(["auth", "token", "--format", format]).env("CDSE_ACCESS_TOKEN", odd).run().ok().stdout
    };
    let shell = Command::new("sh").arg("-c").arg(format!("{}printf %s \"$CDSE_ACCESS_TOKEN\"", print("env"))).output();
    assert_eq!(String::from_utf8(shell.unwrap().stdout).unwrap(), odd);
    assert!(print("curl-config").contains(odd));
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
    until("the dead header is gone", || !file.exists());
    world.log_in();
    until("the new session is used", || file.exists());
    assert_eq!(curl(&world, &["--header", &format!("@{}", file.display())]), "200");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!file.exists());
}

/// A watch that a test ends.
struct Watch {
    child: std::process::Child,
    said: std::path::PathBuf,
}

impl Watch {
    /// Says what it is called for what it says.
    fn start(world: &World, mut call: Call, name: &str) -> Self {
        let said = world.home.path().join(format!("said by {name}"));
        call.command.stderr(fs::File::create(&said).unwrap());
        Self { child: call.spawn(), said }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    fn end(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn watch(world: &World, file: &Path, name: &str) -> Watch {
    Watch::start(world, world.cdse(["auth", "header-file", "--watch", file.to_str().unwrap()]), name)
}

#[test]
fn field_c_of_two_watches_of_one_path_the_one_that_stays_puts_it_back() {
    let world = World::logged_in();
    let file = world.home.path().join("header");
    let mut first = watch(&world, &file, "the first");
    until("the first has written", || file.exists());
    let mut second = watch(&world, &file, "the second");
    until("both are there", || second.said().contains("until a signal comes"));
    // What is removed is put back, whoever has removed it.
    for _ in 0..3 {
        fs::remove_file(&file).unwrap();
        until("it is put back", || file.exists());
    }
    assert_eq!(first.end(), Some(143));
    until("the one that stays has put it back", || file.exists());
    assert_eq!(curl(&world, &["--header", &format!("@{}", file.display())]), "200");
    assert_eq!(second.end(), Some(143));
    assert!(!file.exists());
    for watch in [&first, &second] {
        assert!(!watch.said().contains("warning"), "{}", watch.said());
    }
}

#[test]
fn field_c_a_file_that_somebody_puts_at_the_path_is_neither_replaced_nor_removed() {
    let world = World::with(|config| config.lifetimes.access = Duration::from_secs(4));
    world.log_in();
    let file = world.home.path().join("header");
    let mut watch = watch(&world, &file, "it");
    until("the header is there", || file.exists());
    let stranger = world.home.path().join("stranger");
    fs::write(&stranger, "years of work\n").unwrap();
    fs::rename(&stranger, &file).unwrap();
    until("it is said", || watch.said().contains("it is left as it is"));
    let renewals = world.sandbox.counters().token_requests;
    until("the token was renewed meanwhile", || world.sandbox.counters().token_requests > renewals + 1);
    assert_eq!(fs::read_to_string(&file).unwrap(), "years of work\n");
    // As soon as it is gone the header is there again.
    fs::remove_file(&file).unwrap();
    until("it is put back", || file.exists());
    fs::write(&stranger, "more work\n").unwrap();
    fs::rename(&stranger, &file).unwrap();
    assert_eq!(watch.end(), Some(143));
    assert_eq!(fs::read_to_string(&file).unwrap(), "more work\n");
    assert_eq!(watch.said().matches("it is left as it is").count(), 1, "{}", watch.said());
}

#[test]
fn m14_a_logout_elsewhere_takes_the_header_away_at_once_and_a_login_brings_it_back() {
    let world = World::logged_in();
    let file = world.home.path().join("header");
    let mut watch = watch(&world, &file, "it");
    until("the header is there", || file.exists());
    world.cdse(["auth", "logout"]).run().ok();
    until("it is gone", || !file.exists());
    world.log_in();
    until("it is there again", || file.exists());
    assert_eq!(token_in(&file), world.cdse(["auth", "token"]).run().token());
    assert_eq!(watch.end(), Some(143));
    assert!(!file.exists());
}

#[test]
fn m14_a_write_that_failed_is_tried_again_and_at_the_end_no_token_is_left() {
    const OWNER: u32 = 54_321;
    let world = World::with(|config| config.lifetimes.access = Duration::from_secs(4));
    let (home, folder) = (world.home.path().join("own"), world.home.path().join("own/headers"));
    fs::create_dir_all(&folder).unwrap();
    for path in [&home, &folder] {
        let _ = std::os::unix::fs::chown(path, Some(OWNER), Some(OWNER));
    }
    let file = folder.join("header");
    let call = |arguments: &[&str]| {
        let call = world.cdse_of(OWNER, arguments).unwrap_or_else(|| world.cdse(arguments));
        call.env("CDSE_STATE_DIR", home.join("state"))
    };
    call(&["auth", "login", "--username", USER, "--password-stdin"]).stdin(crate::support::PASSWORD).run().ok();
    let mut watch = Watch::start(&world, call(&["auth", "header-file", "--watch", file.to_str().unwrap()]), "it");
    until("the header is there", || file.exists());
    let locked = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    let first = token_in(&file);
    locked(0o555);
    until("it is said", || watch.said().contains("trying again"));
    assert_eq!(token_in(&file), first);
    locked(0o755);
    until("it is written after all", || token_in(&file) != first);
    until("that is said", || watch.said().contains("up to date again"));
    locked(0o555);
    assert_eq!(watch.end(), Some(143));
    assert_eq!(fs::read_to_string(&file).unwrap(), "", "a token was left behind");
    assert!(watch.said().matches("trying again").count() <= 2, "{}", watch.said());
}

#[test]
fn field_c_a_token_that_nothing_renews_is_said_to_end_and_is_removed_then() {
    let world = World::with(|config| config.lifetimes.access = Duration::from_secs(4));
    // Of a session that is not stored here: one that is would renew it.
    let elsewhere = tempfile::tempdir().unwrap();
    let token = world.cdse_as(USER, ["auth", "token"]).env("CDSE_STATE_DIR", elsewhere.path()).run().token();
    let file = world.home.path().join("header");
    let call = world.cdse(["auth", "header-file", "--watch", file.to_str().unwrap()]).env("CDSE_ACCESS_TOKEN", token);
    let mut watch = Watch::start(&world, call, "it");
    until("the header is there", || file.exists());
    until("it is said", || watch.said().contains("nothing renews this token"));
    assert_eq!(watch.child.wait().unwrap().code(), Some(4), "{}", watch.said());
    assert!(!file.exists() && watch.said().contains("CDSE_ACCESS_TOKEN has ended"), "{}", watch.said());
    // A client that is logged in without its secret: a login may bring it back, so it is waited for.
    let login = ["auth", "login", "--client-id", "sh-client", "--client-secret-stdin", "--profile", "client"];
    world.cdse(login).stdin("sh-secret").run().ok();
    let call = world.cdse(["auth", "header-file", "--watch", "--profile", "client", file.to_str().unwrap()]);
    let mut watch = Watch::start(&world, call, "the other");
    until("it is said", || watch.said().contains("nothing renews this token"));
    until("it is there", || file.exists());
    world.cdse(["auth", "logout", "--profile", "client"]).run().ok();
    until("it is gone", || !file.exists());
    world.cdse(login).stdin("sh-secret").run().ok();
    until("it is there again", || file.exists());
    assert_eq!(watch.end(), Some(143));
}

#[test]
fn s5_a_session_in_memory_is_opened_where_it_is_asked_for_and_ended_with_its_process() {
    let world = World::with(|config| config.lifetimes.access = Duration::from_secs(4));
    // No folder can be made.
    fs::write(world.state(), "in the way").unwrap();
    let file = world.home.path().join("header");
    let arguments = ["auth", "header-file", "--watch", "--store", "memory", file.to_str().unwrap()];
    let mut watch = Watch::start(&world, world.cdse_as(USER, arguments), "it");
    until("the header is there", || file.exists());
    let first = token_in(&file);
    until("it is renewed", || file.exists() && token_in(&file) != first);
    assert_eq!(world.sandbox.sessions().len(), 1);
    assert_eq!(watch.end(), Some(143));
    assert_eq!(world.sandbox.sessions().len(), 0, "it was ended");
    assert!(!file.exists());
    // Only for a process that lives on, and only with something to log in with.
    let path = file.to_str().unwrap();
    world.cdse_as(USER, ["auth", "header-file", "--store", "memory", path]).run().exits(2);
    let with_none = world.cdse(arguments).env("CDSE_STATE_DIR", world.home.path().join("none"));
    with_none.run().exits(2).says("CDSE_USERNAME");
    assert_eq!(world.sandbox.sessions().len(), 0);
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
