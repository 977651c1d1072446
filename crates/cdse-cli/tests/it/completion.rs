//! Completion, in the shells themselves where they are installed, and by their protocols everywhere.

use std::fs;
use std::path::Path;
use std::process::Command;

use cdse_sandbox::{Action, Endpoint, Fault};

use crate::support::{BINARY, Call, World, until};
use crate::terminal::Screen;

const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "powershell"];

/// What a shell is told for the words before the cursor, the last of which may be empty.
fn answers(world: &World, shell: &str, words: &[&str]) -> Vec<String> {
    let index = words.len().to_string();
    let call = world.cdse(["--", "cdse"].iter().chain(words)).env("CDSE_COMPLETE", shell);
    let done = call.env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n").run().ok();
    assert_eq!(done.stderr, "");
    // A description follows after a tab or a colon.
    done.stdout.lines().map(|line| line.split(['\t', ':']).next().unwrap().to_owned()).collect()
}

fn second_profile(world: &World) {
    fs::copy(world.profile_file("default"), world.profile_file("second")).unwrap();
}

/// `PATH` with the program in front.
fn path() -> String {
    let folder = Path::new(BINARY).parent().unwrap();
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[allow(clippy::print_stderr, reason = "who reads the log must know what did not run")]
fn is_installed(shell: &str) -> bool {
    let there = Command::new(shell).arg("-c").arg("exit").status().is_ok_and(|status| status.success());
    if !there {
        eprintln!("not run: {shell} is not installed");
    }
    there
}

#[test]
fn cli9_every_shell_gets_a_script() {
    let world = World::new();
    for shell in SHELLS {
        let script = world.cdse(["completions", shell]).run().ok().stdout;
        assert!(script.contains("CDSE_COMPLETE") && script.contains("cdse"), "{shell}: {script}");
    }
    world.cdse(["completions"]).run().exits(2);
    world.cdse(["completions", "tcsh"]).run().exits(2).says("bash, zsh, fish, powershell");
}

#[test]
fn cli9_commands_options_values_and_profiles_complete_in_every_shell() {
    let world = World::logged_in();
    second_profile(&world);
    for shell in SHELLS {
        let has = |words: &[&str], wanted: &str| {
            let answers = answers(&world, shell, words);
            assert!(answers.iter().any(|answer| answer == wanted), "{shell} {words:?}: {answers:?}");
        };
        has(&["a"], "auth");
        has(&["auth", "l"], "login");
        has(&["auth", "login", "--pass"], "--password-stdin");
        has(&["auth", "token", "--for", "s"], "s3-keys");
        has(&["auth", "token", "--profile", ""], "second");
        has(&["auth", "switch", "s"], "second");
        has(&["help", "env"], "environment");
    }
}

#[test]
fn cli9_a_hostile_name_in_the_state_folder_is_never_offered() {
    let world = World::logged_in();
    for name in ["$(touch x)", "`touch x`", "a b", ";x", "-\u{1b}[2J", "x\ny", "'", "\"", "..", "ä"] {
        fs::write(world.state().join("profiles").join(format!("{name}.json")), "{}").unwrap();
    }
    for shell in SHELLS {
        let offered = answers(&world, shell, &["auth", "switch", ""]);
        let names: Vec<_> = offered.iter().filter(|answer| !answer.starts_with("--")).collect();
        assert_eq!(names, ["default"], "{shell}");
    }
}

#[test]
fn cli9_ids_of_sessions_complete_with_the_token_that_is_stored() {
    let world = World::logged_in();
    let own = world.sandbox.sessions()[0].id.clone();
    let other = world.open_elsewhere();
    world.sandbox.clear_log();
    for shell in SHELLS {
        let offered = answers(&world, shell, &["auth", "sessions", "end", ""]);
        assert!(offered.contains(&other) && !offered.contains(&own), "{shell}: {offered:?}");
    }
    let named = answers(&world, "bash", &["--profile", "none", "auth", "sessions", "end", ""]);
    assert!(!named.contains(&other), "another profile's: {named:?}");
    assert_eq!(world.sandbox.counters().token_requests, 0);
}

#[test]
fn cli9_completion_renews_nothing_and_fails_quietly() {
    let world = World::logged_in();
    let end = ["auth", "sessions", "end", ""];
    let nothing = || assert!(answers(&world, "bash", &end).iter().all(|answer| answer.starts_with("--")));
    let other = world.open_elsewhere();
    world.sandbox.clear_log();
    for action in [Action::page(503), Action::page(200), Action::page(401), Action::Stall { processed: false }] {
        world.sandbox.script(Fault::new(Endpoint::Account, action));
        nothing();
    }
    let hostile = serde_json::json!([{"id": "$(touch x)"}, {"id": "a b"}, {"id": ""}]);
    world.sandbox.script(Fault::new(Endpoint::Account, Action::json(200, &hostile)));
    nothing();
    assert_eq!(world.sandbox.counters().token_requests, 0);
    let asked = world.sandbox.counters().connections;
    world.age(700);
    nothing();
    fs::write(world.session_file(), "{").unwrap();
    nothing();
    fs::write(world.profile_file("default"), "{").unwrap();
    nothing();
    assert_eq!(world.sandbox.counters().connections, asked, "without a fresh token nobody is asked");
    assert!(world.sandbox.sessions().iter().any(|session| session.id == other));
}

#[test]
fn cli9_a_shell_that_is_not_known_is_an_error_and_an_empty_variable_none() {
    let world = World::logged_in();
    let call = |value: &str| world.cdse(["auth", "token"]).env("CDSE_COMPLETE", value).run();
    call("CANARY").exits(2).prints_nothing().says("CDSE_COMPLETE");
    call("").token();
    // Anybody's variable.
    world.cdse(["auth", "token"]).env("COMPLETE", "bash").run().token();
}

#[test]
fn cli9_bash_completes_a_profile_and_a_session_as_they_are_typed() {
    types_tab("bash", &["bash", "--norc", "--noprofile", "-i"], "source <(cdse completions bash)\n");
}

#[test]
fn cli9_zsh_completes_a_profile_and_a_session_as_they_are_typed() {
    if is_installed("zsh") {
        let setup = "autoload -U compinit && compinit -u -D && source <(cdse completions zsh)\n";
        types_tab("zsh", &["zsh", "-f", "-i"], setup);
    }
}

/// A person at a terminal: what Tab completes is run.
fn types_tab(shell: &str, words: &[&str], setup: &str) {
    let world = World::logged_in();
    second_profile(&world);
    let other = world.open_elsewhere();
    let mut screen = Screen::with(&world, words, &[("PATH", &path()), ("TERM", "dumb")]);
    screen.types(setup);
    screen.types("echo rea''dy\n");
    screen.wait_for("ready");
    screen.types("cdse auth switch sec\t\n");
    screen.wait_for("profile second");
    let shared = world.sandbox.sessions().iter().filter(|session| session.id.starts_with(&other[..8])).count();
    assert_eq!(shared, 1, "{shell}: the start of an id means one");
    screen.types(&format!("cdse auth sessions end {}\t\n", &other[..8]));
    screen.wait_for("ended 1 session");
    until("the session has ended", || world.sandbox.sessions().iter().all(|session| session.id != other));
    screen.types("exit\n");
    screen.end();
}

#[test]
fn cli9_fish_completes_a_profile_and_a_session() {
    if !is_installed("fish") {
        return;
    }
    let world = World::logged_in();
    second_profile(&world);
    let other = world.open_elsewhere();
    let complete = |line: &str| {
        let script = format!("cdse completions fish | source; complete --do-complete '{line}'");
        let call = Call::new("fish", ["--no-config", "-c", &script]).env("PATH", path()).env("HOME", world.home.path());
        call.env("CDSE_STATE_DIR", world.state()).run().ok().stdout
    };
    assert!(complete("cdse auth switch sec").starts_with("second"));
    assert!(complete(&format!("cdse auth sessions end {}", &other[..8])).contains(&other));
    assert!(complete("cdse auth he").contains("header-file"));
}
