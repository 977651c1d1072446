//! The processes: who they are, what they are told to do, and what is heard of them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use cdse_judge::Random;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use serde_json::Value;

use crate::library_user::{self, Face};
use crate::signals::{self, Sent, pause};
use crate::watch::{self, Sight, Watched};

pub(crate) const USER: &str = "user@example.com";
const PASSWORD: &str = "s3cret!";

/// Where they all work.
pub(crate) struct Place {
    home: tempfile::TempDir,
    realm: String,
    pub(crate) session: PathBuf,
    pub(crate) profile: PathBuf,
}

impl Place {
    fn new(realm: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state");
        let session = state.join("sessions").join(format!("{}.json", library_user::slot(realm).id()));
        Self { profile: state.join("profiles/default.json"), home, realm: realm.to_owned(), session }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home.path()).env("CDSE_STATE_DIR", self.home.path().join("state"));
        command.env("CDSE_IDENTITY_URL", &self.realm);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn cdse(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_cdse"));
        command.args(arguments);
        command
    }

    fn library_user(&self, face: Face, seed: u64) -> Command {
        let mut command = self.command(std::env::current_exe().unwrap());
        command.args([library_user::ROLE, face.name(), &self.realm]).arg(&self.session).arg(seed.to_string());
        command
    }
}

/// What was heard of them, and what was seen meanwhile.
pub(crate) struct Happened {
    pub(crate) heard: Heard,
    pub(crate) sent: Sent,
    pub(crate) watched: Watched,
}

#[derive(Default, Debug)]
pub(crate) struct Heard {
    /// How long calls of `cdse auth token` took that printed one, in ms.
    pub(crate) token_times: Vec<u64>,
    /// How long calls of the library took that found no fresh token, in µs.
    pub(crate) due_calls: Vec<u64>,
    pub(crate) fresh_calls: u64,
    /// How long somebody in the library waited for the lock, in µs.
    pub(crate) lock_waits: Vec<u64>,
    pub(crate) library_users: u64,
    pub(crate) logins: u64,
    pub(crate) logouts: u64,
    pub(crate) killed_logouts: u64,
    pub(crate) ended_by_signals: u64,
    pub(crate) failures: Vec<Failure>,
}

/// Somebody got no token.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The library's code for it, where it has one.
    pub(crate) kind: String,
    /// What it knew, it has looked up since then.
    pub(crate) knows_since: u64,
    pub(crate) to: u64,
    pub(crate) words: String,
}

/// A process that can be signalled: nobody has waited for it.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// What asked it to end.
    pub(crate) sent: Vec<Signal>,
}

struct End {
    from: u64,
    to: u64,
    status: ExitStatus,
    sent: Vec<Signal>,
    stdout: String,
    stderr: String,
}

impl End {
    fn is_of_signal(&self) -> bool {
        signals::ended_by(self.status, &self.sent)
    }

    fn failure(&self, who: &str) -> Failure {
        let said: Value = serde_json::from_str(&self.stderr).unwrap_or_default();
        let kind = said["error"]["code"].as_str().unwrap_or("unknown").to_owned();
        let words = format!("{who}: {}, signals {:?}: {}{}", self.status, self.sent, self.stdout, self.stderr);
        Failure { kind, knows_since: self.from, to: self.to, words }
    }
}

pub(crate) struct Crowd<'a> {
    pub(crate) place: &'a Place,
    pub(crate) sight: &'a Sight,
    pub(crate) sent: Mutex<Sent>,
    over: AtomicBool,
    running: Mutex<BTreeMap<u32, Running>>,
    heard: Mutex<Heard>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unix time in ms.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

pub(crate) fn run(realm: &str, time: Duration, processes: u64, seed: u64) -> Happened {
    let place = Place::new(realm);
    let (sight, unseen) = (Sight::default(), AtomicBool::new(false));
    let crowd = Crowd {
        place: &place,
        sight: &sight,
        sent: Mutex::default(),
        over: AtomicBool::new(false),
        running: Mutex::default(),
        heard: Mutex::default(),
    };
    let login = crowd.attend(place.cdse(LOGIN), PASSWORD);
    assert!(login.status.success(), "{}", login.stderr);
    let watched = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch::watch(&place, &sight, &unseen));
        let random = |nth: u64| Random::new(seed.wrapping_mul(1_000).wrapping_add(nth));
        let mut working: Vec<_> = (0..processes)
            .map(|nth| {
                let crowd = &crowd;
                scope.spawn(move || match nth {
                    0 => crowd.log_out_and_in(random(nth)),
                    _ if nth % 8 == 2 => crowd.use_library(Face::Blocking, random(nth)),
                    _ if nth % 8 == 3 => crowd.use_library(Face::Async, random(nth)),
                    _ => crowd.ask_for_tokens(random(nth)),
                })
            })
            .collect();
        let (ending, stopping, crowd) = (random(processes), random(processes + 1), &crowd);
        working.push(scope.spawn(move || signals::end(crowd, ending)));
        working.push(scope.spawn(move || signals::stop(crowd, stopping)));
        std::thread::sleep(time);
        crowd.over.store(true, Ordering::SeqCst);
        while working.iter().any(|thread| !thread.is_finished()) {
            signals::end_all(crowd);
            pause(100);
        }
        let last = crowd.attend(place.cdse(&["auth", "logout", "--all", "--json"]), "");
        if !last.status.success() {
            lock(&crowd.heard).failures.push(last.failure("the last logout"));
        }
        unseen.store(true, Ordering::SeqCst);
        watcher.join().unwrap()
    });
    Happened { heard: crowd.heard.into_inner().unwrap(), sent: crowd.sent.into_inner().unwrap(), watched }
}

const LOGIN: &[&str] = &["auth", "login", "--username", USER, "--password-stdin", "--json"];

impl Crowd<'_> {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Does something with a process, if it is one of these still.
    pub(crate) fn with(&self, process: u32, action: impl FnOnce(&mut Running)) -> bool {
        lock(&self.running).get_mut(&process).map(action).is_some()
    }

    pub(crate) fn with_all(&self, action: impl FnMut(&mut Running)) {
        lock(&self.running).values_mut().for_each(action);
    }

    pub(crate) fn anybody(&self, random: &mut Random) -> u32 {
        let running = lock(&self.running);
        let nth = random.below(running.len().max(1) as u64);
        running.keys().nth(nth.try_into().unwrap()).copied().unwrap_or_default()
    }

    /// Starts a process and listens to it until it ends.
    fn attend(&self, mut command: Command, input: &str) -> End {
        let from = now();
        let mut child = command.spawn().unwrap();
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (process, id) = (Pid::from_child(&child), child.id());
        lock(&self.running).insert(id, Running { child, sent: Vec::new() });
        // It may have ended before.
        let _ = stdin.unwrap().write_all(input.as_bytes());
        let (mut said, mut complained) = (Vec::new(), Vec::new());
        stdout.unwrap().read_to_end(&mut said).unwrap();
        stderr.unwrap().read_to_end(&mut complained).unwrap();
        // As long as it is only looked at, its number is its own.
        waitid(WaitId::Pid(process), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
        let mut running = lock(&self.running);
        let Running { mut child, sent } = running.remove(&id).unwrap();
        let status = child.wait().unwrap();
        drop(running);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        End { from, to: now(), status, sent, stdout: text(said), stderr: text(complained) }
    }

    fn ask_for_tokens(&self, mut random: Random) {
        while !self.is_over() {
            pause(random.below(300));
            let want = WANTS[random.below(WANTS.len() as u64) as usize];
            let end = self.attend(self.place.cdse(&[&["auth", "token", "--json"], want].concat()), "");
            let said: Value = serde_json::from_str(&end.stdout).unwrap_or_default();
            let mut heard = lock(&self.heard);
            match said["access_token"].as_str() {
                _ if end.is_of_signal() => heard.ended_by_signals += 1,
                // A token of a second cannot be valid for a second when it has come, and that is said.
                Some(token)
                    if end.status.success()
                        && (end.stderr.is_empty() || want.contains(&"--min-validity"))
                        && token.starts_with("ey") =>
                {
                    heard.token_times.push(end.to - end.from);
                }
                _ => heard.failures.push(end.failure("cdse auth token")),
            }
        }
    }

    fn use_library(&self, face: Face, mut random: Random) {
        while !self.is_over() {
            pause(random.below(150));
            let end = self.attend(self.place.library_user(face, random.below(1 << 30)), "");
            let mut heard = lock(&self.heard);
            heard.library_users += 1;
            // What it was about to say when it was killed is no line.
            let complete = end.stdout.rsplit_once('\n').map_or("", |(complete, _)| complete);
            complete.lines().for_each(|line| heard.library_user_says(face, end.from, line));
            match end.is_of_signal() {
                true => heard.ended_by_signals += 1,
                false if end.status.success() && end.stderr.is_empty() => {}
                false => heard.failures.push(end.failure(face.name())),
            }
        }
    }

    fn log_out_and_in(&self, mut random: Random) {
        while !self.is_over() {
            let until = now() + 1000 + random.below(4000);
            while self.sight.logged_in.load(Ordering::SeqCst) && now() < until && !self.is_over() {
                pause(10);
            }
            if self.sight.logged_in.load(Ordering::SeqCst) && !self.is_over() {
                let end = self.attend(self.place.cdse(&["auth", "logout", "--json"]), "");
                let mut heard = lock(&self.heard);
                heard.logouts += 1;
                heard.killed_logouts += u64::from(end.sent.contains(&Signal::KILL));
                if !end.status.success() && !end.is_of_signal() {
                    heard.failures.push(end.failure("cdse auth logout"));
                }
                drop(heard);
                pause(random.below(500));
            }
            let end = self.attend(self.place.cdse(LOGIN), PASSWORD);
            let mut heard = lock(&self.heard);
            match end.is_of_signal() {
                true => heard.ended_by_signals += 1,
                false if end.status.success() => heard.logins += 1,
                false => heard.failures.push(end.failure("cdse auth login")),
            }
            drop(heard);
            pause(10);
        }
    }
}

/// What is asked of `cdse auth token`: a token, mostly, and sometimes another one, or one that lives for a while.
const WANTS: [&[&str]; 8] = [&[], &[], &[], &[], &[], &[], &["--force-refresh"], &["--min-validity", "1s"]];

/// A manager that nobody is logged in for looks at the store once a second; it may be stopped meanwhile. In ms.
const MEMORY: u64 = 1000 + signals::LONGEST_STOP + 500;

impl Heard {
    fn library_user_says(&mut self, face: Face, since: u64, line: &str) {
        let mut words = line.splitn(6, ' ');
        let mut next = || words.next().unwrap_or_default();
        match next() {
            "lock" => self.lock_waits.push(next().parse().unwrap()),
            "call" => {
                let (from, took): (u64, u64) = (next().parse().unwrap(), next().parse().unwrap());
                match (next(), next()) {
                    ("fresh", "ok") => self.fresh_calls += 1,
                    (_, "ok") => self.due_calls.push(took),
                    (_, kind) => {
                        let words = format!("{} library user, after {took} µs: {}", face.name(), next());
                        let knows_since = from.saturating_sub(MEMORY).max(since);
                        self.failures.push(Failure {
                            kind: kind.to_owned(),
                            knows_since,
                            to: from + took / 1000,
                            words,
                        });
                    }
                }
            }
            _ => panic!("nobody says {line:?}"),
        }
    }
}
