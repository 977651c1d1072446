//! The journeys. What they need of the service beside tokens they ask of its account API, as anybody could.

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use cdse_judge::{Random, Realm, Stage, get, post};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) type Journey = fn(&dyn Stage);

pub(crate) const ALL: &[(&str, Realm, Journey)] = &[
    ("login with a code, logout with nothing left open", Realm::Brief, with_a_code),
    ("x1: 32 processes, ten renewals", Realm::Brief, many_processes),
    ("x2: signals at any moment lose nothing", Realm::Brief, signals),
    ("x2: kills leave nothing behind, and credentials heal", Realm::Brief, kills),
    ("x2: signals in a slow exchange", Realm::Brief, signals_in_a_slow_exchange),
    ("the service is started again", Realm::Ordinary, restarted),
    ("a session that somebody else has ended", Realm::Ordinary, ended_elsewhere),
    ("a password that was changed", Realm::Ordinary, changed_password),
    ("tokens that count no more", Realm::Ordinary, not_before),
    ("m14: the session's maximum comes while a job runs", Realm::Short, session_maximum),
    ("m14: and without credentials", Realm::Short, session_maximum_without_credentials),
    ("m12: a session without an end", Realm::Short, without_an_end),
    ("x3: a full account", Realm::Limited, full_account),
];

const BINARY: &str = env!("CARGO_BIN_EXE_cdse");
/// The least time between two exchanges for a token of a second, which is the shortest that the service gives here: a
/// renewal is due 0.59 s after the exchange before, at the earliest (`Windows` of the library).
const LEAST_GAP: Duration = Duration::from_millis(580);
const USER: &str = "user@example.com";
const PASSWORD: &str = "s3cret!";
const TOTP_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// A user of a machine.
struct Person<'a> {
    stage: &'a dyn Stage,
    home: tempfile::TempDir,
    /// Who logs in again by herself.
    credentials: bool,
}

impl<'a> Person<'a> {
    fn new(stage: &'a dyn Stage) -> Self {
        Self { stage, home: tempfile::tempdir().unwrap(), credentials: false }
    }

    fn with_credentials(stage: &'a dyn Stage) -> Self {
        Self { credentials: true, ..Self::new(stage) }
    }

    fn logged_in(stage: &'a dyn Stage) -> Self {
        let person = Self::new(stage);
        person.log_in(&[]);
        person
    }

    fn cdse(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).env_clear().env("HOME", self.home.path());
        command.env("CDSE_STATE_DIR", self.home.path().join("state")).env("CDSE_IDENTITY_URL", self.stage.realm_url());
        if self.credentials {
            command.env("CDSE_USERNAME", USER).env("CDSE_PASSWORD", PASSWORD);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.cdse(arguments).output().unwrap()
    }

    fn log_in(&self, more: &[&str]) {
        let arguments = [&["auth", "login", "--username", USER, "--password-stdin"], more].concat();
        let mut child = self.cdse(&arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    #[track_caller]
    fn exits(&self, arguments: &[&str], code: i32) -> String {
        let done = self.run(arguments);
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {done:?}");
        String::from_utf8(done.stderr).unwrap()
    }

    #[track_caller]
    fn token(&self) -> String {
        printed(self.run(&["auth", "token"]))
    }

    fn status(&self) -> Value {
        serde_json::from_slice(&self.run(&["auth", "status", "--json"]).stdout).unwrap()
    }

    fn commits(&self) -> u64 {
        self.status()["generation"].as_u64().unwrap()
    }

    /// How many exchanges the record tells of: what is about to be sent, and what came of it, are two commits.
    fn exchanges(&self) -> u64 {
        let commits = self.commits();
        assert_eq!(commits % 2, 0, "an exchange without an outcome");
        commits / 2
    }

    fn record(&self) -> String {
        let files = std::fs::read_dir(self.home.path().join("state/sessions")).unwrap();
        let mut records =
            files.map(|file| file.unwrap().path()).filter(|path| path.extension() == Some("json".as_ref()));
        let record: PathBuf = records.next().unwrap();
        std::fs::read_to_string(record).unwrap()
    }

    /// Waits until the stored token has ended.
    fn wait_for_expiry(&self) {
        let record: Value = serde_json::from_str(&self.record()).unwrap();
        let life = record["tokens"]["expires_in_ms"].as_u64().unwrap();
        sleep(Duration::from_millis(life + 20));
    }

    /// The account's sessions, as the bearer of the token sees them; `None` if the service does not take it.
    fn sessions(&self, token: &str) -> Option<usize> {
        let (status, body) = get(&format!("{}/account/sessions", self.stage.realm_url()), token);
        (status == 200).then(|| body.as_array().unwrap().len())
    }
}

#[expect(clippy::disallowed_methods, reason = "another process has the system's clock")]
fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[expect(clippy::disallowed_methods, reason = "another process has the system's clock")]
fn now() -> Instant {
    Instant::now()
}

/// How many exchanges fit into the time since then, the one at its beginning included: one, on a machine that keeps up.
fn fit_since(begun: Instant) -> u64 {
    1 + u64::try_from((now() - begun).as_millis() / LEAST_GAP.as_millis()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "another process has the system's clock")]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}

#[track_caller]
fn printed(done: Output) -> String {
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
}

fn signal(child: &Child, signal: Signal) {
    // It may have ended before.
    let _ = kill_process(Pid::from_child(child), signal);
}

fn with_a_code(stage: &dyn Stage) {
    let person = Person::new(stage);
    let begun = now();
    let mut login = person.cdse(&["auth", "login"]);
    let mfa = [("CDSE_USERNAME", "mfa@example.com"), ("CDSE_PASSWORD", PASSWORD), ("CDSE_TOTP_SECRET", TOTP_SECRET)];
    let done = login.envs(mfa).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let token = person.token();
    assert_eq!(person.sessions(&token), Some(1));
    let slow = fit_since(begun) - 1;
    person.wait_for_expiry();
    let begun = now();
    let token = person.token();
    assert_eq!(person.sessions(&token), Some(1), "a renewal needs no code and opens no session");
    let slow = slow + fit_since(begun) - 1;
    let requests = stage.token_requests();
    assert_eq!(requests, person.exchanges(), "what was sent is what was stored");
    assert!((2..=2 + slow).contains(&requests), "one login, one renewal, and not {requests} requests");
    person.exits(&["auth", "logout"], 0);
    assert_eq!(person.sessions(&token), None);
    person.exits(&["auth", "token"], 4);
}

fn many_processes(stage: &dyn Stage) {
    let person = Person::logged_in(stage);
    for _ in 0..10 {
        person.wait_for_expiry();
        let (before, counted, begun) = (person.exchanges(), stage.token_requests(), now());
        let children: Vec<Child> = (0..32).map(|_| person.cdse(&["auth", "token"]).spawn().unwrap()).collect();
        let tokens: Vec<String> =
            children.into_iter().map(|child| printed(child.wait_with_output().unwrap())).collect();
        // A slow machine may see the next ones, and a busy one many.
        let exchanges = person.exchanges() - before;
        let fit = fit_since(begun).max(4);
        assert_eq!(stage.token_requests() - counted, exchanges, "what was sent is what was stored");
        let mut different = tokens.clone();
        different.sort();
        different.dedup();
        assert!(
            exchanges <= fit && different.len() as u64 <= exchanges,
            "{exchanges} exchanges where {fit} fit, {} tokens",
            different.len()
        );
        let last = person.token();
        assert_eq!(person.sessions(&last), Some(1));
    }
}

fn signals(stage: &dyn Stage) {
    let person = Person::logged_in(stage);
    let mut random = Random::new(11);
    for _ in 0..6 {
        person.wait_for_expiry();
        let (before, begun) = (stage.token_requests(), now());
        let children: Vec<Child> = (0..8).map(|_| person.cdse(&["auth", "token"]).spawn().unwrap()).collect();
        for (nth, child) in children.iter().enumerate() {
            sleep(Duration::from_micros(random.below(6_000)));
            signal(child, [Signal::TERM, Signal::INT, Signal::HUP][nth % 3]);
        }
        for child in children {
            let code = child.wait_with_output().unwrap().status.code();
            // Before its handlers are there a signal ends a process as it always does.
            assert!(matches!(code, None | Some(0 | 129 | 130 | 143)), "{code:?}");
        }
        let token = person.token();
        let requests = stage.token_requests() - before;
        assert_eq!(person.sessions(&token), Some(1), "a login was lost, or another one made");
        assert!((1..=fit_since(begun)).contains(&requests), "{requests} requests for one token that had ended");
    }
    assert_eq!(stage.token_requests(), person.exchanges(), "what was sent is what was stored");
}

fn signals_in_a_slow_exchange(stage: &dyn Stage) {
    let person = Person::logged_in(stage);
    stage.delay_answers(Duration::from_millis(500));
    let mut random = Random::new(13);
    for stop in [Signal::TERM, Signal::INT, Signal::HUP] {
        person.wait_for_expiry();
        let before = stage.token_requests();
        let child = person.cdse(&["auth", "token"]).spawn().unwrap();
        while stage.token_requests() == before {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(random.below(200)));
        signal(&child, stop);
        let code = child.wait_with_output().unwrap().status.code();
        assert_eq!(code, Some(128 + stop.as_raw()), "the exchange is finished, and then the process ends as asked");
        assert_eq!(person.sessions(&person.token()), Some(1), "a login was lost, or another one made");
        assert!(stage.token_requests() - before <= 2, "{} requests", stage.token_requests() - before);
    }
    stage.delay_answers(Duration::ZERO);
    person.exits(&["auth", "logout"], 0);
}

fn restarted(stage: &dyn Stage) {
    let (person, other) = (Person::logged_in(stage), Person::with_credentials(stage));
    other.token();
    let kept = stage.restart();
    if kept {
        person.exits(&["auth", "refresh"], 0);
    } else {
        let message = person.exits(&["auth", "refresh"], 4);
        assert!(message.contains("cdse auth login"), "{message}");
    }
    // Whoever has credentials goes on in any case.
    other.exits(&["auth", "token", "--force-refresh"], 0);
    assert_eq!(other.sessions(&other.token()), Some(if kept { 2 } else { 1 }));
    assert_eq!(stage.token_requests(), if kept { 4 } else { 5 });
}

fn kills(stage: &dyn Stage) {
    let person = Person::with_credentials(stage);
    let mut random = Random::new(12);
    person.token();
    for _ in 0..6 {
        person.wait_for_expiry();
        let (before, counted, begun) = (person.commits(), stage.token_requests(), now());
        let children: Vec<Child> = (0..4).map(|_| person.cdse(&["auth", "token"]).spawn().unwrap()).collect();
        for child in &children {
            sleep(Duration::from_micros(random.below(6_000)));
            signal(child, Signal::KILL);
        }
        let ends = children.into_iter().map(|child| child.wait_with_output().unwrap().status);
        let killed = ends.filter(|status| status.code().is_none()).count() as u64;
        // No torn record, no lock left behind, no loop; between sending and saving a one-time token may be lost, and with
        // it the session: then the credentials open another one.
        let token = person.token();
        assert!(person.sessions(&token).is_some(), "a token that the service does not take");
        assert!(person.record().contains("access_token"));
        let (commits, requests) = (person.commits() - before, stage.token_requests() - counted);
        // An exchange is two commits; one that was killed has made the first of them and was sent or not. Two are those of
        // the token that there is now: where no kill met an exchange, that one request is all.
        let lost = killed.min(commits - 2);
        assert!((2 * requests).abs_diff(commits) <= lost, "{requests} requests, {commits} commits, {killed} killed");
        // A refresh that was refused, and a login after it; and of each that was killed what it had under way.
        assert!(requests <= 2 * fit_since(begun) + killed, "{requests} requests, {killed} killed");
    }
}

fn ended_elsewhere(stage: &dyn Stage) {
    let person = Person::logged_in(stage);
    let other = Person::logged_in(stage);
    let token = other.token();
    assert_eq!(other.sessions(&token), Some(2));
    let url = format!("{}/account/sessions", stage.realm_url());
    assert_eq!(cdse_judge::delete(&url, &token), 204);
    let message = person.exits(&["auth", "refresh"], 4);
    assert!(message.contains("cdse auth login"), "{message}");
    person.log_in(&[]);
    assert_eq!(other.sessions(&token), Some(2), "the dead one gave its place back");
    other.exits(&["auth", "logout"], 0);
    person.exits(&["auth", "logout"], 0);
    assert_eq!(stage.token_requests(), 4, "three logins, and a renewal that was refused");
}

fn changed_password(stage: &dyn Stage) {
    let person = Person::with_credentials(stage);
    person.token();
    stage.set_password(USER, "another");
    person.exits(&["auth", "refresh"], 0);
    let message = {
        person.exits(&["auth", "logout"], 0);
        person.exits(&["auth", "token"], 4)
    };
    assert!(message.contains("CDSE_PASSWORD"), "{message}");
    // The hold is everybody's who has that password: nothing is sent again.
    person.exits(&["auth", "token"], 4);
    assert_eq!(stage.token_requests(), 3, "a login, a renewal, a login that was refused");
    stage.set_password(USER, PASSWORD);
}

fn not_before(stage: &dyn Stage) {
    let person = Person::logged_in(stage);
    sleep(Duration::from_millis(1100));
    stage.push_not_before();
    let message = person.exits(&["auth", "refresh"], 4);
    assert!(message.contains("cdse auth login"), "{message}");
    sleep(Duration::from_millis(1100));
    person.log_in(&[]);
    assert!(person.sessions(&person.token()).is_some());
    assert_eq!(stage.token_requests(), 3, "a login, a renewal that was refused, a login");
}

fn session_maximum(stage: &dyn Stage) {
    let person = Person::with_credentials(stage);
    let first = person.token();
    let claims = |token: &str| {
        let claims = token.split('.').nth(1).unwrap();
        let claims = data_encoding::BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap();
        serde_json::from_slice::<Value>(&claims).unwrap()
    };
    let session = |token: &str| claims(token)["sid"].as_str().unwrap().to_owned();
    let mut seen = vec![session(&first)];
    let (mut tokens, mut slow, mut last) = (HashSet::from([first]), 0, now());
    // A session of six seconds, and a bit of the next one.
    for _ in 0..45 {
        sleep(Duration::from_millis(200));
        let token = person.token();
        slow += fit_since(last) - 1;
        last = now();
        // A token of two seconds may end on its way.
        let ended = || claims(&token)["exp"].as_u64().unwrap() <= unix_seconds();
        assert!(person.sessions(&token).is_some() || ended(), "a caller saw a gap");
        let session = session(&token);
        tokens.insert(token);
        if !seen.contains(&session) {
            seen.push(session);
        }
    }
    assert!((2..=4).contains(&seen.len()), "{} sessions in nine seconds", seen.len());
    let requests = stage.token_requests();
    assert_eq!(requests, person.exchanges(), "what was sent is what was stored");
    // Each gave a token, which the next call has shown at the latest; but for one at a session's end, which was refused.
    let (tokens, ended) = (tokens.len() as u64, seen.len() as u64 - 1);
    assert!(
        (tokens..=tokens + ended + slow).contains(&requests),
        "{requests} requests, {tokens} tokens, {ended} ended"
    );
}

fn session_maximum_without_credentials(stage: &dyn Stage) {
    let person = Person::logged_in(stage);
    let (mut tokens, mut slow, mut last) = (HashSet::new(), 0, now());
    for _ in 0..50 {
        sleep(Duration::from_millis(200));
        let done = person.run(&["auth", "token"]);
        slow += fit_since(last) - 1;
        last = now();
        if done.status.success() {
            tokens.insert(printed(done));
        } else {
            let (requests, tokens) = (stage.token_requests(), tokens.len() as u64);
            assert_eq!(requests, person.exchanges(), "what was sent is what was stored");
            // Each gave a token, but for the last, which was refused.
            assert!((tokens..=tokens + 1 + slow).contains(&requests), "{requests} requests, {tokens} tokens");
            let message = String::from_utf8(done.stderr).unwrap();
            assert_eq!(done.status.code(), Some(4), "{message}");
            assert!(message.contains("the session has ended") && message.contains("cdse auth login"), "{message}");
            return;
        }
    }
    panic!("a session of six seconds lived for ten");
}

fn without_an_end(stage: &dyn Stage) {
    let url = format!("{}/protocol/openid-connect", stage.realm_url());
    let asked = [
        ("client_id", "cdse-public"),
        ("grant_type", "password"),
        ("username", "offline@example.com"),
        ("password", PASSWORD),
        ("scope", "offline_access"),
    ];
    let (_, given) = post(&format!("{url}/token"), &asked);
    let person = Person::new(stage);
    let mut login = person.cdse(&["auth", "login", "--refresh-token-stdin"]).stdin(Stdio::piped()).spawn().unwrap();
    login.stdin.take().unwrap().write_all(given["refresh_token"].as_str().unwrap().as_bytes()).unwrap();
    let done = login.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    // An ordinary session of this realm ends after six seconds.
    let mut token = String::new();
    for _ in 0..4 {
        person.wait_for_expiry();
        token = person.token();
        assert!(person.sessions(&token).is_some(), "a token that the service does not take");
        let status = person.status();
        assert_eq!((&status["logged_in"], &status["session_expires_at"]), (&Value::Bool(true), &Value::Null));
        assert_eq!(status["login_needed_by"], Value::Null);
    }
    let record: Value = serde_json::from_str(&person.record()).unwrap();
    let stored = record["tokens"]["refresh_token"].as_str().unwrap();
    assert_eq!(stage.token_requests(), 1 + 1 + 4, "what was given, the takeover, the renewals");
    person.exits(&["auth", "logout"], 0);
    assert_eq!(person.sessions(&token), None);
    let refused = [("client_id", "cdse-public"), ("grant_type", "refresh_token"), ("refresh_token", stored)];
    let (status, refused) = post(&format!("{url}/token"), &refused);
    assert_eq!((status, refused["error_description"].as_str()), (400, Some("Offline user session not found")));
    person.exits(&["auth", "token"], 4);
}

fn full_account(stage: &dyn Stage) {
    let people: Vec<Person<'_>> = (0..3).map(|_| Person::logged_in(stage)).collect();
    let fourth = Person::with_credentials(stage);
    let message = fourth.exits(&["auth", "token"], 6);
    assert!(message.contains("sessions"), "{message}");
    // In place of one's own there is room.
    people[0].log_in(&["--force"]);
    assert_eq!(people[0].sessions(&people[0].token()), Some(3));
    assert_eq!(stage.token_requests(), 6, "three logins, one that was refused, one that was and its second try");
    people.iter().for_each(|person| drop(person.exits(&["auth", "logout"], 0)));
}
