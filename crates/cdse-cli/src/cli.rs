//! The commands: what exists, and what `--help` says about it.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::ArgValueCandidates;

use crate::args::call::Call;
use crate::args::early::Early;
use crate::args::global::Global;
use crate::args::usage;
use crate::commands::{auth, completions, exec, help, man, sandbox};
use crate::report::fail::Result;
use crate::report::{output, verbose};

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

const EXEC: &str = "\
Two files stay fresh while the program runs, and are gone when it ends:
  CDSE_TOKEN_FILE   the access token
  CDSE_HEADER_FILE  the line Authorization: Bearer …   (curl -H @\"$CDSE_HEADER_FILE\", GDAL with --with gdal)

CDSE_SESSION names the session, so that `cdse` itself can be used in the program. The credentials that open sessions are taken \
out of its environment. The exit code is the program's: 128 and the signal if one ended it, 127 if it was not found, 126 if it could \
not be run.

  cdse exec -- sh -c 'curl --header @\"$CDSE_HEADER_FILE\" --output scene.zip ADDRESS'
  cdse exec --with gdal -- gdalinfo /vsicurl/ADDRESS
  cdse exec --once -- ./script-that-reads-CDSE_ACCESS_TOKEN";

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

/// Each is built when it is called, for most calls are `auth token`.
#[derive(Subcommand, Debug)]
#[command(defer = true)]
enum Command {
    /// Log in, show the session, print a token, log out
    #[command(subcommand)]
    Auth(auth::Command),
    /// Run a program with a valid token for as long as it runs
    #[command(after_help = EXEC)]
    Exec(exec::Command),
    /// A local identity service to try things on, without an account
    #[command(subcommand)]
    Sandbox(sandbox::Command),
    /// Show help for a command or a topic
    Help(help::Command),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS)]
    Completions(completions::Command),
    /// Print the man page, or write a page per command into a folder
    #[command(after_help = MAN)]
    Man(man::Command),
}

/// Arguments that were understood, or a text that was asked for.
pub(crate) enum Parsed {
    Text(String),
    Run(Box<Cli>),
}

pub(crate) fn parse(mut arguments: Vec<OsString>) -> Result<Parsed> {
    match Cli::try_parse_from(arguments.iter()) {
        Ok(cli) => Ok(Parsed::Run(Box::new(cli))),
        Err(error) => match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
            (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, _) => {
                Ok(Parsed::Text(error.render().ansi().to_string()))
            }
            // `cdse auth help login` is `cdse auth login --help`.
            (_, Some(ContextValue::String(word))) if word == "help" => {
                arguments.iter().position(|argument| argument == "help").map(|at| arguments.remove(at));
                arguments.push("--help".into());
                parse(arguments)
            }
            // A group of commands alone asks what there is.
            (ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, _) => {
                parse(arguments.into_iter().chain(["--help".into()]).collect())
            }
            _ => Err(usage::of(&error, &Cli::command(), &arguments)),
        },
    }
}

/// How errors and colours are wanted, whether the arguments could be parsed or not.
pub(crate) fn early(parsed: &Result<Parsed>, arguments: &[OsString]) -> Early {
    match parsed {
        Ok(Parsed::Run(cli)) => Early { json: cli.global.json, color: cli.global.color, path: Vec::new() },
        Ok(Parsed::Text(_)) | Err(_) => Early::of(Cli::command(), arguments),
    }
}

/// Answers a shell that asks for completions; `false` if none does.
pub(crate) fn answer_completion() -> Result<bool> {
    completions::answer(|| {
        let topics = ArgValueCandidates::new(|| help::candidates(&Cli::command()));
        // What is deferred is not there before.
        let mut command = Cli::command();
        command.build();
        command.mut_subcommand("help", |help| help.mut_arg("words", |words| words.add(topics)))
    })
}

impl Parsed {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Self::Text(text) => output::help(&text)?,
            Self::Run(cli) => match cli.command {
                Command::Auth(command) => {
                    verbose::start(cli.global.verbose)?;
                    return command.run(&Call::of(&cli.global)?);
                }
                Command::Exec(command) => {
                    verbose::start(cli.global.verbose)?;
                    return command.run(&Call::of(&cli.global)?);
                }
                Command::Sandbox(command) => return command.run(),
                Command::Help(command) => command.run(Cli::command())?,
                Command::Completions(command) => command.run()?,
                Command::Man(command) => command.run(Cli::command())?,
            },
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ColorChoice;

    fn early(line: &str) -> (bool, Option<ColorChoice>) {
        let early = Early::of(Cli::command(), &line.split(' ').map(OsString::from).collect::<Vec<_>>());
        (early.json, early.color)
    }

    #[test]
    fn cli9_json_and_color_are_found_where_the_arguments_are_not_understood() {
        use ColorChoice::{Always, Never};
        assert_eq!(early("cdse auth token --color always --nonsense --json"), (true, Some(Always)));
        assert_eq!(early("cdse --color=never auth tokn --json"), (true, Some(Never)));
        assert_eq!(early("cdse sandbox run --lifetime 5m --json"), (true, None));
        for odd in ["cdse", "cdse --color", "cdse --color red", "cdse --colour=never", "cdse --profile --json"] {
            assert_eq!(early(odd), (false, None), "{odd}");
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
            assert_eq!(early(line), (false, None), "{line}");
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
                    assert_eq!(fail.exit, 2);
                    let said = format!("{} {}", fail.message, fail.hint.unwrap_or_default());
                    assert!(!said.contains("CANARY") && !said.chars().any(char::is_control), "{said:?}");
                    said
                }
            }
        });
    }
}
