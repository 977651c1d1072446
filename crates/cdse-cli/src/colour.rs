//! Colour, for people at a terminal: in messages and in help, never in a value or in JSON.

use std::ffi::OsString;

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

/// When there is colour. `auto` heeds `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR` and `TERM`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

/// The colour of a kind of line.
pub(crate) fn of(kind: &str) -> Style {
    match kind {
        "error" => AnsiColor::Red.on_default().bold(),
        "warning" => AnsiColor::Yellow.on_default().bold(),
        "hint" => AnsiColor::Cyan.on_default().bold(),
        _ => Style::new(),
    }
}

/// Decided before the arguments are understood, for help and errors about the arguments have colours too.
pub(crate) fn decide(arguments: &[OsString]) {
    if let Some(when) = asked(arguments) {
        let choice = match when {
            When::Auto => ColorChoice::Auto,
            When::Always => ColorChoice::Always,
            When::Never => ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// What `--color` says, if it can be understood.
fn asked(arguments: &[OsString]) -> Option<When> {
    let mut options = arguments.iter().skip(1).map(|argument| argument.to_str()).take_while(|text| *text != Some("--"));
    let value = options.find_map(|option| match option?.strip_prefix("--color")? {
        "" => Some(None),
        value => value.strip_prefix('=').map(Some),
    })?;
    When::from_str(value.or_else(|| options.next().flatten())?, false).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli9_color_is_found_before_the_arguments_are_understood() {
        let asked = |text: &str| asked(&text.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(asked("cdse auth token --color always"), Some(When::Always));
        assert_eq!(asked("cdse --color=never auth token"), Some(When::Never));
        for odd in ["cdse", "cdse --color", "cdse --color red", "cdse --colour=never", "cdse run -- --color never"] {
            assert_eq!(asked(odd), None, "{odd}");
        }
    }
}
