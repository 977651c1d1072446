//! `cdse help`: of commands, and topics that no single command owns.

use clap::error::ErrorKind;
use clap_complete::CompletionCandidate;
use textwrap::Options;

use crate::args::variables::VARIABLES;
use crate::report::exit_code::EXIT_CODES;
use crate::report::fail::{Fail, Result};
use crate::report::{output, table};

#[derive(clap::Args, Debug)]
pub(crate) struct Command {
    /// A command (auth login), or environment, exit-codes or credentials
    #[arg(value_name = "TOPIC")]
    words: Vec<String>,
}

/// How many columns the topics take.
const WIDTH: usize = 80;

/// A text, and the section of the man page that it is.
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) section: &'static str,
    pub(crate) introduction: &'static str,
    pub(crate) body: Body,
}

/// What a topic lists.
pub(crate) enum Body {
    List(&'static [(&'static str, &'static str)]),
    Codes(&'static [(&'static str, &'static str)]),
    /// What one has, what one wants, what one uses.
    Choices(&'static [(&'static str, &'static str, &'static str)]),
}

pub(crate) const TOPICS: &[Topic] = &[
    Topic {
        name: "credentials",
        about: "What to use for what you have and want",
        section: "CREDENTIALS",
        introduction: "Which login is for whom. --profile wins over the environment, the environment over the stored \
                       session, and that over --netrc; within the environment the order is access token, refresh token, \
                       client, user. `cdse auth status` names the winner.",
        body: Body::Choices(CREDENTIALS),
    },
    Topic {
        name: "environment",
        about: "The environment variables",
        section: "ENVIRONMENT",
        introduction: "An empty variable counts as unset. No file in the working folder is read.",
        body: Body::List(VARIABLES),
    },
    Topic {
        name: "exit-codes",
        about: "The exit codes",
        section: "EXIT STATUS",
        introduction: "The same for every command, with and without --json. `cdse sandbox run` gives back its command's \
                       own code, or 126 or 127 if the command cannot be started.",
        body: Body::Codes(EXIT_CODES),
    },
];

const CREDENTIALS: &[(&str, &str, &str)] = &[
    ("an account and a terminal", "to work here", "`cdse auth login` once; then `cdse auth token` in every program"),
    (
        "an account and no terminal",
        "a job that runs for days",
        "CDSE_USERNAME and CDSE_PASSWORD; the job logs in again when its session ends",
    ),
    (
        "an account with a second factor",
        "a job that runs for days",
        "CDSE_USERNAME, CDSE_PASSWORD, and CDSE_TOTP_SECRET or CDSE_TOTP_COMMAND",
    ),
    (
        "a login on this machine",
        "hundreds of processes with a token",
        "nothing more: all of them share the session, and one of them renews it",
    ),
    (
        "a login on this machine",
        "the same on another machine",
        "another login there; a copied state folder ends both sessions where refresh tokens work once",
    ),
    (
        "a password in a vault",
        "to log in without typing it",
        "`cdse auth login --username NAME --password-command COMMAND`",
    ),
    ("a netrc file", "to use it as it is", "--netrc with each command that uses a session"),
    (
        "an OAuth client (id and secret)",
        "Sentinel Hub or openEO",
        "CDSE_CLIENT_ID and CDSE_CLIENT_SECRET; a client's token opens no downloads",
    ),
    ("a refresh token", "a job that uses its session", "CDSE_REFRESH_TOKEN, on one machine only"),
    ("an access token", "the ten minutes that it lasts", "CDSE_ACCESS_TOKEN; nothing renews it"),
    (
        "two accounts",
        "both at hand",
        "`cdse auth login --profile NAME`, then --profile NAME or `cdse auth switch NAME`",
    ),
    (
        "a login on this machine",
        "GDAL or curl to use it",
        "`cdse auth header-file --watch PATH`, or `cdse auth token --format curl-config`",
    ),
    ("no account", "to try it", "`cdse sandbox demo`, `cdse sandbox run -- COMMAND`"),
];

impl Command {
    pub(crate) fn run(&self, commands: clap::Command) -> Result<()> {
        if let [word] = self.words.as_slice()
            && let Some(topic) = TOPICS.iter().find(|topic| topic.name == word)
        {
            return output::help(&topic.text());
        }
        // What the option says, word for word.
        let words = ["cdse"].into_iter().chain(self.words.iter().map(String::as_str)).chain(["--help"]);
        match commands.try_get_matches_from(words) {
            Err(error) if error.kind() == ErrorKind::DisplayHelp => output::help(&error.render().ansi().to_string()),
            _ => {
                let topics: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
                let hint = format!("see `cdse --help`; the topics are {}", topics.join(", "));
                Err(Fail::usage("unknown command or topic").hint(hint))
            }
        }
    }
}

/// What `cdse help` explains.
pub(crate) fn candidates(commands: &clap::Command) -> Vec<CompletionCandidate> {
    let topics = TOPICS.iter().map(|topic| (topic.name.to_owned(), Some(topic.about.into())));
    let commands = commands.get_subcommands().map(|one| (one.get_name().to_owned(), one.get_about().cloned()));
    topics.chain(commands).map(|(name, about)| CompletionCandidate::new(name).help(about)).collect()
}

impl Topic {
    /// For a terminal: 80 columns.
    fn text(&self) -> String {
        let body = match self.body {
            Body::List(entries) => entries.iter().map(|(term, text)| listed(term, text)).collect(),
            Body::Codes(codes) => {
                table::wrapped(["CODE", "MEANING"], codes.iter().map(|(code, text)| [*code, *text]), WIDTH)
            }
            Body::Choices(choices) => {
                let rows = choices.iter().map(|(have, want, using)| [*have, *want, *using]);
                table::wrapped(["I HAVE", "I WANT", "USE"], rows, WIDTH)
            }
        };
        format!("{}\n\n{body}", wrapped(self.introduction, ""))
    }

    /// For the manual: a term and what it means.
    pub(crate) fn entries(&self) -> Vec<(String, String)> {
        match self.body {
            Body::List(entries) | Body::Codes(entries) => {
                entries.iter().map(|(term, text)| ((*term).to_owned(), (*text).to_owned())).collect()
            }
            Body::Choices(choices) => choices
                .iter()
                .map(|(have, want, using)| (format!("I have {have}, I want {want}"), format!("Use {using}.")))
                .collect(),
        }
    }
}

fn listed(term: &str, text: &str) -> String {
    let bold = anstyle::Style::new().bold();
    format!("{bold}{term}{bold:#}\n{}\n", wrapped(text, "    "))
}

/// Lines that fit, each with an indent.
fn wrapped(text: &str, indent: &str) -> String {
    textwrap::fill(text, Options::new(WIDTH).initial_indent(indent).subsequent_indent(indent))
}
