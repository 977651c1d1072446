//! The questions of `auth login`, and colours, on a real pseudo-terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{BINARY, Call, MFA, PASSWORD, USER, World, until};

/// The person's side of a terminal.
pub(crate) struct Screen {
    master: File,
    /// Kept open, so that what was set on the terminal can be looked at after the process has ended.
    slave: File,
    seen: Arc<Mutex<String>>,
    pub(crate) child: Child,
}

impl Screen {
    /// Runs a command with the terminal as its own.
    pub(crate) fn run(world: &World, arguments: &[&str]) -> Self {
        Self::run_on(80, world, arguments)
    }

    /// On a terminal of so many columns.
    pub(crate) fn run_on(columns: u16, world: &World, arguments: &[&str]) -> Self {
        Self::with_on(columns, world, &[&[BINARY], arguments].concat(), &[])
    }

    /// Any program, with these variables.
    pub(crate) fn with(world: &World, words: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::with_on(80, world, words, variables)
    }

    fn with_on(columns: u16, world: &World, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(Some(&size), None).unwrap();
        let (master, slave) = (File::from(pair.master), File::from(pair.slave));
        let end = || Stdio::from(slave.try_clone().unwrap());
        let call = Call::new("/usr/bin/setsid", ["--ctty", "--wait"].iter().chain(words))
            .env("HOME", world.home.path())
            .env("CDSE_STATE_DIR", world.state())
            .env("CDSE_IDENTITY_URL", world.sandbox.realm_url());
        let call = variables.iter().fold(call, |call, (name, value)| call.env(name, value));
        let mut call = call;
        let child = call.command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let seen = Arc::new(Mutex::new(String::new()));
        let (mut reader, theirs) = (master.try_clone().unwrap(), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                theirs.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        });
        Self { master, slave, seen, child }
    }

    /// Waits until the command has ended.
    pub(crate) fn end(&mut self) -> ExitStatus {
        for _ in 0..30_000 {
            if let Some(end) = self.child.try_wait().unwrap() {
                return end;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let _ = self.child.kill();
        panic!("it still waits after: {}", self.text());
    }

    pub(crate) fn text(&self) -> String {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn wait_for(&self, text: &str) {
        until(text, || self.text().contains(text));
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_flags.contains(LocalFlags::ECHO)
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.types_bytes(text.as_bytes());
    }

    pub(crate) fn types_bytes(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).unwrap();
    }
}

#[test]
fn cli3_login_asks_for_name_password_and_last_the_code_and_hides_the_password() {
    let world = World::new();
    let mut screen = Screen::run(&world, &["auth", "login"]);
    screen.wait_for("User name: ");
    screen.types(&format!("{MFA}\n"));
    screen.wait_for("Password of mfa@example.com: ");
    // Programs type as soon as they see the question.
    assert!(!screen.echoes(), "what is typed now is seen");
    screen.types(&format!("{PASSWORD}\n"));
    screen.wait_for("One-time code (empty if none): ");
    screen.types(&format!("{}\n", world.sandbox.totp_code(MFA).unwrap()));
    assert!(screen.end().success(), "{}", screen.text());
    screen.wait_for("logged in as mfa@example.com");
    assert!(!screen.text().contains(PASSWORD) && screen.echoes());
    assert_eq!(world.sandbox.counters().login_failures, 0);
}

#[test]
fn cli3_no_input_asks_nobody_on_a_terminal_either() {
    let world = World::new();
    let mut screen = Screen::run(&world, &["auth", "login", "--no-input"]);
    assert_eq!(screen.end().code(), Some(2));
    screen.wait_for("--username");
    assert!(!screen.text().contains("User name:"));
}

#[test]
fn cli3_a_signal_at_a_hidden_question_leaves_the_terminal_as_it_was() {
    let at_the_question = |world: &World| {
        let screen = Screen::run(world, &["auth", "login", "--username", USER]);
        screen.wait_for("Password of");
        assert!(!screen.echoes(), "what is typed now is seen");
        screen
    };
    let world = World::new();
    let mut screen = at_the_question(&world);
    // Ctrl-C: a signal until the question reads it as a key; shells tell both as 130.
    screen.types("\u{3}");
    let end = screen.end();
    assert!(end.code() == Some(130) || end.signal() == Some(2), "{end:?}: {}", screen.text());
    assert!(screen.echoes(), "the terminal was left without echo");
    for signal in [Signal::TERM, Signal::HUP] {
        let mut screen = at_the_question(&world);
        kill_process(Pid::from_child(&screen.child), signal).unwrap();
        assert_eq!(screen.end().signal(), Some(signal.as_raw()));
        assert!(screen.echoes(), "the terminal was left without echo");
    }
    assert_eq!(world.sandbox.counters().connections, 0);
}

/// What is typed after Ctrl-Z is the shell's, and seen; what is typed once it goes on is the password again.
#[test]
fn field_n_a_stop_at_a_hidden_question_gives_the_terminal_back_until_it_goes_on() {
    let world = World::new();
    let mut screen = Screen::run(&world, &["auth", "login", "--username", USER]);
    screen.wait_for("Password of");
    screen.types("\u{1a}");
    let status = format!("/proc/{}/status", screen.child.id());
    let is_stopped = || std::fs::read_to_string(&status).is_ok_and(|status| status.contains("State:\tT"));
    until("it is stopped", is_stopped);
    assert!(screen.echoes(), "the terminal was left without echo");
    kill_process(Pid::from_child(&screen.child), Signal::CONT).unwrap();
    until("what is typed is hidden again", || !screen.echoes());
    screen.types(&format!("{PASSWORD}\n"));
    screen.wait_for("One-time code (empty if none): ");
    screen.types("\n");
    assert!(screen.end().success(), "{}", screen.text());
}

#[test]
fn cli3_an_answer_that_ends_the_input_is_no_answer() {
    let world = World::new();
    for question in ["User name: ", "Password of"] {
        let arguments: &[&str] =
            if question == "User name: " { &["auth", "login"] } else { &["auth", "login", "--username", USER] };
        let mut screen = Screen::run(&world, arguments);
        screen.wait_for(question);
        // Ctrl-D.
        screen.types("\u{4}");
        assert_eq!(screen.end().code(), Some(2), "{}", screen.text());
        screen.wait_for("was not answered");
    }
}

/// Up to the second question for a code.
fn gives_a_wrong_code(screen: &mut Screen) {
    screen.wait_for("Password of");
    screen.types(&format!("{PASSWORD}\n"));
    screen.wait_for("One-time code (empty if none): ");
    screen.types("000000\n");
    screen.wait_for("try again with a new one");
    until("it asks again", || screen.text().matches("One-time code (").count() == 2);
}

#[test]
fn cli3_a_refused_code_is_asked_for_once_more_and_only_once() {
    let world = World::new();
    let mut screen = Screen::run(&world, &["auth", "login", "--username", MFA]);
    gives_a_wrong_code(&mut screen);
    screen.types(&format!("{}\n", world.sandbox.totp_code(MFA).unwrap()));
    assert!(screen.end().success(), "{}", screen.text());
    assert_eq!((world.sandbox.counters().login_failures, world.sandbox.counters().logins_ok), (1, 1));
    // Two refusals, and nothing is asked any more.
    let mut screen = Screen::run(&world, &["auth", "login", "--force", "--username", MFA]);
    gives_a_wrong_code(&mut screen);
    screen.types("000001\n");
    assert_eq!(screen.end().code(), Some(4), "{}", screen.text());
    assert_eq!(world.sandbox.counters().login_failures, 3);
    screen.wait_for("login failed");
    assert_eq!(world.sandbox.sessions().len(), 1, "the session lives on");
}

/// What a command shows on a terminal that knows colours.
fn shown(world: &World, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let variables = [&[("TERM", "xterm")], variables].concat();
    let mut screen = Screen::with(world, &[&[BINARY], arguments].concat(), &variables);
    screen.end();
    screen.wait_for("\n");
    // Whatever else was written is there when the last end is closed.
    let Screen { slave, master, seen, .. } = screen;
    drop(slave);
    drop(master);
    until("all is read", || Arc::strong_count(&seen) == 1);
    seen.lock().unwrap().clone()
}

const ESCAPE: char = '\u{1b}';

#[test]
fn cli9_messages_and_help_have_colours_on_a_terminal() {
    let world = World::new();
    let error = shown(&world, &["auth", "token"], &[]);
    assert!(error.contains("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m you are not logged in"), "{error:?}");
    assert!(error.contains("\u{1b}[1m\u{1b}[36mhint:\u{1b}[0m cdse auth login"), "{error:?}");
    for help in [&["--help"][..], &["help", "environment"], &["help", "auth", "login"]] {
        assert!(shown(&world, help, &[]).contains(ESCAPE), "{help:?}");
        assert!(!shown(&world, &[help, &["--color", "never"]].concat(), &[]).contains(ESCAPE), "{help:?}");
        assert!(!shown(&world, help, &[("NO_COLOR", "1")]).contains(ESCAPE), "{help:?}");
    }
}

#[test]
fn cli9_no_color_and_a_dumb_terminal_are_heeded_and_the_option_wins() {
    let world = World::new();
    for (name, value) in [("NO_COLOR", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")] {
        assert!(!shown(&world, &["auth", "token"], &[(name, value)]).contains(ESCAPE), "{name}");
        assert!(shown(&world, &["auth", "token", "--color=always"], &[(name, value)]).contains(ESCAPE), "{name}");
    }
    assert!(shown(&world, &["auth", "token"], &[("NO_COLOR", "")]).contains(ESCAPE), "an empty variable is none");
}

#[test]
fn cli9_values_and_json_never_have_colours() {
    let world = World::logged_in();
    for arguments in [&["auth", "token"][..], &["auth", "status"], &["auth", "list", "--json"], &["man"]] {
        let text = shown(&world, arguments, &[("CLICOLOR_FORCE", "1")]);
        assert!(!text.contains(ESCAPE), "{arguments:?}: {text:?}");
    }
    world.cdse(["auth", "token", "--color", "always"]).run().token();
    let error = world.cdse(["auth", "token", "--json", "--color", "always", "--profile", "none"]).run().exits(4);
    error.error_json();
}

#[test]
fn cli9_a_pipe_has_colours_only_when_they_are_asked_for() {
    let world = World::new();
    let call = |arguments: &[&str]| world.cdse(arguments).env("TERM", "xterm");
    assert!(!call(&["auth", "token"]).run().stderr.contains(ESCAPE));
    assert!(!call(&["--help"]).run().stdout.contains(ESCAPE));
    assert!(call(&["auth", "token", "--color=always"]).run().stderr.contains(ESCAPE));
    assert!(call(&["--color", "always", "--help"]).run().stdout.contains(ESCAPE));
    assert!(call(&["auth", "token"]).env("CLICOLOR_FORCE", "1").run().stderr.contains(ESCAPE));
    call(&["auth", "token", "--color", "red"]).run().exits(2).says("auto, always, never");
}
