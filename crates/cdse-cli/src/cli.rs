//! The arguments: what exists, and what `--help` says about it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use cdse_credentials::Name;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum as _};
use clap_complete::ArgValueCandidates;

use crate::call::Call;
use crate::fail::{Fail, Result};
use crate::{auth, colour, complete, duration, help, man, output, sandbox, verbose};

/// Log in once to the Copernicus Data Space Ecosystem, use the session everywhere.
#[derive(Parser, Debug)]
#[command(name = "cdse", version, disable_help_subcommand = true, after_help = MORE)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const MORE: &str = "\
More: `cdse help credentials` (what to use for what you have), `cdse help environment`, `cdse help exit-codes`.";

const COMPLETIONS: &str = "\
bash:       add  source <(cdse completions bash)  to ~/.bashrc
zsh:        add  source <(cdse completions zsh)  to ~/.zshrc, after compinit
fish:       add  cdse completions fish | source  to ~/.config/fish/config.fish
PowerShell: add  cdse completions powershell | Out-String | Invoke-Expression  to $PROFILE

Names of profiles come from the state folder. Ids of sessions are asked for only while a valid token is stored; completing \
never logs in and never renews.";

const MAN: &str = "\
To read it now:   cdse man | man -l -
To install it:    cdse man ~/.local/share/man/man1";

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Account to use, by its profile's name; else what `auth switch` chose [env: CDSE_PROFILE]
    #[arg(long, global = true, value_name = "NAME", value_parser = Name::parse, add = ArgValueCandidates::new(complete::profiles))]
    pub(crate) profile: Option<Name>,
    /// Report as JSON; errors are then one JSON object on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Where no session is stored, use the netrc file's user and password [env: NETRC]
    #[arg(long, global = true)]
    pub(crate) netrc: bool,
    /// Never ask on the terminal [env: CDSE_NO_INPUT=1]
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Certificate authorities in PEM, beside the system's (those in SSL_CERT_FILE and SSL_CERT_DIR, if set)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// Say on stderr what is decided and each request, without secrets; -vv says more [env: CDSE_LOG]
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Wait at most this long for a token, a login or another process (a login 10s, anything else 1m)
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration::parse_positive)]
    pub(crate) timeout: Option<Duration>,
    /// Colour messages and help: auto, always, never [env: NO_COLOR, CLICOLOR_FORCE]
    #[arg(long, global = true, value_enum, value_name = "WHEN", hide_possible_values = true)]
    pub(crate) color: Option<colour::When>,
}

/// Each is built when it is called, for most calls are `auth token`.
#[derive(Subcommand, Debug)]
#[command(defer = true)]
enum Command {
    /// Log in, show the session, print a token, log out
    #[command(subcommand)]
    Auth(auth::Command),
    /// A local identity service to try things on, without an account
    #[command(subcommand)]
    Sandbox(sandbox::Command),
    /// Explain a command or a topic
    Help(help::Command),
    /// Print what makes a shell complete commands, options, profiles and sessions
    #[command(after_help = COMPLETIONS)]
    Completions(complete::Command),
    /// Print the man page, or write a page per command into a folder
    #[command(after_help = MAN)]
    Man(man::Command),
}

/// Arguments that were understood, or a text that was asked for.
pub(crate) enum Parsed {
    Text(String),
    Run(Box<Cli>),
}

pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Parsed> {
    match Cli::try_parse_from(arguments.iter()) {
        Ok(cli) => Ok(Parsed::Run(Box::new(cli))),
        Err(error) => match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
            (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, _) => {
                Ok(Parsed::Text(error.render().ansi().to_string()))
            }
            // `cdse auth help login` is `cdse auth login --help`.
            (_, Some(ContextValue::String(word))) if word == "help" => {
                let mut arguments = arguments;
                arguments.iter().position(|argument| argument == "help").map(|at| arguments.remove(at));
                arguments.push("--help".into());
                parse(arguments)
            }
            // A group of commands alone asks what there is.
            (ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, _) => {
                parse(arguments.into_iter().chain(["--help".into()]).collect())
            }
            _ => Err(usage(&error, &arguments)),
        },
    }
}

/// What decides how help and errors look, where the arguments as a whole cannot be understood.
#[derive(PartialEq, Eq, Default, Debug)]
pub(crate) struct Preview {
    pub(crate) json: bool,
    pub(crate) color: Option<colour::When>,
    /// The command, as far as it is one.
    path: Vec<String>,
}

impl Preview {
    /// Reads no further than `--`, or the name of a program to run: what follows is the program's.
    pub(crate) fn of(arguments: &[OsString]) -> Self {
        let mut command = Cli::command();
        // The options of every command are known to each from then on.
        command.build();
        let (mut command, mut preview) = (&command, Self::default());
        let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
        while let Some(word) = words.next() {
            let (name, value) = word.split_once('=').map_or((&*word, None), |(name, value)| (name, Some(value)));
            let known = command.get_arguments().find(|known| {
                let short = |short| name.strip_prefix('-').is_some_and(|letters| letters.starts_with(short));
                known.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long))
                    || known.get_short().is_some_and(short)
            });
            match known {
                _ if word == "--" => break,
                Some(known) => {
                    let takes_next = known.get_action().takes_values() && value.is_none();
                    let next = if takes_next { words.next() } else { None };
                    match known.get_long() {
                        Some("json") => preview.json = true,
                        Some("color") if preview.color.is_none() => {
                            let value = value.or(next.as_deref()).unwrap_or_default();
                            preview.color = colour::When::from_str(value, false).ok();
                        }
                        _ => {}
                    }
                }
                None => match command.find_subcommand(&*word) {
                    Some(one) => {
                        command = one;
                        preview.path.push(word.into_owned());
                    }
                    None if command.get_positionals().any(clap::Arg::is_trailing_var_arg_set) => break,
                    None => {}
                },
            }
        }
        preview
    }
}

/// The command that somebody may have meant: in its place, else in another group of commands; of the same name, else of a
/// similar one.
fn meant(word: &str, path: &[String]) -> Option<String> {
    let mut groups = vec![path.to_vec()];
    let mut command = Cli::command();
    command.build();
    collect_groups(&command, &[], &mut groups);
    let mut similar = None;
    for group in groups {
        let words = ["cdse"].into_iter().chain(group.iter().map(String::as_str));
        let error = Cli::command().try_get_matches_from(words.clone().chain([word, "--help"])).err()?;
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

impl Parsed {
    /// How it wants its errors and its colours.
    pub(crate) fn preview(&self, arguments: &[OsString]) -> Preview {
        match self {
            Self::Text(_) => Preview::of(arguments),
            Self::Run(cli) => Preview { json: cli.global.json, color: cli.global.color, path: Vec::new() },
        }
    }

    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Self::Text(text) => output::help(&text).map(|()| ExitCode::SUCCESS),
            Self::Run(cli) => match cli.command {
                Command::Auth(command) => {
                    verbose::start(cli.global.verbose)?;
                    command.run(&Call::of(&cli.global)?)
                }
                Command::Sandbox(command) => command.run(cli.global.json),
                Command::Help(command) => command.run().map(|()| ExitCode::SUCCESS),
                Command::Completions(command) => command.run().map(|()| ExitCode::SUCCESS),
                Command::Man(command) => command.run().map(|()| ExitCode::SUCCESS),
            },
        }
    }
}

/// One sentence about arguments that cannot be used. What stood in them is not repeated: it may be a password in the
/// wrong place.
fn usage(error: &clap::Error, arguments: &[OsString]) -> Fail {
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
            format!("there is no option {option} here")
        }
        (ErrorKind::UnknownArgument, Some(_)) => "there is no such option here".to_owned(),
        (ErrorKind::UnknownArgument, None) => "there is an argument too many".to_owned(),
        (ErrorKind::InvalidSubcommand, _) => "there is no such command".to_owned(),
        (ErrorKind::ValueValidation, Some(option)) => match std::error::Error::source(error) {
            Some(why) => format!("{option}: {why}"),
            None => format!("the value of {option} cannot be used"),
        },
        (ErrorKind::InvalidValue, Some(option))
            if text(ContextKind::InvalidValue).is_some_and(|given| !given.is_empty()) =>
        {
            let names = text(ContextKind::ValidValue).unwrap_or_default();
            format!("{option} is one of {names}")
        }
        (ErrorKind::InvalidValue | ErrorKind::TooFewValues, Some(option)) => format!("{option} needs a value"),
        (ErrorKind::MissingRequiredArgument, Some(option)) => format!("{option} is missing"),
        (ErrorKind::ArgumentConflict, Some(option)) => match prior {
            Some(prior) if prior == *option => format!("{option} is given twice"),
            Some(prior) => format!("{option} and {prior} exclude each other"),
            None => format!("{option} excludes another option that was given"),
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
        Some(word) => meant(&word, &Preview::of(arguments).path).map(|command| format!("`{command}`")),
        None => text(ContextKind::SuggestedArg),
    };
    Fail::usage(message).hint(match (secret, similar) {
        (Some(instead), _) => format!("a secret is no argument, for others can see it: {instead}"),
        (None, Some(similar)) => format!("did you mean {similar}?"),
        (None, None) => "see `cdse --help`, or --help after the command".to_owned(),
    })
}

/// What begins with a hyphen may be a password, too.
fn could_be_an_option(text: &str) -> bool {
    text.len() <= 24 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(line: &str) -> (bool, Option<colour::When>) {
        let preview = Preview::of(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        (preview.json, preview.color)
    }

    #[test]
    fn cli9_json_and_color_are_found_where_the_arguments_are_not_understood() {
        use colour::When::{Always, Never};
        assert_eq!(preview("cdse auth token --color always --nonsense --json"), (true, Some(Always)));
        assert_eq!(preview("cdse --color=never auth tokn --json"), (true, Some(Never)));
        assert_eq!(preview("cdse sandbox run --lifetime 5m --json"), (true, None));
        for odd in ["cdse", "cdse --color", "cdse --color red", "cdse --colour=never", "cdse --profile --json"] {
            assert_eq!(preview(odd), (false, None), "{odd}");
        }
    }

    #[test]
    fn cli9_what_follows_a_program_or_two_hyphens_is_not_ours() {
        for line in [
            "cdse sandbox run -- x --json --color=always",
            "cdse sandbox run x --json --color always",
            "cdse sandbox run --lifetime 5m x --json",
            "cdse sandbox run -v --lifetime=5m --profile run x --json",
            "cdse sandbox run --nonsense --json",
            "cdse auth token -- --json --color=never",
        ] {
            assert_eq!(preview(line), (false, None), "{line}");
        }
    }

    /// An argument on each line.
    #[test]
    fn cli2_no_argument_is_shown_that_could_be_a_secret() {
        cdse_fuzz::fuzz("command_line", |data| {
            let lines = String::from_utf8_lossy(data);
            let arguments = std::iter::once("cdse").chain(lines.lines()).map(OsString::from).collect();
            match parse(arguments) {
                Ok(Parsed::Text(text)) => text.lines().next().unwrap_or_default().to_owned(),
                Ok(Parsed::Run(cli)) => format!("{cli:?}").split([' ', '{']).take(4).collect(),
                Err(fail) => {
                    assert_eq!(fail.exit(), 2);
                    let said = format!("{} {}", fail.text(), fail.advice().unwrap_or_default());
                    assert!(!said.contains("CANARY") && !said.chars().any(char::is_control), "{said:?}");
                    said
                }
            }
        });
    }
}
