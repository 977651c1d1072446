//! `cdse auth status`: what is known here, without asking anybody unless told to.

use crate::args::call::Call;
use crate::process::signals;
use crate::report::fail::{Fail, Result};
use crate::report::{explain, output, progress, time};
use cdse_credentials::{Mode, Session, Source, Stored, winner};
use std::process::ExitCode;

use cdse_auth::store::StoreDescription;
use cdse_auth::{Error, ErrorKind, Grant, SessionState, Status, Verdict};
use serde::Serialize;

/// The JSON shape; it is part of the interface.
#[derive(Serialize, Default, Debug)]
pub(super) struct Report {
    pub(super) profile: Option<String>,
    logged_in: bool,
    pub(super) state: &'static str,
    pub(super) username: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) credential: Option<&'static str>,
    source: String,
    reach: Vec<&'static str>,
    access_expires_at: Option<String>,
    session_expires_at: Option<String>,
    login_needed_by: Option<String>,
    generation: Option<u64>,
    last_renewal_at: Option<String>,
    hold: Option<Hold>,
    /// Known only after the service was asked.
    open_sessions: Option<usize>,
    store: Option<Store>,
    pub(super) problems: Vec<String>,
}

#[derive(Serialize, Debug)]
struct Hold {
    until: Option<String>,
    reason: String,
}

#[derive(Serialize, Debug)]
pub(super) struct Store {
    kind: &'static str,
    path: Option<String>,
}

impl From<&StoreDescription> for Store {
    fn from(store: &StoreDescription) -> Self {
        Self { kind: store.kind, path: store.path.as_ref().map(|path| path.to_string_lossy().into_owned()) }
    }
}

#[derive(clap::Args, Debug)]
pub(crate) struct Command {
    /// Ask the service whether it takes the token, and how many sessions the account has open
    #[arg(long)]
    check: bool,
    /// All sessions that are stored here, including those without a profile
    #[arg(long, conflicts_with = "profile")]
    all: bool,
}

impl Command {
    pub(crate) fn run(&self, call: &Call) -> Result<ExitCode> {
        call.check_all(self.all)?;
        let found = if self.all {
            examine_all(call)?
        } else {
            let (source, session) = call.find()?;
            let mut examined = Examined::of(source, session.as_ref());
            if session.is_none() {
                let folder = call.state()?.path().to_string_lossy().into_owned();
                examined.report.store = Some(Store { kind: "file", path: Some(folder) });
            }
            vec![(examined, session)]
        };
        if self.check {
            let sessions = found.iter().flat_map(|(_, session)| session);
            signals::protect_all(sessions.map(|session| session.manager().clone()).collect());
        }
        let examined = found.into_iter().map(|(examined, session)| match session {
            Some(session) if self.check => examined.checked(&session),
            _ => examined,
        });
        let examined: Vec<Examined> = examined.collect();
        show(&examined, self.all)
    }
}

/// What wins, where that is not stored, and all that is stored.
fn examine_all(call: &Call) -> Result<Vec<(Examined, Option<Session>)>> {
    let mut found = Vec::new();
    let source = winner(&call.selection, &call.environment)?;
    if source.profile().is_none() {
        let session = Session::of(&source, &call.environment, Mode::Inspect)?;
        found.push((Examined::of(source, session.as_ref()), session));
    }
    for Stored { source, session, .. } in call.stored()? {
        found.push((Examined::stored(source, &session), session.ok().flatten()));
    }
    Ok(found)
}

/// What is known of one session, and the exit code that says it.
pub(super) struct Examined {
    pub(super) report: Report,
    status: Option<Status>,
    source: Source,
    pub(super) exit: u8,
}

impl Examined {
    pub(super) fn of(source: Source, session: Option<&Session>) -> Self {
        let Some(session) = session else {
            return Self { report: missing(&source), status: None, source, exit: 4 };
        };
        let status = session.manager().status();
        // The status only has sentences; the exit code needs to know what kind of trouble it is.
        let trouble = session.trouble();
        let report = report(session, &status, trouble.as_ref());
        let exit = match trouble {
            Some(error) => Fail::from(error).exit,
            None if can_be_used(&source, &status) => 0,
            // `cdse auth token` tries it all the same.
            None if status.ended_by_clock => 5,
            None => 4,
        };
        Self { report, status: Some(status), source, exit }
    }

    /// Where not even the way to the session can be understood, that is its problem.
    pub(super) fn stored(source: Source, session: &Result<Option<Session>, cdse_credentials::Error>) -> Self {
        let fail = match session {
            Ok(session) => return Self::of(source, session.as_ref()),
            Err(error) => Fail::from(error.clone()),
        };
        let problems = vec![output::one_line(&fail.message)];
        let report = Report { state: "unknown", problems, ..missing(&source) };
        Self { report, status: None, exit: fail.exit, source }
    }

    /// After the service was asked. A session that is not open is not opened for it.
    fn checked(self, session: &Session) -> Self {
        let may_live = |status: &Status| status.logged_in || status.ended_by_clock;
        if !self.status.as_ref().is_some_and(may_live) || session.trouble().is_some() {
            return self;
        }
        let told = progress::show(session.manager());
        let verdict = session.manager().verify();
        drop(told);
        // It may have been renewed.
        let mut now = Self::of(self.source, Some(session));
        match verdict {
            Ok(Verdict::Accepted { open_sessions }) => now.report.open_sessions = open_sessions,
            Ok(_) => now.unsure("the service does not tell whether it takes this token".to_owned(), 5),
            Err(error) if error.kind() == ErrorKind::ShutDown => signals::wait_for_the_end(),
            Err(error) => {
                let fail = explain::of(session, error);
                match fail.exit {
                    4 => {
                        now.report.logged_in = false;
                        now.report.state = "expired";
                        now.report.problems.push(output::one_line(&fail.message));
                        now.exit = 4;
                    }
                    exit => now.unsure(output::one_line(&fail.message), exit),
                }
            }
        }
        now
    }

    fn unsure(&mut self, why: String, exit: u8) {
        self.report.state = "unknown";
        self.report.problems.push(why);
        self.exit = exit;
    }
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
    let profile = source.profile().map(ToString::to_string);
    Report { profile, state: "missing", source: source.to_string(), ..Report::default() }
}

fn report(session: &Session, status: &Status, trouble: Option<&Error>) -> Report {
    let credential = match status.grant {
        Grant::ClientCredentials => "client",
        Grant::AccessToken => "access_token",
        _ => "user",
    };
    Report {
        logged_in: status.logged_in,
        state: match status.state {
            _ if trouble.is_some() || status.ended_by_clock => "unknown",
            SessionState::Fresh => "fresh",
            SessionState::Usable => "usable",
            SessionState::Expired => "expired",
            SessionState::Missing => "missing",
        },
        username: session.username().map(str::to_owned),
        client_id: Some(status.client_id.clone()).filter(|id| !id.is_empty()),
        credential: Some(credential),
        reach: status.grant.reach().iter().map(|service| service.name()).collect(),
        access_expires_at: status.access_expires_at.and_then(time::rfc3339),
        session_expires_at: status.session_expires_at.and_then(time::rfc3339),
        login_needed_by: status.login_needed_by.and_then(time::rfc3339),
        generation: Some(status.generation),
        last_renewal_at: status.last_renewal_at.filter(|_| status.grant != Grant::AccessToken).and_then(time::rfc3339),
        hold: status
            .hold
            .as_ref()
            .map(|(until, error)| Hold { until: time::rfc3339(*until), reason: output::one_line(error.message()) }),
        store: Some(Store::from(&status.store)),
        problems: problems(status),
        ..missing(session.source())
    }
}

fn problems(status: &Status) -> Vec<String> {
    let by_clock = status.ended_by_clock.then(|| {
        "the session has ended by this machine's clock, which may be wrong; the service has not said so".to_owned()
    });
    status.problems.iter().map(|problem| output::one_line(&problem.to_string())).chain(by_clock).collect()
}

fn show(examined: &[Examined], all: bool) -> Result<ExitCode> {
    let text = if output::is_json() {
        let reports: Vec<&Report> = examined.iter().map(|one| &one.report).collect();
        match reports.first().filter(|_| !all) {
            Some(report) => output::json(report),
            None => output::json(&reports),
        }
    } else {
        let texts = examined.iter().map(|one| for_people(&one.report, one.status.as_ref(), &one.source));
        let texts: Vec<String> = texts.collect();
        if texts.is_empty() { "not logged in; run `cdse auth login`\n".to_owned() } else { texts.join("\n") }
    };
    output::stdout(&text)?;
    // Each must be usable; the first that is not tells how.
    let exit = examined.iter().map(|one| one.exit).find(|exit| *exit != 0);
    Ok(ExitCode::from(exit.unwrap_or(if examined.is_empty() { 4 } else { 0 })))
}

fn for_people(report: &Report, status: Option<&Status>, source: &Source) -> String {
    let who = match (&report.username, report.credential) {
        (Some(name), _) => output::one_line(name),
        (None, Some("client")) => format!("client {}", report.client_id.as_deref().unwrap_or_default()),
        (None, Some("access_token")) => "an access token".to_owned(),
        (None, Some(_)) => "a session that was opened elsewhere".to_owned(),
        (None, None) => "nobody".to_owned(),
    };
    let headline = match (report.logged_in, report.state) {
        (true, "expired") => format!("logged in as {who}; the next use renews the token"),
        (true, _) => format!("logged in as {who}"),
        (false, "unknown") if status.is_some_and(|status| status.ended_by_clock) => {
            format!("unknown: by this machine's clock the session of {who} has ended; the next use tries to renew it")
        }
        (false, "unknown") => "unknown: the session cannot be read".to_owned(),
        (false, _) if status.is_some_and(|status| is_unused(source, status)) => {
            "a refresh token that was not used yet; the first use renews it".to_owned()
        }
        (false, _) if source.can_log_in() && status.is_some_and(|status| can_be_used(source, status)) => {
            format!("no session of {who} is open; the first use logs in")
        }
        (false, _) => match source {
            Source::Profile(name) => format!("not logged in; run `{}`", name.login_command()),
            _ => format!("{who} cannot be used any more; set {source} to a new value, or unset it"),
        },
    };
    let mut lines = vec![headline];
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("  {:<16} {value}", format!("{name}:")));
        }
    };
    line("source", Some(report.source.clone()));
    if status.is_none() {
        line("looked in", report.store.as_ref().and_then(|store| store.path.as_deref()).map(output::one_line));
    }
    if let Some(status) = status {
        line("client", report.client_id.clone());
        line("reaches", (!report.reach.is_empty()).then(|| report.reach.join(", ")));
        line("access token", status.access_expires_at.map(|at| format!("until {}", time::for_people(at))));
        let end = status.session_expires_at.map(time::for_people);
        line("session", end.map(|end| format!("until {end}, unless it is renewed")));
        line("login needed", status.login_needed_by.map(|at| format!("by {}", time::for_people(at))));
        line("open sessions", report.open_sessions.map(|open| format!("{open} in this account")));
        line("last renewal", report.last_renewal_at.as_ref().and(status.last_renewal_at).map(time::for_people));
        let hold = status.hold.as_ref().map(|(until, _)| time::for_people(*until)).zip(report.hold.as_ref());
        line("on hold", hold.map(|(until, hold)| format!("until {until}: {}", hold.reason)));
        let place = report.store.as_ref().and_then(|store| store.path.clone()).map(|path| output::one_line(&path));
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
