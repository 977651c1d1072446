//! The line that says what is waited for, on a real pseudo-terminal.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use cdse_sandbox::{Action, Fault};

use crate::support::{USER, World, until};
use crate::terminal::Screen;

/// What a person sees in the end: a terminal that knows line ends and how to go back to the beginning of a line.
fn visible(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let mut shown: Vec<char> = Vec::new();
        for part in line.split('\r') {
            for (column, c) in part.chars().enumerate() {
                if column < shown.len() {
                    shown[column] = c;
                } else {
                    shown.push(c);
                }
            }
        }
        lines.push(shown.iter().collect::<String>().trim_end().to_owned());
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn stale() -> World {
    let world = World::logged_in();
    world.age(700);
    world
}

fn busy(seconds: u32) -> Fault {
    let headers = vec![("retry-after".to_owned(), seconds.to_string())];
    Fault::token(Action::Answer { status: 503, headers, body: Vec::new() })
}

/// Another process that has the lock.
fn locked(world: &World) -> File {
    let mut file = File::create(world.session_file().with_extension("json.lock")).unwrap();
    file.lock().unwrap();
    file.write_all(b"4711@elsewhere 1700000000\n").unwrap();
    file
}

/// Ends well, and what is left to see is a token alone.
#[track_caller]
fn leaves_a_token(screen: &mut Screen) {
    assert!(screen.end().success(), "{}", screen.text());
    until("the rest of what it says", || screen.text().ends_with('\n'));
    let lines = visible(&screen.text());
    // A token is longer than a line of the terminal, which is not this program's business.
    assert!(lines.len() == 1 && lines[0].starts_with("ey"), "{lines:?}");
}

#[test]
fn s3_on_a_terminal_it_says_who_has_the_lock() {
    let world = stale();
    let lock = locked(&world);
    let mut screen = Screen::run(&world, &["auth", "token"]);
    screen.wait_for("Waiting for process 4711@elsewhere, which holds the session's lock (at most ");
    drop(lock);
    leaves_a_token(&mut screen);
}

#[test]
fn cli9_on_a_terminal_it_says_why_the_service_is_not_asked() {
    let world = stale();
    world.sandbox.script(busy(4));
    let mut screen = Screen::run(&world, &["auth", "token"]);
    screen.wait_for("Waiting for the next try (the identity service is temporarily unavailable");
    leaves_a_token(&mut screen);
}

#[test]
fn cli9_on_a_terminal_it_says_that_the_service_takes_its_time() {
    let world = World::logged_in();
    world.sandbox.script(Fault::token(Action::Delay(Duration::from_secs(4))));
    let mut screen = Screen::run(&world, &["auth", "refresh"]);
    screen.wait_for("Waiting for the identity service (at most ");
    assert!(screen.end().success(), "{}", screen.text());
    screen.wait_for("valid until");
    let lines = visible(&screen.text());
    assert!(lines.len() == 1 && lines[0].starts_with("renewed "), "{lines:?}");
}

#[test]
fn cli9_a_narrow_terminal_gets_a_line_that_fits() {
    let world = stale();
    let lock = locked(&world);
    let mut screen = Screen::run_on(24, &world, &["auth", "token"]);
    screen.wait_for("Waiting for process …");
    drop(lock);
    leaves_a_token(&mut screen);
    assert!(!screen.text().contains("4711"));
}

#[test]
fn cli9_a_signal_leaves_no_half_a_line() {
    let world = stale();
    let _lock = locked(&world);
    let mut screen = Screen::run(&world, &["auth", "token"]);
    screen.wait_for("Waiting for process");
    screen.types("\u{3}");
    assert_eq!(screen.end().code(), Some(130), "{}", screen.text());
    until("the line that is gone", || visible(&screen.text()).is_empty());
}

#[test]
fn cli9_where_nobody_looks_nothing_is_said_and_a_moment_needs_no_words() {
    let world = stale();
    world.sandbox.script(busy(3));
    let done = world.cdse(["auth", "token"]).run().ok();
    assert_eq!(done.stderr, "");
    world.age(700);
    world.sandbox.script(busy(3));
    let mut screen = Screen::run(&world, &["auth", "token", "--json"]);
    assert!(screen.end().success(), "{}", screen.text());
    assert!(!screen.text().contains("waiting"), "{}", screen.text());
    world.age(700);
    world.sandbox.script(Fault::token(Action::Delay(Duration::from_millis(500))));
    let mut screen = Screen::run(&world, &["auth", "token"]);
    leaves_a_token(&mut screen);
    assert!(!screen.text().contains("waiting"), "{}", screen.text());
    assert_eq!(world.sandbox.counters().logins_ok, 1, "{USER}");
}
