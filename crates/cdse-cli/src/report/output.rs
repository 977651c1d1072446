//! The two streams: stdout carries the requested value only, stderr everything else.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use cdse_auth::text::is_unprintable;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::report::colour;
use crate::report::fail::{Fail, Result};
use crate::report::name::named;
use crate::report::passing::{self, passing};

/// With `--json`: the warnings so far, which the answer or the error holds. Nothing else is said then.
static JSON: Mutex<Option<Vec<String>>> = Mutex::new(None);

fn json_mode() -> MutexGuard<'static, Option<Vec<String>>> {
    JSON.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on what is said is for a program.
pub(crate) fn begin(json: bool) {
    *json_mode() = json.then(Vec::new);
}

pub(crate) fn is_json() -> bool {
    json_mode().is_some()
}

/// What was warned of, to be a part of the one object.
pub(crate) fn warnings() -> Vec<String> {
    json_mode().as_mut().map(std::mem::take).unwrap_or_default()
}

/// Writes what was asked for. A reader that has gone away has seen enough: that is no error.
pub(crate) fn stdout(text: &str) -> Result<()> {
    write(&mut io::stdout().lock(), text)
}

/// Writes help, which has styles where they can be shown.
pub(crate) fn help(text: &str) -> Result<()> {
    write(&mut AutoStream::auto(io::stdout().lock()), &named(text))
}

fn write(stream: &mut impl Write, text: &str) -> Result<()> {
    passing::clear();
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Fail::other(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// A line for people. There is nobody to tell when it cannot be written.
pub(crate) fn note(line: &str) {
    if !is_json() {
        stderr(&named(line));
    }
}

/// A line that changes what somebody does next. A program finds it among the warnings.
pub(crate) fn remark(text: &str) {
    match &mut *json_mode() {
        Some(warnings) => warnings.push(one_line(text)),
        None => stderr(&format!("note: {}", named(text))),
    }
}

/// A line on stderr.
pub(crate) fn stderr(line: &str) {
    let mut passing = passing();
    passing.clear();
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// A line that says what kind of line it is, in the colour of its kind. It is made first and written at once: other processes
/// write there, too.
pub(crate) fn line(kind: &str, text: &str) {
    let mut passing = passing();
    passing.clear();
    let stderr = io::stderr().lock();
    let choice = AutoStream::choice(&stderr);
    // What strips colours writes piece by piece.
    let style = if choice == ColorChoice::Never { Style::new() } else { colour::of(kind) };
    let line = format!("{style}{kind}:{style:#} {}\n", one_line(text));
    let _ = match choice {
        ColorChoice::Never => { stderr }.write_all(line.as_bytes()),
        choice => AutoStream::new(stderr, choice).write_all(line.as_bytes()),
    };
}

/// Something that went well all the same.
pub(crate) fn warn(text: &str) {
    match &mut *json_mode() {
        Some(warnings) => warnings.push(one_line(text)),
        None => line("warning", text),
    }
}

/// Writes why the command fails to stderr: for people, or as one JSON object.
pub(crate) fn fail(fail: &Fail) -> ExitCode {
    /// The JSON shape; it is part of the interface.
    #[derive(Serialize)]
    struct Object {
        error: Fail,
        /// What was warned of before.
        warnings: Vec<String>,
    }
    if is_json() {
        let (message, hint) = (one_line(&fail.message), fail.hint.as_deref().map(one_line));
        let error = Fail { message, hint, ..fail.clone() };
        stderr(&json_line(&Object { error, warnings: warnings() }));
    } else {
        line("error", &fail.message);
        fail.hint.iter().for_each(|hint| line("hint", hint));
    }
    ExitCode::from(fail.exit)
}

/// Paths and words of others may hold line ends and terminal commands. Our own commands are named as they are typed here.
pub(crate) fn one_line(text: &str) -> String {
    named(text).chars().map(|c| if is_unprintable(c) { ' ' } else { c }).collect()
}

/// Writes a report where JSON was asked for.
pub(crate) fn answer(report: &impl Serialize) -> Result<()> {
    if is_json() { stdout(&json(report)) } else { Ok(()) }
}

/// A report as JSON, ready to be written.
pub(crate) fn json(report: &impl Serialize) -> String {
    // Plain texts and numbers with string keys, for which serde_json has no error.
    harmless(&serde_json::to_string_pretty(report).unwrap_or_default()).to_string() + "\n"
}

/// A value as JSON on one line. It may hold a token.
pub(crate) fn json_line(value: &impl Serialize) -> Zeroizing<String> {
    harmless(&Zeroizing::new(serde_json::to_string(value).unwrap_or_default()))
}

/// What a terminal would obey is written as JSON can write it: `\u009b`.
fn harmless(json: &str) -> Zeroizing<String> {
    let mut shown = Zeroizing::new(String::with_capacity(json.len() + 64));
    for c in json.chars() {
        if c != '\n' && is_unprintable(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| shown.push_str(&format!("\\u{unit:04x}")));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli12_json_holds_nothing_that_a_terminal_obeys_and_means_the_same() {
        let odd = "a\u{1b}[31m\u{9b}31m\u{7}\r\n\u{202e}b\u{2066}c\u{200b}ä😀\u{e0041}";
        for text in [json(&[odd]), json_line(&[odd]).to_string()] {
            assert!(!text.chars().any(|c| c != '\n' && is_unprintable(c)), "{text:?}");
            assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [odd]);
        }
    }
}
