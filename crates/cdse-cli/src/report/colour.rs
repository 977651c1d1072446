//! Colour, for people at a terminal: in messages and in help, never in a value or in JSON.

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use clap::ColorChoice as When;

/// The colour of a kind of line.
pub(crate) fn of(kind: &str) -> Style {
    match kind {
        "error" => AnsiColor::Red.on_default().bold(),
        "warning" => AnsiColor::Yellow.on_default().bold(),
        "hint" => AnsiColor::Cyan.on_default().bold(),
        _ => Style::new(),
    }
}

/// What `--color` says, of which `auto` heeds `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR` and `TERM`; else what the environment
/// and the terminal do.
pub(crate) fn decide(when: Option<When>) {
    let choice = match when {
        None => return,
        Some(When::Auto) => ColorChoice::Auto,
        Some(When::Always) => ColorChoice::Always,
        Some(When::Never) => ColorChoice::Never,
    };
    choice.write_global();
}
