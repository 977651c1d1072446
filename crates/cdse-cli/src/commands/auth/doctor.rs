//! `cdse auth doctor`: what keeps a login from working. It is made to be pasted into a report: names, accounts and the home
//! folder are not in it.

use crate::args::call::Call;
use crate::args::variables::VARIABLES;
use crate::report::fail::{Fail, Result};
use crate::report::{explain, output};
use cdse_credentials::{
    Active, Profile, Selection, Session, Source, Stored, StoredSessions, anonymous, profile_in_use,
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
    state: &'static str,
    text: String,
}

/// A clock that is off by more than this makes codes fail (RFC 6238: a step is 30 s).
const SKEW: i64 = 20;

type Run<'a> = fn(&mut Doctor<'a>) -> Result<()>;

pub(crate) fn run(call: &Call) -> Result<ExitCode> {
    let mut doctor = Doctor { call, check: "", checks: Vec::new(), exit: 0 };
    let checks: [(&str, Run<'_>); 7] = [
        ("environment", Doctor::variables),
        ("state folder", Doctor::state_folder),
        ("profiles", Doctor::profiles),
        ("credential", Doctor::session),
        ("authorities", Doctor::authorities),
        ("proxy", Doctor::proxy),
        ("service", Doctor::service),
    ];
    for (name, check) in checks {
        doctor.check = name;
        check(&mut doctor).unwrap_or_else(|fail| doctor.problem(&fail));
    }
    let words = hidden_words(call);
    let redacted = |text: String| words.iter().fold(text, |text, (word, name)| text.replace(word, name));
    let checks = doctor.checks.into_iter().map(|check| Check { text: redacted(check.text), ..check }).collect();
    let platform = format!("{} {}", env::consts::OS, env::consts::ARCH);
    let report = Report { version: env!("CARGO_PKG_VERSION"), platform, checks };
    output::stdout(&if output::is_json() { output::json(&report) } else { for_people(&report) })?;
    Ok(ExitCode::from(doctor.exit))
}

fn for_people(report: &Report) -> String {
    let mut text = format!("cdse {} on {}\n", report.version, report.platform);
    for Check { check, state, text: what } in &report.checks {
        text.push_str(&format!("{state:<8} {check:<13} {what}\n"));
    }
    text
}

struct Doctor<'a> {
    call: &'a Call,
    /// The one that is under way.
    check: &'static str,
    checks: Vec<Check>,
    exit: u8,
}

impl Doctor<'_> {
    fn say(&mut self, state: &'static str, text: &str) {
        self.checks.push(Check { check: self.check, state, text: output::one_line(text) });
    }

    fn ok(&mut self, text: impl AsRef<str>) {
        self.say("ok", text.as_ref());
    }

    fn warn(&mut self, text: impl AsRef<str>) {
        self.say("warning", text.as_ref());
    }

    /// The exit code is that of the first problem.
    fn problem(&mut self, fail: &Fail) {
        if self.exit == 0 {
            self.exit = fail.exit;
        }
        let hint = fail.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        self.say("problem", &format!("{}{hint}", fail.message));
    }

    fn variables(&mut self) -> Result<()> {
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
        self.ok(if read.is_empty() { "none of CDSE_* is set".to_owned() } else { format!("set: {}", read.join(", ")) });
        for name in others {
            let meant = nearest(&name).map(|known| format!("; did you mean {known}?")).unwrap_or_default();
            self.warn(format!("nothing reads the variable {name}{meant}"));
        }
        Ok(())
    }

    /// What a login does is done: to ask whether it could be done has other answers.
    fn state_folder(&mut self) -> Result<()> {
        let state = self.call.state()?;
        let path = state.path().display();
        let is_there = state.path().exists();
        let in_use = profile_in_use(&Selection::default(), &self.call.environment).unwrap_or_default();
        let warnings = state.try_out()?;
        if is_there {
            Profile::file(&state, &in_use).check_replaceable()?;
            self.ok(format!("{path} can be written and locked"));
        } else {
            self.ok(format!("{path} is not there yet; the first login makes it"));
        }
        warnings.iter().for_each(|warning| self.warn(warning));
        if warnings.is_empty() && is_there && PrivateFile::new(state.path()).is_open_to_others() {
            self.warn(format!("other users can look into {path}: `chmod go-rwx` it"));
        }
        Ok(())
    }

    fn profiles(&mut self) -> Result<()> {
        if self.call.state().is_err() {
            return Ok(());
        }
        let all = self.call.stored()?;
        let count = all.iter().filter(|stored| stored.source.profile().is_some()).count();
        self.ok(format!("{count} here, {} sessions without one", all.len() - count));
        for (nth, Stored { session, .. }) in all.into_iter().enumerate() {
            if let Err(error) = session {
                let fail = Fail::from(error);
                let text = format!("number {}: {}", nth + 1, fail.message);
                self.problem(&fail.message(text));
            }
        }
        Ok(())
    }

    /// The session that would be used.
    fn session(&mut self) -> Result<()> {
        let (source, session) = self.call.find()?;
        self.ok(format!("from the {}", kind_of(&source)));
        self.check = "session";
        let Some(session) = session else {
            self.warn("not logged in; run `cdse auth login`");
            return Ok(());
        };
        if let Some(error) = session.trouble() {
            return Err(error.into());
        }
        let examined = Examined::of(source, Some(&session));
        let state = if examined.exit == 0 { "ok" } else { "warning" };
        let credential = examined.report.credential.unwrap_or("no credential");
        self.say(state, &format!("{}, {credential}", examined.report.state));
        for problem in &examined.report.problems {
            // What the try has said is not said again.
            if !self.checks.iter().any(|check| check.text == *problem) {
                self.warn(problem);
            }
        }
        self.lock(&session)
    }

    fn lock(&mut self, session: &Session) -> Result<()> {
        self.check = "lock";
        let slot = session.manager().as_async().slot();
        // A lock would make its folder.
        let store = session.store().filter(|_| session.holds_tokens());
        let Some(records) = store.and_then(|store| store.records()) else { return Ok(()) };
        let is_taken = records.try_guard(slot)?.is_some();
        if is_taken {
            self.ok("can be taken");
        } else {
            let holder = records.guard_holder(slot).map(|holder| holder.process);
            // Without the name of the host.
            let process = holder.as_deref().and_then(|holder| holder.split('@').next()).unwrap_or("unknown");
            self.warn(format!("held by process {process}, which renews this session"));
        }
        Ok(())
    }

    fn authorities(&mut self) -> Result<()> {
        let mut named = Vec::new();
        for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
            let Some(value) = env::var_os(name).filter(|value| !value.is_empty()) else { continue };
            let shown = value.display();
            // A list of folders is allowed.
            let fits = match name {
                "SSL_CERT_FILE" => Path::new(&value).is_file(),
                _ => env::split_paths(&value).any(|path| path.is_dir()),
            };
            if !fits {
                return Err(Fail::other(format!("{name} is {shown}, which is not there: correct or unset it")));
            }
            named.push(format!("{name} is {shown}"));
        }
        // A service over plain http, as on this machine, would never ask for them.
        let mut environment = self.call.environment.clone();
        environment.identity_url = None;
        anonymous(&environment)?.prepare()?;
        named.extend(environment.ca_bundle.map(|path| format!("--ca-bundle is {}", path.display())));
        named.iter().for_each(|text| self.ok(text));
        Ok(())
    }

    fn proxy(&mut self) -> Result<()> {
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
            let Some(value) = env::var(name).ok().filter(|value| !value.is_empty()) else { continue };
            let is_list = name.eq_ignore_ascii_case("NO_PROXY");
            match if is_list { Some(value) } else { address_of(&value) } {
                Some(shown) => self.ok(format!("{name} is {shown}")),
                None => self.warn(format!("{name} is not a valid proxy address")),
            }
        }
        Ok(())
    }

    fn service(&mut self) -> Result<()> {
        let probe = anonymous(&self.call.environment)?.probe()?;
        let realm = self.call.environment.realm().trim_end_matches('/');
        if probe.issuer.trim_end_matches('/') == realm {
            self.ok(format!("{realm} answers"));
        } else {
            self.warn(format!("{realm} answers, and calls itself {}", probe.issuer));
        }
        self.check = "clock";
        match probe.ahead.map(|ahead| explain::clock_fault(ahead, SKEW)) {
            Some(Some(fault)) => self.warn(format!("{fault}, or one-time codes fail")),
            Some(None) => self.ok("agrees with the service's"),
            None => self.ok("not compared: the service did not tell the time"),
        }
        Ok(())
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
    let (scheme, rest) = text.split_once("://").or_else(|| text.contains(':').then_some(("http", text)))?;
    let fits = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(_, host)| ("…@", host));
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "0"));
    let is_address = fits(scheme, "") && fits(name, ".-[]:") && port.parse::<u16>().is_ok();
    is_address.then(|| format!("{scheme}://{user}{host}"))
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

/// What is not shown, and what stands for it; the longest first.
fn hidden_words(call: &Call) -> Vec<(String, &'static str)> {
    let environment = &call.environment;
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
    if let Ok(state) = call.state() {
        // Named, whether they are there or not.
        let chosen = Active::of(&state).load().ok().flatten();
        let named = [call.selection.profile.clone(), environment.profile.clone(), chosen].into_iter().flatten();
        for name in named.chain(StoredSessions::profiles(&state).unwrap_or_default()) {
            hide(Some(name.to_string()).filter(|_| !name.is_default()), "<profile>");
            let Ok(Some(stored)) = Profile::load(&state, &name) else { continue };
            hide(stored.username, "<user>");
            hide(stored.subject, "<user>");
            hide(Some(stored.client_id).filter(|id| id != cdse_auth::DEFAULT_CLIENT_ID), "<client>");
        }
    }
    words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    words
}
