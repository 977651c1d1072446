//! The options of every command.

use std::path::PathBuf;
use std::time::Duration;

use cdse_credentials::Name;
use clap::{ArgAction, Args, ColorChoice};
use clap_complete::ArgValueCandidates;

use crate::args::{candidates, duration};

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Profile to use. Defaults to the choice of `auth switch` [env: CDSE_PROFILE]
    #[arg(long, global = true, value_name = "NAME", value_parser = Name::parse, add = ArgValueCandidates::new(candidates::profiles))]
    pub(crate) profile: Option<Name>,
    /// Print JSON; an error is one JSON object on stderr
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
    /// Log decisions and requests to stderr, without secrets; -vv logs more [env: CDSE_LOG]
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Longest wait for a token, a login or another process. Defaults to 10s for a login, else 1m
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration::parse_positive)]
    pub(crate) timeout: Option<Duration>,
    /// When to use colour: auto, always, never [env: NO_COLOR, CLICOLOR_FORCE]
    #[arg(long, global = true, value_enum, value_name = "WHEN", hide_possible_values = true)]
    pub(crate) color: Option<ColorChoice>,
}
