//! Where a scenario plays: a realm of one judge, with the few things that only its administrator can do.

use std::time::Duration;

use cdse_sandbox::{Action, BruteForce, Config, Fault, KeycloakVersion, Lifetimes, Rotation, Sandbox};

/// The realms of `tests/keycloak/realms`, and their like in the embedded service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Realm {
    /// Access 10 min, session 1 h.
    Ordinary,
    /// Refresh tokens work once.
    Rotating,
    /// Access 2 s, session 6 s.
    Short,
    /// Three sessions a user.
    Limited,
    /// Three failures, then 4 s.
    Guarded,
    /// Refresh tokens work once; access 2 s (1 s in the embedded service).
    Brief,
}

/// What a scenario needs of a judge.
pub trait Stage {
    /// The address of the realm.
    fn realm_url(&self) -> String;

    /// So much time passes.
    fn pass(&self, time: Duration);

    /// Lets the user in, or not.
    fn set_enabled(&self, username: &str, enabled: bool);

    /// Gives the user another password.
    fn set_password(&self, username: &str, password: &str);

    /// How many requests the token endpoint has seen since the stage was set.
    fn token_requests(&self) -> u64;

    /// How many times since then a refresh token was sent again that works once, as the service saw it.
    fn reuse_detected(&self) -> u64;

    /// How many sessions the user has open, those that can no longer be used included.
    fn open_sessions(&self, username: &str) -> usize;

    /// From now on answers of the token endpoint come so much later; the work is done before.
    fn delay_answers(&self, time: Duration);

    /// The service is stopped and started again. Whether it has kept its sessions.
    fn restart(&self) -> bool;

    /// Tokens that were issued until now count no more.
    fn push_not_before(&self);
}

/// A realm of the embedded service, of its own.
#[derive(Debug)]
pub struct SandboxStage {
    sandbox: Sandbox,
    version: KeycloakVersion,
}

impl SandboxStage {
    /// Starts it.
    #[must_use]
    pub fn new(realm: Realm, version: KeycloakVersion) -> Self {
        let mut config = Config { version, session_limit: None, brute_force: None, ..Config::default() };
        let seconds = Duration::from_secs;
        if matches!(realm, Realm::Rotating | Realm::Brief) {
            config.rotation = Rotation::OneTime;
        }
        match realm {
            Realm::Ordinary | Realm::Rotating => {}
            Realm::Short => config.lifetimes = Lifetimes { access: seconds(2), idle: seconds(6), max: seconds(6) },
            Realm::Brief => config.lifetimes.access = seconds(1),
            Realm::Limited => config.session_limit = Some(3),
            Realm::Guarded => {
                config.brute_force = Some(BruteForce { max_failures: 3, wait: seconds(4), ..BruteForce::default() });
            }
        }
        Self { sandbox: Sandbox::start(config).unwrap(), version }
    }
}

impl Stage for SandboxStage {
    fn realm_url(&self) -> String {
        self.sandbox.realm_url()
    }

    fn pass(&self, time: Duration) {
        self.sandbox.advance(time);
    }

    fn set_enabled(&self, username: &str, enabled: bool) {
        self.sandbox.set_enabled(username, enabled);
    }

    fn set_password(&self, username: &str, password: &str) {
        self.sandbox.set_password(username, password);
    }

    fn token_requests(&self) -> u64 {
        self.sandbox.counters().token_requests
    }

    fn reuse_detected(&self) -> u64 {
        self.sandbox.counters().reuse_detected
    }

    fn open_sessions(&self, username: &str) -> usize {
        self.sandbox.sessions().into_iter().filter(|session| session.username == username).count()
    }

    fn delay_answers(&self, time: Duration) {
        self.sandbox.clear_faults();
        if !time.is_zero() {
            self.sandbox.script(Fault::token(Action::DelayAnswer(time)).always());
        }
    }

    fn restart(&self) -> bool {
        let keeps = self.version == KeycloakVersion::V26;
        if !keeps {
            self.sandbox.restart();
        }
        keeps
    }

    fn push_not_before(&self) {
        self.sandbox.push_not_before();
    }
}
