//! Errors about arguments, in one sentence.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::args::early::Early;
use crate::report::fail::Fail;

/// One sentence about arguments that cannot be used. What stood in them is not repeated: it may be a password in the
/// wrong place.
pub(crate) fn of(error: &clap::Error, command: &clap::Command, arguments: &[OsString]) -> Fail {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    // The name of an option, without what was given to it or could be.
    let option = text(ContextKind::InvalidArg)
        .filter(|argument| argument.starts_with('-') || argument.starts_with('<'))
        .map(|argument| argument.split(['=', ' ']).next().unwrap_or_default().to_owned());
    let prior = text(ContextKind::PriorArg).map(|prior| prior.split(' ').next().unwrap_or_default().to_owned());
    let message = match (error.kind(), &option) {
        (ErrorKind::UnknownArgument, Some(option)) if could_be_an_option(option) => {
            format!("unexpected option {option}")
        }
        (ErrorKind::UnknownArgument, Some(_)) => "unexpected option".to_owned(),
        (ErrorKind::UnknownArgument, None) => "unexpected argument".to_owned(),
        (ErrorKind::InvalidSubcommand, _) => "unknown command".to_owned(),
        (ErrorKind::ValueValidation, Some(option)) => match std::error::Error::source(error) {
            Some(why) => format!("{option}: {why}"),
            None => format!("invalid value for {option}"),
        },
        (ErrorKind::InvalidValue, Some(option))
            if text(ContextKind::InvalidValue).is_some_and(|given| !given.is_empty()) =>
        {
            let names = text(ContextKind::ValidValue).unwrap_or_default();
            format!("{option} must be one of {names}")
        }
        (ErrorKind::InvalidValue | ErrorKind::TooFewValues, Some(option)) => format!("{option} needs a value"),
        (ErrorKind::MissingRequiredArgument, Some(option)) => format!("{option} is missing"),
        (ErrorKind::ArgumentConflict, Some(option)) => match prior {
            Some(prior) if prior == *option => format!("{option} is given twice"),
            Some(prior) => format!("{option} and {prior} cannot be used together"),
            None => format!("{option} cannot be used together with another option that was given"),
        },
        (ErrorKind::InvalidUtf8, _) => "an argument is not valid UTF-8".to_owned(),
        (ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand, _) => {
            "a command is missing".to_owned()
        }
        (_, Some(option)) => format!("{option} cannot be used like this"),
        (_, None) => "the arguments cannot be used like this".to_owned(),
    };
    let secret = match option.as_deref() {
        Some("--password") => Some("--password-stdin or --password-command"),
        Some("--client-secret") => Some("--client-secret-stdin"),
        Some("--refresh-token") => Some("--refresh-token-stdin"),
        Some("--totp-secret") => Some("set CDSE_TOTP_SECRET"),
        _ => None,
    };
    let similar = match text(ContextKind::InvalidSubcommand) {
        Some(word) => {
            meant(&word, command, &Early::of(command.clone(), arguments).path).map(|command| format!("`{command}`"))
        }
        None => text(ContextKind::SuggestedArg),
    };
    Fail::usage(message).hint(match (secret, similar) {
        (Some(instead), _) => format!("other users can see arguments, so a secret cannot be one: {instead}"),
        (None, Some(similar)) => format!("did you mean {similar}?"),
        (None, None) => "see `cdse --help`, or --help after the command".to_owned(),
    })
}

/// What begins with a hyphen may be a password, too.
fn could_be_an_option(text: &str) -> bool {
    text.len() <= 24 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// The command that somebody may have meant: in its place, else in another group of commands; of the same name, else of a
/// similar one.
fn meant(word: &str, cli: &clap::Command, path: &[String]) -> Option<String> {
    let mut groups = vec![path.to_vec()];
    let mut command = cli.clone();
    command.build();
    collect_groups(&command, &[], &mut groups);
    let mut similar = None;
    for group in groups {
        let words = ["cdse"].into_iter().chain(group.iter().map(String::as_str));
        let error = cli.clone().try_get_matches_from(words.clone().chain([word, "--help"])).err()?;
        let said = |name: &str| words.clone().chain([name]).collect::<Vec<_>>().join(" ");
        match (error.kind(), error.get(ContextKind::SuggestedSubcommand)) {
            (ErrorKind::DisplayHelp, _) => return Some(said(word)),
            (_, Some(ContextValue::Strings(names))) if similar.is_none() => {
                similar = names.first().map(|name| said(name));
            }
            (_, Some(ContextValue::String(name))) if similar.is_none() => similar = Some(said(name)),
            _ => {}
        }
    }
    similar
}

/// The commands that have commands of their own.
fn collect_groups(command: &clap::Command, path: &[String], groups: &mut Vec<Vec<String>>) {
    if command.has_subcommands() {
        groups.push(path.to_vec());
        for one in command.get_subcommands() {
            collect_groups(one, &[path, &[one.get_name().to_owned()]].concat(), groups);
        }
    }
}
