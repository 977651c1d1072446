//! `cdse auth token`: one line, a valid access token.

use crate::args::call::Call;
use crate::args::{duration, service};
use crate::process::signals;
use crate::report::fail::{Fail, Result};
use crate::report::{explain, output, progress, time};
use cdse_credentials::{Mode, Name, Session, Source};
use std::time::{Duration, SystemTime};

use cdse_auth::{DataService, Error, TokenSet};
use serde::Serialize;
use zeroize::Zeroizing;

#[derive(clap::Args, Debug)]
pub(crate) struct Token {
    /// A token that is valid for at least this long, or the longest that the service gives (90s, 5m, 1h30m)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    min_validity: Option<Duration>,
    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Fail, before any request, unless this kind of credential reaches the service
    #[arg(long = "for", value_name = "SERVICE", value_parser = service::parser())]
    service: Option<DataService>,
    /// Renew the token even if it is valid
    #[arg(long)]
    force_refresh: bool,
}

/// Each is one line.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    /// The token alone
    Raw,
    /// Authorization: Bearer …
    Header,
    /// What --json prints
    Json,
    /// export CDSE_ACCESS_TOKEN=…, for a shell's eval
    Env,
    /// header = "Authorization: Bearer …", for curl -K
    CurlConfig,
}

/// The JSON shape; it is part of the interface.
#[derive(Serialize)]
struct Described<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_at: Option<String>,
    expires_in: Option<i64>,
    username: Option<&'a str>,
    profile: Option<&'a str>,
    warnings: Vec<String>,
}

impl Token {
    pub(crate) fn run(&self, call: &Call) -> Result<()> {
        let format = match (self.format, output::is_json()) {
            (None, false) => Format::Raw,
            (None | Some(Format::Json), true) => Format::Json,
            (Some(format), false) => format,
            (Some(_), true) => return Err(Fail::usage("--json and another --format cannot be used together")),
        };
        let session = call.open(Mode::OneShot)?;
        explain::check_reach(&session, self.service)?;
        let fixed = *session.source() == Source::AccessToken;
        if fixed && self.force_refresh {
            return Err(Fail::usage("CDSE_ACCESS_TOKEN is used as it is and cannot be renewed")
                .hint("unset CDSE_ACCESS_TOKEN, or leave --force-refresh out"));
        }
        let tokens = self.tokens(&session, fixed).map_err(|error| explain::of(&session, error))?;
        // A fixed token may not say when it ends.
        let end = if fixed { session.manager().status().access_expires_at } else { Some(tokens.access_expires_at()) };
        let expires_in = end.map(time::seconds_until);
        if let (Some(wanted), Some(left)) = (self.min_validity, expires_in)
            && i64::try_from(wanted.as_secs()).is_ok_and(|wanted| left < wanted)
        {
            let why = match fixed {
                true => "a token in CDSE_ACCESS_TOKEN is not renewed",
                false => "the service issues none that is valid for longer",
            };
            let wanted = wanted.as_secs();
            output::warn(&format!("this token is valid for {left} s, not for the requested {wanted} s: {why}"));
        }
        output::stdout(&line(&session, &tokens, format, end))
    }

    fn tokens(&self, session: &Session, fixed: bool) -> Result<TokenSet, Error> {
        let wanted = self.min_validity.filter(|_| !fixed).unwrap_or_default();
        // Reads the store. A token that is fresh is printed without anything that could be interrupted.
        explain::say_what_was_mended(session);
        if !self.force_refresh && wanted.is_zero() && session.manager().as_async().fresh_header().is_some() {
            log::info!("the token is fresh");
            return session.manager().tokens(wanted);
        }
        signals::protect(session.manager());
        let _told = progress::show(session.manager());
        let forced = if self.force_refresh { session.manager().force_refresh().map(drop) } else { Ok(()) };
        let tokens = forced.and_then(|()| session.manager().tokens(wanted));
        // A renewal that takes longer than this caller waits is finished all the same: its answer may be the only one.
        if let (Ok(_), Err(error)) = (&tokens, session.manager().settle()) {
            output::warn(&format!("the token is good, but the session could not be stored: {error}"));
        }
        tokens
    }
}

fn line(session: &Session, tokens: &TokenSet, format: Format, end: Option<SystemTime>) -> Zeroizing<String> {
    let token = tokens.access_token();
    let mut line = Zeroizing::new(String::with_capacity(2 * token.len() + 512));
    match format {
        Format::Raw => line.push_str(token),
        Format::Header => line.extend(["Authorization: Bearer ", token]),
        Format::Json => {
            let described = Described {
                access_token: token,
                token_type: "Bearer",
                expires_at: end.and_then(time::rfc3339),
                expires_in: end.map(|end| time::seconds_until(end).max(0)),
                username: session.username(),
                profile: session.source().profile().map(Name::as_str),
                warnings: output::warnings(),
            };
            line.push_str(&output::json_line(&described));
        }
        Format::Env => {
            // A token has no character that cannot be quoted: it has been checked for a header.
            let quoted = shlex::try_quote(token).map(|quoted| Zeroizing::new(quoted.into_owned())).unwrap_or_default();
            line.extend(["export CDSE_ACCESS_TOKEN=", &quoted]);
        }
        Format::CurlConfig => {
            let escaped = Zeroizing::new(token.replace('\\', "\\\\").replace('"', "\\\""));
            line.extend(["header = \"Authorization: Bearer ", &escaped, "\""]);
        }
    }
    line.push('\n');
    line
}
