//! `cdse auth doctor`: what keeps a login from working. It is made to be pasted into a report: names, accounts and the home
//! folder are not in it.

use crate::args::call::Call;
use crate::args::variables::VARIABLES;
use crate::report::fail::{Fail, Result};
use crate::report::output;
use crate::report::text::one_line;
use cdse_credentials::{
    Active, Environment, Profile, Selection, Session, Source, StateFolder, Stored, StoredSessions, anonymous,
    check_authorities, profile_in_use,
};
use cdse_files::PrivateFile;
use std::env;
use std::path::Path;
use std::process::ExitCode;

use cdse_auth::TokenStore;
use serde::Serialize;

use super::status::Examined;

/// The JSON shape; it is part of the interface.
#[derive(Serialize, Debug)]
struct Report {
    version: &'static str,
    platform: String,
    checks: Vec<Check>,
}

#[derive(Serialize, Debug)]
struct Check {
    check: &'static str,
    state: State,
    text: String,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warning,
    Problem,
}

/// A clock that is off by more than this makes codes fail (RFC 6238: a step is 30 s).
const SKEW: i64 = 20;

pub(crate) fn run(call: &Call) -> Result<ExitCode> {
    let mut doctor = Doctor { call, checks: Vec::new(), exit: 0 };
    doctor.variables();
    doctor.state_folder();
    doctor.profiles();
    doctor.session();
    doctor.authorities();
    doctor.proxy();
    doctor.service();
    let redacted =
        Redacted::of(&call.environment, call.selection.profile.as_ref().map(|name| name.as_str().to_owned()));
    let checks = doctor.checks.into_iter().map(|check| Check { text: redacted.text(&check.text), ..check }).collect();
    let platform = format!("{} {}", env::consts::OS, env::consts::ARCH);
    let report = Report { version: env!("CARGO_PKG_VERSION"), platform, checks };
    output::stdout(&if output::is_json() { output::json(&report) } else { for_people(&report) })?;
    Ok(ExitCode::from(doctor.exit))
}

fn for_people(report: &Report) -> String {
    let mut text = format!("cdse {} on {}\n", report.version, report.platform);
    for Check { check, state, text: what } in &report.checks {
        let state = match state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Problem => "problem",
        };
        text.push_str(&format!("{state:<8} {check:<13} {what}\n"));
    }
    text
}

struct Doctor<'a> {
    call: &'a Call,
    checks: Vec<Check>,
    exit: u8,
}

impl Doctor<'_> {
    fn say(&mut self, check: &'static str, state: State, text: impl AsRef<str>) {
        self.checks.push(Check { check, state, text: one_line(text.as_ref()) });
    }

    /// The exit code is that of the first problem.
    fn problem(&mut self, check: &'static str, fail: &Fail) {
        if self.exit == 0 {
            self.exit = fail.exit();
        }
        let hint = fail.advice().map(|hint| format!(" ({hint})")).unwrap_or_default();
        self.say(check, State::Problem, format!("{}{hint}", fail.text()));
    }

    fn variables(&mut self) {
        let ours = |name: &String| name == "NETRC" || name.to_uppercase().starts_with("CDSE_") || is_meant(name);
        let mut set: Vec<String> = env::vars_os()
            .filter_map(|(name, value)| Some(name.into_string().ok()?).filter(|_| !value.is_empty()))
            .filter(ours)
            .collect();
        set.sort();
        let is_read = |name: &String| {
            let is_others = name.strip_prefix("CDSE_").is_some_and(|rest| OF_OTHER_PROGRAMS.contains(&rest));
            is_others || name == "NETRC" || known_variables().any(|known| known == name)
        };
        let (read, others): (Vec<_>, Vec<_>) = set.into_iter().partition(is_read);
        let text =
            if read.is_empty() { "none of CDSE_* is set".to_owned() } else { format!("set: {}", read.join(", ")) };
        self.say("environment", State::Ok, text);
        for name in others {
            let meant = nearest(&name).map(|known| format!("; did you mean {known}?")).unwrap_or_default();
            self.say("environment", State::Warning, format!("nothing reads the variable {name}{meant}"));
        }
    }

    /// What a login does is done: to ask whether it could be done has other answers.
    fn state_folder(&mut self) {
        let state = match self.call.state() {
            Ok(state) => state,
            Err(fail) => return self.problem("state folder", &fail),
        };
        let path = state.path().display();
        let is_there = state.path().exists();
        let in_use = profile_in_use(&Selection::default(), &self.call.environment).unwrap_or_default();
        let tried = state.try_out().map_err(Fail::from).and_then(|warnings| {
            if is_there {
                Profile::file(&state, &in_use).check_replaceable()?;
            }
            Ok(warnings)
        });
        let warnings = match tried {
            Ok(warnings) => warnings,
            Err(fail) => return self.problem("state folder", &fail),
        };
        self.say(
            "state folder",
            State::Ok,
            if is_there {
                format!("{path} can be written and locked")
            } else {
                format!("{path} is not there yet; the first login makes it")
            },
        );
        for warning in &warnings {
            self.say("state folder", State::Warning, warning);
        }
        if warnings.is_empty() && is_there && PrivateFile::new(state.path()).is_open_to_others() {
            self.say("state folder", State::Warning, format!("other users can look into {path}: `chmod go-rwx` it"));
        }
    }

    fn profiles(&mut self) {
        if self.call.state().is_err() {
            return;
        }
        let all = match self.call.stored() {
            Ok(all) => all,
            Err(fail) => return self.problem("profiles", &fail),
        };
        let count = all.iter().filter(|stored| stored.source.profile().is_some()).count();
        self.say("profiles", State::Ok, format!("{count} here, {} sessions without one", all.len() - count));
        for (nth, Stored { session, .. }) in all.iter().enumerate() {
            if let Err(fail) = session {
                let fail = Fail::from(fail.clone());
                self.problem("profiles", &fail.clone().message(format!("number {}: {}", nth + 1, fail.text())));
            }
        }
    }

    /// The session that would be used.
    fn session(&mut self) {
        let (source, session) = match self.call.find() {
            Ok(found) => found,
            Err(fail) => return self.problem("credential", &fail),
        };
        self.say("credential", State::Ok, format!("from the {}", kind_of(&source)));
        let Some(session) = session else {
            return self.say("session", State::Warning, "not logged in; run `cdse auth login`");
        };
        if let Some(error) = session.trouble() {
            return self.problem("session", &error.into());
        }
        let examined = Examined::of(source, Some(&session));
        let state = if examined.exit == 0 { State::Ok } else { State::Warning };
        self.say(
            "session",
            state,
            format!("{}, {}", examined.report.state, examined.report.credential.unwrap_or("no credential")),
        );
        for problem in &examined.report.problems {
            // What the try has said is not said again.
            if self.checks.iter().any(|check| check.text == *problem) {
                continue;
            }
            self.say("session", State::Warning, problem);
        }
        self.lock(&session);
    }

    fn lock(&mut self, session: &Session) {
        let slot = session.manager().as_async().slot();
        // A lock would make its folder.
        if !session.holds_tokens() {
            return;
        }
        let Some(records) = session.store().and_then(|store| store.records()) else { return };
        let tried = records.try_guard(slot).map(|guard| guard.is_some());
        match tried {
            Ok(true) => self.say("lock", State::Ok, "can be taken"),
            Ok(false) => {
                let holder = records.guard_holder(slot).map(|holder| holder.process);
                // Without the name of the host.
                let process = holder.as_deref().and_then(|holder| holder.split('@').next()).unwrap_or("unknown");
                self.say("lock", State::Warning, format!("held by process {process}, which renews this session"));
            }
            Err(error) => self.problem("lock", &error.into()),
        }
    }

    fn authorities(&mut self) {
        let mut named = Vec::new();
        for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
            let Some(value) = env::var_os(name).filter(|value| !value.is_empty()) else { continue };
            let shown = value.display();
            // A list of folders is allowed.
            let fits = match name {
                "SSL_CERT_FILE" => Path::new(&value).is_file(),
                _ => env::split_paths(&value).any(|path| path.is_dir()),
            };
            if fits {
                named.push(format!("{name} is {shown}"));
            } else {
                let why = format!("{name} is {shown}, which is not there: correct or unset it");
                return self.problem("authorities", &Fail::other(why));
            }
        }
        named.extend(self.call.environment.ca_bundle.as_ref().map(|path| format!("--ca-bundle is {}", path.display())));
        // A service over plain http, as on this machine, would never ask for them.
        match check_authorities(&self.call.environment) {
            Ok(()) => named.into_iter().for_each(|text| self.say("authorities", State::Ok, text)),
            Err(error) => self.problem("authorities", &Fail::from(error)),
        }
    }

    fn proxy(&mut self) {
        let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];
        let set =
            names.into_iter().filter_map(|name| Some((name, env::var(name).ok().filter(|value| !value.is_empty())?)));
        for (name, value) in set {
            if name.eq_ignore_ascii_case("NO_PROXY") {
                self.say("proxy", State::Ok, format!("{name} is {value}"));
                continue;
            }
            match address_of(&value) {
                Some(shown) => self.say("proxy", State::Ok, format!("{name} is {shown}")),
                None => self.say("proxy", State::Warning, format!("{name} is not a valid proxy address")),
            }
        }
    }

    fn service(&mut self) {
        let probed = anonymous(&self.call.environment).map_err(Fail::from).and_then(|manager| Ok(manager.probe()?));
        let probe = match probed {
            Ok(probe) => probe,
            Err(fail) => return self.problem("service", &fail),
        };
        let realm = self.call.environment.realm().trim_end_matches('/').to_owned();
        if probe.issuer.trim_end_matches('/') == realm {
            self.say("service", State::Ok, format!("{realm} answers"));
        } else {
            self.say("service", State::Warning, format!("{realm} answers, and calls itself {}", probe.issuer));
        }
        match probe.ahead {
            Some(ahead) if ahead.abs() > SKEW => {
                let which = if ahead > 0 { "ahead of" } else { "behind" };
                let text = format!(
                    "this machine's clock is {} s {which} the service's: set it, or one-time codes fail",
                    ahead.abs()
                );
                self.say("clock", State::Warning, text);
            }
            Some(_) => self.say("clock", State::Ok, "agrees with the service's"),
            None => self.say("clock", State::Ok, "not compared: the service did not tell the time"),
        }
    }
}

/// What the embedded service sets for others, after `CDSE_`.
const OF_OTHER_PROGRAMS: &[&str] = &["DOWNLOAD_URL"];

fn known_variables() -> impl Iterator<Item = &'static str> {
    VARIABLES.iter().flat_map(|(names, _)| names.split(", ")).filter(|name| name.starts_with("CDSE_"))
}

/// `CSDE_USERNAME`, `cdse-password`: a slip in one of ours.
fn is_meant(name: &str) -> bool {
    let name = name.to_uppercase().replace('-', "_");
    known_variables().any(|known| strsim::damerau_levenshtein(&name, known) <= 2)
}

/// The variable that was meant, most likely.
fn nearest(name: &str) -> Option<&'static str> {
    let rest = |name: &str| {
        let name = name.to_uppercase().replace('-', "_");
        name.strip_prefix("CDSE").unwrap_or(&name).trim_start_matches('_').to_owned()
    };
    let given = rest(name);
    let likeness = |known: &str| {
        let known = rest(known);
        // A part of the name, as in USER for USERNAME, says more than letters that happen to be the same.
        let is_part = given.len() > 2 && (known.contains(&given) || given.contains(&known));
        strsim::normalized_damerau_levenshtein(&given, &known).max(if is_part { 0.8 } else { 0.0 })
    };
    let mut all: Vec<(f64, &str)> = known_variables().map(|known| (likeness(known), known)).collect();
    all.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    all.first().filter(|(likeness, _)| *likeness >= 0.5).map(|(_, known)| *known)
}

/// Scheme, host and port of what is an address, and nothing else of it: anything else may be a password.
fn address_of(text: &str) -> Option<String> {
    if !text.contains(':') {
        return None;
    }
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let fits = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "0"));
    let is_address = fits(scheme, "") && fits(name, ".-[]:") && port.parse::<u16>().is_ok();
    is_address.then(|| format!("{scheme}://{}{host}", if user.is_some() { "…@" } else { "" }))
}

/// Without the name that it may hold.
fn kind_of(source: &Source) -> String {
    match source {
        Source::Profile(name) if name.is_default() => "default profile".to_owned(),
        Source::Profile(_) => "chosen profile".to_owned(),
        Source::SessionFile(_) => "session file".to_owned(),
        Source::KeyringSecret(_) => "keyring".to_owned(),
        Source::Netrc(_) => "netrc file".to_owned(),
        other => other.to_string(),
    }
}

/// What stands for what, the longest first.
struct Redacted(Vec<(String, &'static str)>);

impl Redacted {
    fn of(environment: &Environment, named: Option<String>) -> Self {
        let mut words = Vec::new();
        let mut hide =
            |word: Option<String>, name| words.extend(word.filter(|word| word.len() > 2).map(|word| (word, name)));
        hide(environment.home.as_ref().map(|home| home.to_string_lossy().trim_end_matches('/').to_owned()), "~");
        hide(environment.username.clone(), "<user>");
        hide(environment.client_id.clone(), "<client>");
        for name in ["USER", "LOGNAME", "USERNAME"] {
            hide(env::var(name).ok(), "<login>");
        }
        hide(Some(cdse_files::host_name()), "<host>");
        if let Ok(state) = StateFolder::of(environment) {
            // Named, whether they are there or not.
            let named = [named, environment.profile.as_ref().map(|name| name.as_str().to_owned())];
            let chosen = Active::of(&state).load().ok().flatten().map(|name| name.as_str().to_owned());
            for name in named.into_iter().chain([chosen]).flatten().filter(|name| name != "default") {
                hide(Some(name), "<profile>");
            }
            for profile in StoredSessions::profiles(&state).unwrap_or_default() {
                hide(Some(profile.as_str().to_owned()).filter(|_| !profile.is_default()), "<profile>");
                let Ok(Some(stored)) = Profile::load(&state, &profile) else { continue };
                hide(stored.username, "<user>");
                hide(stored.subject, "<user>");
                hide(Some(stored.client_id).filter(|id| id != cdse_auth::DEFAULT_CLIENT_ID), "<client>");
            }
        }
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        Self(words)
    }

    fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (word, name)| text.replace(word, name))
    }
}
