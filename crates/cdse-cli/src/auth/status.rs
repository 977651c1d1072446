//! `cdse auth status`: what is known here, without asking anybody.

use std::process::ExitCode;

use cdse_auth::store::StoreDescription;
use cdse_auth::{Error, ErrorKind, Grant, SessionState, Status, TokenStore};
use serde::Serialize;

use crate::cli::Global;
use crate::environment::Environment;
use crate::fail::{Fail, Result, one_line};
use crate::session::Session;
use crate::source::{self, Source};
use crate::{output, time};

/// The JSON shape; it is part of the interface.
#[derive(Serialize, Debug)]
struct Report {
    profile: Option<String>,
    logged_in: bool,
    state: &'static str,
    username: Option<String>,
    client_id: Option<String>,
    credential: Option<&'static str>,
    source: String,
    reach: &'static [&'static str],
    access_expires_at: Option<String>,
    session_expires_at: Option<String>,
    login_needed_by: Option<String>,
    generation: Option<u64>,
    last_renewal_at: Option<String>,
    hold: Option<Hold>,
    store: Option<Store>,
    problems: Vec<String>,
}

#[derive(Serialize, Debug)]
struct Hold {
    until: Option<String>,
    reason: String,
}

#[derive(Serialize, Debug)]
struct Store {
    kind: &'static str,
    path: Option<String>,
}

const USER: &[&str] = &["download", "s3-keys", "subscriptions", "catalogue", "stac"];
const CLIENT: &[&str] = &["sentinel-hub", "openeo", "catalogue"];

pub(crate) fn run(global: &Global, environment: &Environment) -> Result<ExitCode> {
    let source = source::choose(global, environment)?;
    let Some(session) = Session::of(&source, environment)? else {
        return show(&missing(&source), None, &source, global.json, 4);
    };
    let status = session.manager.status();
    // The status only has sentences; the exit code needs to know what kind of trouble it is.
    let trouble = session.store.as_ref().and_then(|store| {
        let slot = session.manager.as_async().slot();
        store.records().and_then(|records| records.read(slot).err())
    });
    let report = report(&session, &status, trouble.as_ref());
    let exit = match trouble {
        Some(error) => Fail::from(error).exit(),
        None if can_be_used(&source, &status) => 0,
        None => 4,
    };
    show(&report, Some(&status), &source, global.json, exit)
}

/// Whether a token can be had without anybody logging in.
fn can_be_used(source: &Source, status: &Status) -> bool {
    // Credentials that the service refused a moment ago will not open a session.
    let refused = |kind| matches!(kind, ErrorKind::CredentialsRefused | ErrorKind::AccountBlocked);
    let refused = status.hold.as_ref().is_some_and(|(_, error)| refused(error.kind()));
    status.logged_in || (source.can_log_in() && status.can_log_in && !refused) || is_unused(source, status)
}

/// A refresh token that was given and not used yet.
fn is_unused(source: &Source, status: &Status) -> bool {
    *source == Source::RefreshToken && status.generation == 0
}

fn missing(source: &Source) -> Report {
    Report {
        profile: source.profile().map(|name| name.as_str().to_owned()),
        logged_in: false,
        state: "missing",
        username: None,
        client_id: None,
        credential: None,
        source: source.describe(),
        reach: &[],
        access_expires_at: None,
        session_expires_at: None,
        login_needed_by: None,
        generation: None,
        last_renewal_at: None,
        hold: None,
        store: None,
        problems: Vec::new(),
    }
}

fn report(session: &Session, status: &Status, trouble: Option<&Error>) -> Report {
    let (credential, reach) = match status.grant {
        Grant::ClientCredentials => ("client", CLIENT),
        // Nobody here knows whose token it is.
        Grant::AccessToken => ("access_token", &[][..]),
        _ => ("user", USER),
    };
    let StoreDescription { kind, path, .. } = &status.store;
    Report {
        logged_in: status.logged_in,
        state: match status.state {
            _ if trouble.is_some() => "unknown",
            SessionState::Fresh => "fresh",
            SessionState::Usable => "usable",
            SessionState::Expired => "expired",
            SessionState::Missing => "missing",
        },
        username: session.username.clone(),
        client_id: Some(status.client_id.clone()).filter(|id| !id.is_empty()),
        credential: Some(credential),
        reach,
        access_expires_at: status.access_expires_at.and_then(time::rfc3339),
        session_expires_at: status.session_expires_at.and_then(time::rfc3339),
        login_needed_by: status.login_needed_by.and_then(time::rfc3339),
        generation: Some(status.generation),
        last_renewal_at: status.last_renewal_at.filter(|_| status.grant != Grant::AccessToken).and_then(time::rfc3339),
        hold: status
            .hold
            .as_ref()
            .map(|(until, error)| Hold { until: time::rfc3339(*until), reason: one_line(error.message()) }),
        store: Some(Store { kind, path: path.as_ref().map(|path| path.to_string_lossy().into_owned()) }),
        problems: status.problems.iter().map(|problem| one_line(problem)).collect(),
        ..missing(&session.source)
    }
}

fn show(report: &Report, status: Option<&Status>, source: &Source, json: bool, exit: u8) -> Result<ExitCode> {
    let text = if json {
        let text = serde_json::to_string_pretty(report);
        text.map_err(|error| Fail::other(format!("the report cannot be written: {error}")))? + "\n"
    } else {
        for_people(report, status, source)
    };
    output::stdout(&text)?;
    Ok(ExitCode::from(exit))
}

fn for_people(report: &Report, status: Option<&Status>, source: &Source) -> String {
    let who = match (&report.username, report.credential) {
        (Some(name), _) => one_line(name),
        (None, Some("client")) => format!("client {}", report.client_id.as_deref().unwrap_or_default()),
        (None, Some("access_token")) => "an access token".to_owned(),
        (None, Some(_)) => "a session that was opened elsewhere".to_owned(),
        (None, None) => "nobody".to_owned(),
    };
    let headline = match (report.logged_in, report.state) {
        (true, "expired") => format!("logged in as {who}; the next use renews the token"),
        (true, _) => format!("logged in as {who}"),
        (false, "unknown") => "unknown: the session cannot be read".to_owned(),
        (false, _) if status.is_some_and(|status| is_unused(source, status)) => {
            "a refresh token that was not used yet; the first use renews it".to_owned()
        }
        (false, _) if source.can_log_in() && status.is_some_and(|status| can_be_used(source, status)) => {
            format!("no session of {who} is open; the first use logs in")
        }
        (false, _) => match source {
            Source::Profile(name) => format!("not logged in; run `{}`", source::login_command(name)),
            _ => format!("{who} cannot be used any more; set {} anew, or unset it", source.describe()),
        },
    };
    let mut lines = vec![headline];
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("  {:<16} {value}", format!("{name}:")));
        }
    };
    line("source", Some(report.source.clone()));
    if let Some(status) = status {
        line("client", report.client_id.clone());
        line("reaches", (!report.reach.is_empty()).then(|| report.reach.join(", ")));
        line("access token", status.access_expires_at.map(|at| format!("until {}", time::for_people(at))));
        line(
            "session",
            status.session_expires_at.map(|at| format!("until {}, if nobody renews it", time::for_people(at))),
        );
        line("login needed", status.login_needed_by.map(|at| format!("by {}", time::for_people(at))));
        line("last renewal", report.last_renewal_at.as_ref().and(status.last_renewal_at).map(time::for_people));
        line(
            "on hold",
            status
                .hold
                .as_ref()
                .map(|(until, error)| format!("until {}: {}", time::for_people(*until), one_line(error.message()))),
        );
        let place = report.store.as_ref().and_then(|store| store.path.clone()).map(|path| one_line(&path));
        let shared = if status.store.shared { "" } else { " (not shared with other processes)" };
        let store = format!("{}{shared}", place.unwrap_or_else(|| status.store.kind.to_owned()));
        line("store", Some(store).filter(|_| *source != Source::AccessToken));
    }
    for problem in &report.problems {
        lines.push(format!("  problem: {problem}"));
    }
    lines.push(String::new());
    lines.join("\n")
}
