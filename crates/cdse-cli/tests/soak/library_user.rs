//! A program that uses the library: this test's own, started again.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cdse_auth::{
    Error, ErrorKind, FileTokenStore, Grant, HeaderValue, Result, Slot, StoredSession, TokenManager, blocking,
};
use cdse_judge::Random;
use serde_json::Value;

use crate::crowd::{USER, lock, now};
use crate::signals::pause;

/// The first argument of such a program.
pub(crate) const ROLE: &str = "library-user";
/// The service refused a token that had not ended.
pub(crate) const REFUSED_WHILE_VALID: &str = "refused_while_valid";
const CALLERS: u64 = 2;
const CALLS: u64 = 40;

/// Which face of the library it uses.
#[derive(Clone, Copy)]
pub(crate) enum Face {
    Blocking,
    Async,
}

impl Face {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::Async => "async",
        }
    }
}

/// The stored session of the user; there are no credentials.
fn pointer() -> StoredSession {
    let slot = Slot {
        token_url: String::new(),
        client_id: "cdse-public".to_owned(),
        grant: Grant::Password,
        subject: Some(USER.to_owned()),
    };
    StoredSession::new(slot, Some(USER.to_owned()))
}

/// Where that session is.
pub(crate) fn slot(realm: &str) -> Slot {
    TokenManager::builder(pointer()).realm_url(realm).build().unwrap().slot().clone()
}

#[derive(Clone)]
struct User {
    realm: String,
    manager: TokenManager,
    /// For the asynchronous face.
    runtime: Option<Arc<tokio::runtime::Runtime>>,
}

pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let [face, realm, session, seed] = arguments else { panic!("{arguments:?}") };
    log::set_logger(&LOCK_WAITS).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let store = FileTokenStore::new(session);
    let manager = TokenManager::builder(pointer()).realm_url(realm).store(store).build().unwrap();
    end_on_signals(manager.clone().into());
    let runtime = (face == Face::Async.name())
        .then(|| Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap()));
    let user = User { realm: realm.clone(), manager, runtime };
    let callers: Vec<_> = (0..CALLERS)
        .map(|nth| {
            let (user, random) = (user.clone(), Random::new(seed.parse::<u64>().unwrap() + nth));
            std::thread::spawn(move || user.calls(random))
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    blocking::TokenManager::from(user.manager).settle().unwrap();
    ExitCode::SUCCESS
}

/// As a program does that was told of one-time tokens.
fn end_on_signals(manager: blocking::TokenManager) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).unwrap();
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            manager.settle().unwrap();
            std::process::exit(128 + signal);
        }
    });
}

/// What is wrong with a call, in the words of the report.
struct Complaint {
    kind: &'static str,
    words: String,
}

impl From<Error> for Complaint {
    fn from(error: Error) -> Self {
        Self { kind: error.kind().code(), words: error.to_string() }
    }
}

impl User {
    fn calls(&self, mut random: Random) {
        for _ in 0..CALLS {
            pause(random.below(150));
            let found = if self.manager.fresh_header().is_some() { "fresh" } else { "due" };
            let (from, begun) = (now(), Instant::now());
            let outcome = match random.below(12) {
                0 => self.refuse(),
                1 => self.ask_the_service(),
                2 => self.renew().map(drop).map_err(Complaint::from),
                3 => self.valid_for(Duration::from_secs(1)).map(drop).map_err(Complaint::from),
                _ => self.header().map(drop).map_err(Complaint::from),
            };
            let took = begun.elapsed().as_micros();
            match outcome {
                Ok(()) => println!("call {from} {took} {found} ok"),
                Err(Complaint { kind, words }) => println!("call {from} {took} {found} {kind} {words}"),
            }
        }
    }

    fn header(&self) -> Result<HeaderValue> {
        match &self.runtime {
            None => blocking::TokenManager::from(self.manager.clone()).authorization_header(),
            Some(runtime) => runtime.block_on(self.manager.authorization_header()),
        }
        .inspect_err(wait_for_the_end)
    }

    fn renew(&self) -> Result<HeaderValue> {
        match &self.runtime {
            None => blocking::TokenManager::from(self.manager.clone()).force_refresh(),
            Some(runtime) => runtime.block_on(self.manager.force_refresh()),
        }
        .inspect_err(wait_for_the_end)
    }

    fn valid_for(&self, least: Duration) -> Result<HeaderValue> {
        match &self.runtime {
            None => blocking::TokenManager::from(self.manager.clone()).header_for(least),
            Some(runtime) => runtime.block_on(self.manager.header_for(least)),
        }
        .inspect_err(wait_for_the_end)
    }

    fn after(&self, refused: &HeaderValue) -> Result<HeaderValue> {
        match &self.runtime {
            None => blocking::TokenManager::from(self.manager.clone()).force_refresh_after(refused),
            Some(runtime) => runtime.block_on(self.manager.force_refresh_after(refused)),
        }
        .inspect_err(wait_for_the_end)
    }

    /// Some service does not take the token, for whatever reason.
    fn refuse(&self) -> Result<(), Complaint> {
        let refused = self.header()?;
        match self.after(&refused) {
            Ok(other) if other == refused => {
                Err(Complaint { kind: "same_again", words: "it got what it had refused".to_owned() })
            }
            // It is as new as can be had.
            Err(error) if error.kind() == ErrorKind::StillRefused => Ok(()),
            other => other.map(drop).map_err(Complaint::from),
        }
    }

    /// The identity service itself knows whether the token is good.
    fn ask_the_service(&self) -> Result<(), Complaint> {
        let header = self.header()?;
        let token = header.to_str().unwrap().strip_prefix("Bearer ").unwrap();
        let (status, _) = cdse_judge::get(&format!("{}/account/sessions", self.realm), token);
        if status == 200 {
            return Ok(());
        }
        let claims = data_encoding::BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
        let end = serde_json::from_slice::<Value>(&claims).unwrap()["exp"].as_u64().unwrap();
        if now() / 1000 < end {
            let words = format!("{status} for a token that ends at {end}");
            return Err(Complaint { kind: REFUSED_WHILE_VALID, words });
        }
        self.after(&header)?;
        Ok(())
    }
}

/// A signal has come, and its handler ends the process.
fn wait_for_the_end(error: &Error) {
    while error.kind() == ErrorKind::ShutDown {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Says how long each wait for the lock of another process was: until it was had, or not needed any more.
struct LockWaits {
    since: Mutex<Option<Instant>>,
}

static LOCK_WAITS: LockWaits = LockWaits { since: Mutex::new(None) };

impl log::Log for LockWaits {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let said = record.args().to_string();
        if said.starts_with("waits for ") && said.contains("holds the session's lock") {
            lock(&self.since).get_or_insert_with(Instant::now);
        } else if ["has the session's lock", "the stored session has what is wanted"].contains(&said.as_str())
            || said.starts_with("no token: ")
        {
            let since = lock(&self.since).take();
            if let Some(since) = since {
                println!("lock {}", since.elapsed().as_micros());
            }
        }
    }

    fn flush(&self) {}
}
