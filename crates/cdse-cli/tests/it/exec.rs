//! `cdse exec`: a program with a valid token for as long as it runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{BINARY, Call, PASSWORD, USER, World, until};
use crate::terminal::Screen;

/// With a script as the program.
fn exec(world: &World, options: &[&str], script: &str) -> Call {
    let words = [&["exec"], options, &["--", "/bin/sh", "-c", script]].concat();
    world.cdse(words).env("PATH", "/usr/bin:/bin").env("B", BINARY).env("RESOURCE", world.sandbox.resource_url())
}

const CURL: &str = "curl --silent --noproxy '*' --max-time 20 --output /dev/null --write-out '%{http_code} ' -H @\"$CDSE_HEADER_FILE\" $RESOURCE";

fn runs(world: &World) -> Vec<PathBuf> {
    let entries = fs::read_dir(world.state().join("run")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn short_lived() -> World {
    let world = World::with(|config| config.lifetimes.access = Duration::from_secs(4));
    world.log_in();
    world
}

#[test]
fn cli13_exec_gives_a_program_private_files_with_a_token_and_takes_them_away() {
    let world = World::logged_in();
    let script = format!(
        "test \"Authorization: Bearer $(cat $CDSE_TOKEN_FILE)\" = \"$(cat $CDSE_HEADER_FILE)\" || exit 3
         stat -c %a $CDSE_TOKEN_FILE $CDSE_HEADER_FILE $(dirname $CDSE_TOKEN_FILE); {CURL}; exit 7"
    );
    let done = exec(&world, &[], &script).run().exits(7);
    assert_eq!(done.stdout, "600\n600\n700\n200 ");
    assert!(runs(&world).is_empty());
    let runtime = world.home.path().join("runtime");
    fs::create_dir(&runtime).unwrap();
    // The runtime folder is gone with the user's last login: it is the second choice.
    fs::remove_dir(world.state().join("run")).unwrap();
    fs::write(world.state().join("run"), "").unwrap();
    let place = exec(&world, &[], "echo $CDSE_TOKEN_FILE").env("XDG_RUNTIME_DIR", &runtime).run().ok().stdout;
    assert!(Path::new(place.trim()).starts_with(runtime.join("cdse")), "{place}");
    assert_eq!(fs::read_dir(runtime.join("cdse")).unwrap().count(), 0);
}

#[test]
fn m14_exec_keeps_the_token_valid_for_as_long_as_the_program_runs() {
    let world = short_lived();
    // Until it has read four different tokens.
    let script = format!(
        "seen=; while [ $(echo \"$seen\" | tr ' ' '\\n' | sort -u | wc -l) -lt 4 ]; do
            {CURL}; seen=\"$seen $(md5sum < $CDSE_TOKEN_FILE | cut -c1-32)\"; done"
    );
    let done = exec(&world, &[], &script).run().ok();
    assert!(done.stdout.split_whitespace().all(|status| status == "200"), "{done:?}");
    assert_eq!(done.stderr, "");
    assert!(world.sandbox.counters().refreshes_ok >= 2);
}

#[test]
fn p5_exec_hands_no_credential_on_and_a_nested_call_joins_the_session() {
    let world = World::new();
    let script = "env; $B auth status --json > $HOME/status; $B auth token > /dev/null && $B exec -- /bin/sh -c env";
    let secret = world.home.path().join("CANARY-file");
    fs::write(&secret, "GEZDGNBVGY3TQOJQ").unwrap();
    let call = exec(&world, &[], script)
        .env("CDSE_USERNAME", USER)
        .env("CDSE_PASSWORD", PASSWORD)
        .env("CDSE_TOTP_SECRET_FILE", &secret)
        .env("CDSE_PROFILE", "CANARY");
    let done = call.run().ok();
    let names = done.stdout.lines().filter_map(|line| line.split_once('=').map(|(name, _)| name));
    let mut names: Vec<&str> = names.filter(|name| name.starts_with("CDSE_")).collect();
    names.sort_unstable();
    names.dedup();
    let expected = ["CDSE_HEADER_FILE", "CDSE_IDENTITY_URL", "CDSE_SESSION", "CDSE_STATE_DIR", "CDSE_TOKEN_FILE"];
    assert_eq!(names, expected);
    assert!(fs::read_to_string(world.home.path().join("status")).unwrap().contains(USER));
    assert_eq!((world.sandbox.counters().password_grants, world.sandbox.counters().refresh_grants), (1, 0));
}

#[test]
fn cli4_a_named_session_gives_way_to_a_profile_and_to_credentials() {
    let world = World::logged_in();
    let source = |variables: &[(&str, &str)]| {
        let id = world.session_file().file_stem().unwrap().to_string_lossy().into_owned();
        let call = world.cdse(["auth", "status", "--json"]).env("CDSE_SESSION", id);
        let call = variables.iter().fold(call, |call, (name, value)| call.env(name, value));
        call.run().json()["source"].clone()
    };
    assert_eq!(source(&[]), "profile default");
    assert_eq!(source(&[("CDSE_PROFILE", "other")]), "profile other");
    assert_eq!(source(&[("CDSE_ACCESS_TOKEN", "a.b.c")]), "environment CDSE_ACCESS_TOKEN");
    fs::remove_file(world.profile_file("default")).unwrap();
    assert!(source(&[]).as_str().unwrap().starts_with("session file "));
    let gone = world.cdse(["auth", "token"]).env("CDSE_SESSION", "0".repeat(32)).run().exits(2);
    gone.says("CDSE_SESSION names a session that is not stored here any more");
    world.cdse(["auth", "token"]).env("CDSE_SESSION", "../x").run().exits(2).says("CDSE_SESSION");
}

#[test]
fn cli13_exec_starts_no_program_without_a_token() {
    let world = World::new();
    exec(&world, &[], "echo started").run().exits(4).prints_nothing();
    exec(&world, &["--once"], "echo started").run().exits(4).prints_nothing();
    let world = World::logged_in();
    for session in world.sandbox.sessions() {
        world.sandbox.end_session(&session.id);
    }
    world.age(700);
    exec(&world, &[], "echo started").run().exits(4).prints_nothing();
    assert!(runs(&world).is_empty());
    world.cdse(["exec"]).run().exits(2);
}

#[test]
fn cli5_exec_ends_with_the_programs_code() {
    let world = World::logged_in();
    for options in [&[][..], &["--once"]] {
        let run =
            |words: &[&str]| world.cdse([&["exec"], options, &["--"], words].concat()).env("PATH", "/usr/bin:/bin");
        run(&["sh", "-c", "exit 3"]).run().exits(3);
        run(&["nonexistent"]).run().exits(127).says("nonexistent could not be started");
        run(&["/etc/passwd"]).run().exits(126).says("/etc/passwd could not be started");
    }
    exec(&world, &[], "kill -TERM $$").run().exits(143);
    exec(&world, &[], "kill -KILL $$").run().exits(137);
    assert!(runs(&world).is_empty());
}

#[test]
fn cli13_exec_once_gives_its_place_and_one_token_to_the_program() {
    let world = World::logged_in();
    let mut call = exec(&world, &["--once"], "echo $$ ${CDSE_TOKEN_FILE-none} $CDSE_ACCESS_TOKEN");
    let child = call.spawn();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let token = world.cdse(["auth", "token"]).run().token();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{pid} none {token}\n"));
    exec(&world, &["--once", "--with", "bearer"], "true").run().exits(2);
}

#[test]
fn cli13_exec_passes_signals_on() {
    let world = World::logged_in();
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::HUP, "HUP"), (Signal::INT, "INT"), (Signal::USR1, "USR1")] {
        let ready = world.home.path().join(name);
        let script = format!("trap 'echo got; exit 9' {name}; touch {}; while :; do sleep 0.05; done", ready.display());
        // Away from the terminal that the tests may have.
        let mut call = exec(&world, &[], &script).by(&["setsid", "--wait"], "/usr/bin:/bin");
        let child = call.spawn();
        until("it has started", || ready.exists());
        let supervisor = children(child.id()).first().copied().unwrap_or(child.id());
        kill_process(Pid::from_raw(i32::try_from(supervisor).unwrap()).unwrap(), signal).unwrap();
        let done = call.wait(child).exits(9);
        assert_eq!(done.stdout, "got\n", "{name}");
    }
    assert!(runs(&world).is_empty());
}

fn children(of: u32) -> Vec<u32> {
    let tasks = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    tasks.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn m14_a_session_that_is_lost_while_the_program_runs_is_healed_by_a_login() {
    let world = short_lived();
    let file = world.home.path().join("path");
    let mut call =
        exec(&world, &[], "echo $CDSE_HEADER_FILE > $HOME/path.new; mv $HOME/path.new $HOME/path; read line");
    let said = world.home.path().join("said");
    call.command.stderr(fs::File::create(&said).unwrap()).stdin(Stdio::piped());
    let mut child = call.command.spawn().unwrap();
    until("it has started", || file.exists());
    let header = PathBuf::from(fs::read_to_string(&file).unwrap().trim());
    world.sandbox.end_session(&world.sandbox.sessions()[0].id);
    until("it is said", || fs::read_to_string(&said).unwrap().contains("`cdse auth login` in another terminal"));
    until("no dead token is given", || !header.exists());
    world.log_in();
    until("the new session is used", || header.exists());
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(1), "read found the end of its input");
}

#[test]
fn p5_what_a_killed_supervisor_leaves_is_removed_by_the_next() {
    let world = World::logged_in();
    let mut call = exec(&world, &[], "touch $HOME/started; read line");
    call.command.stdin(Stdio::piped());
    let mut child = call.command.spawn().unwrap();
    until("it has started", || world.home.path().join("started").exists());
    let left = runs(&world);
    assert_eq!(left.len(), 2, "a folder and its lock file: {left:?}");
    exec(&world, &[], "true").run().ok();
    assert_eq!(runs(&world).len(), 2, "a run that lives is left alone");
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    assert_eq!(runs(&world).len(), 2);
    exec(&world, &[], "true").run().ok();
    assert!(runs(&world).is_empty());
}

#[test]
fn m14_what_others_do_to_the_session_is_in_the_file_at_once() {
    // With a token that nothing would renew for minutes.
    let world = World::logged_in();
    let file = world.home.path().join("path");
    let script = "echo $CDSE_TOKEN_FILE > $HOME/path.new; mv $HOME/path.new $HOME/path; read line";
    let mut call = exec(&world, &[], script);
    let mut child = call.command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    until("it has started", || file.exists());
    let token_file = PathBuf::from(fs::read_to_string(&file).unwrap().trim());
    let stored = || world.cdse(["auth", "token"]).run().token();
    world.cdse(["auth", "refresh"]).run().ok();
    let renewed = stored();
    until("the new token is in the file", || fs::read_to_string(&token_file).unwrap().trim() == renewed);
    world.cdse(["auth", "logout"]).run().ok();
    until("no token is in the file", || !token_file.exists());
    world.log_in();
    let new = stored();
    until("the token of the new session is in the file", || {
        fs::read_to_string(&token_file).is_ok_and(|token| token.trim() == new)
    });
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn x2_to_look_whose_token_it_is_renews_no_session() {
    let world = World::with(|config| config.rotation = cdse_sandbox::Rotation::OneTime);
    world.log_in();
    let token =
        world.cdse_as(USER, ["auth", "token"]).env("CDSE_STATE_DIR", world.home.path().join("other")).run().token();
    world.age(700);
    let before = world.sandbox.counters().token_requests;
    let done = exec(&world, &[], "echo $CDSE_ACCESS_TOKEN").env("CDSE_ACCESS_TOKEN", &token).run().ok();
    assert_eq!(done.stdout.trim(), token);
    assert_eq!(world.sandbox.counters().token_requests, before);
    world.cdse(["auth", "token"]).run().token();
    assert_eq!(world.sandbox.counters().reuse_detected, 0);
}

#[test]
fn cli13_a_signal_before_the_program_starts_starts_none() {
    let world = World::logged_in();
    let bin = program_on_the_path(&world, "gdalinfo", "touch $HOME/asked; env > $HOME/environment; sleep 3");
    let call = exec(&world, &["--with", "gdal"], "touch $HOME/started").env("PATH", format!("{bin}:/usr/bin:/bin"));
    let mut call = call.env("CDSE_USERNAME", USER).env("CDSE_PASSWORD", PASSWORD);
    let child = call.spawn();
    until("GDAL is asked for its version", || world.home.path().join("asked").exists());
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    call.wait(child).exits(143);
    assert!(runs(&world).is_empty() && !world.home.path().join("started").exists());
    let given = fs::read_to_string(world.home.path().join("environment")).unwrap();
    assert!(!given.contains("CDSE_PASSWORD") && !given.contains("CDSE_USERNAME"), "{given}");
}

/// In a folder of its own, which is returned.
fn program_on_the_path(world: &World, name: &str, script: &str) -> String {
    let bin = world.home.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let new = bin.join(format!("{name}.new"));
    fs::write(&new, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(new, bin.join(name)).unwrap();
    bin.display().to_string()
}

#[test]
fn cli13_an_exec_within_another_is_of_its_own_session() {
    let world = World::logged_in();
    world.cdse(["auth", "login", "--username", USER, "--password-stdin", "--profile", "work"]).stdin(PASSWORD).run();
    let script = "echo ${BEARER_TOKEN_FILE-none} ${GDAL_CONFIG_FILE-none} ${BEARER_TOKEN-none}";
    let inner = format!("$B --profile default exec -- sh -c '{script}'");
    let done = exec(&world, &["--with", "bearer,gdal"], &inner).env("BEARER_TOKEN", "theirs").run().ok();
    assert_eq!(done.stdout, "none none none\n");
    let theirs = exec(&world, &[], script).env("BEARER_TOKEN_FILE", "/theirs").env("GDAL_CONFIG_FILE", "/theirs").run();
    assert_eq!(theirs.ok().stdout, "/theirs /theirs none\n");
}

#[test]
fn cli5_exec_knows_the_programs_code_where_the_system_keeps_none_and_runs_a_script_without_a_first_line() {
    let world = World::logged_in();
    let ignoring = "trap '' CHLD; exec \"$B\" exec -- /bin/sh -c 'exit 3'";
    let call = world.call(Path::new("/bin/bash"), ["-c", ignoring]);
    call.env("PATH", "/usr/bin:/bin").env("B", BINARY).run().exits(3);
    let script = world.home.path().join("script");
    fs::write(&script, "echo $1; exit 4\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for options in [&[][..], &["--once"]] {
        let words = [&["exec"], options, &["--", script.to_str().unwrap(), "word"]].concat();
        assert_eq!(world.cdse(words).run().exits(4).stdout, "word\n", "{options:?}");
    }
}

#[test]
fn t1_gdal_is_told_to_send_the_token_to_cdse_alone_where_it_can() {
    let world = World::logged_in();
    let with_gdal = |version: &str, script: &str| {
        let path = format!("{}:/usr/bin:/bin", program_on_the_path(&world, "gdalinfo", &format!("echo '{version}'")));
        let call = exec(&world, &["--with", "gdal"], script).env("CDSE_DOWNLOAD_URL", "http://127.0.0.1:4000/odata");
        call.env("PATH", path).env("GDAL_HTTP_HEADER_FILE", "/somewhere").run().ok()
    };
    let show = "echo ${GDAL_HTTP_HEADER_FILE-none}; cat $GDAL_CONFIG_FILE";
    fs::create_dir(world.home.path().join(".gdal")).unwrap();
    fs::write(world.home.path().join(".gdal/gdalrc"), "[configoptions]\nGDAL_CACHEMAX=64\n").unwrap();
    let done = with_gdal("GDAL 3.12.2, released 2026/01/01", show);
    assert!(done.stdout.starts_with("none\n[configoptions]\nGDAL_CACHEMAX=64\n"), "{done:?}");
    for prefix in ["/vsicurl/http://127.0.0.1:4000/", "/vsicurl/https://catalogue.dataspace.copernicus.eu/"] {
        assert!(done.stdout.contains(&format!("path={prefix}\nGDAL_HTTP_HEADER_FILE=")), "{done:?}");
    }
    let done = with_gdal("GDAL 3.6.2, released 2023/01/02", "test $GDAL_HTTP_HEADER_FILE = $CDSE_HEADER_FILE; echo $?");
    assert_eq!(done.stdout, "0\n");
    done.says("GDAL 3.6 sends the token to every host");
    let done = exec(&world, &["--with", "bearer"], "test $BEARER_TOKEN_FILE = $CDSE_TOKEN_FILE; echo $?").run().ok();
    assert_eq!(done.stdout, "0\n");
    exec(&world, &[], "true").env("CDSE_STAC_URL", "http://example.org").run().exits(2).says("CDSE_STAC_URL");
}

#[test]
fn cli13_exec_stops_and_goes_on_with_its_program_on_a_terminal() {
    let world = World::logged_in();
    let inner = "trap \"echo got-\"int INT; echo run\"ning\"; while :; do read line; done";
    let mut screen = Screen::with(
        &world,
        &["/bin/bash", "--norc", "--noprofile", "-i"],
        &[("PATH", "/usr/bin:/bin"), ("B", BINARY)],
    );
    screen.types(&format!("$B exec -- sh -c '{inner}'\n"));
    screen.wait_for("running");
    // A key of the terminal reaches the program once, and does not end this one.
    screen.types("\u{3}");
    screen.wait_for("got-int");
    screen.types("\u{1a}");
    screen.wait_for("Stopped");
    screen.types("echo shell-\"is\"-back; jobs; fg\n");
    screen.wait_for("shell-is-back");
    screen.types("\u{3}");
    until("it goes on", || screen.text().matches("got-int").count() == 2);
    screen.types("\u{1c}");
    until("it is over", || runs(&world).is_empty());
    screen.types("echo code-$?; exit\n");
    screen.wait_for("code-131");
    screen.end();
    assert!(runs(&world).is_empty());
}

#[test]
fn m14_exec_sends_nothing_while_the_token_is_fresh() {
    let world = World::logged_in();
    let before = world.sandbox.requests().len();
    assert_eq!(exec(&world, &[], "true").run().ok().stderr, "");
    assert_eq!(world.sandbox.requests().len(), before);
}
