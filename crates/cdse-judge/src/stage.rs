//! Where a scenario plays: a realm of one judge, with the few things that only its administrator can do.

use std::time::Duration;

use cdse_sandbox::{BruteForce, Config, KeycloakVersion, Lifetimes, Rotation, Sandbox};

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
    /// Refresh tokens work once; access 4 s (1 s in the embedded service).
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

    /// Tokens that were issued until now count no more.
    fn push_not_before(&self);
}

/// A realm of the embedded service, of its own.
pub struct SandboxStage(Sandbox);

impl std::fmt::Debug for SandboxStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SandboxStage")
    }
}

impl SandboxStage {
    /// Starts it.
    #[must_use]
    pub fn new(realm: Realm, version: KeycloakVersion) -> Self {
        let usual = Config { version, session_limit: None, brute_force: None, ..Config::default() };
        let config = match realm {
            Realm::Ordinary => usual,
            Realm::Rotating => Config { rotation: Rotation::OneTime, ..usual },
            Realm::Short => {
                let lifetimes = Lifetimes { access: seconds(2), idle: seconds(6), max: seconds(6) };
                Config { lifetimes, ..usual }
            }
            Realm::Brief => {
                let lifetimes = Lifetimes { access: seconds(1), ..Lifetimes::default() };
                Config { rotation: Rotation::OneTime, lifetimes, ..usual }
            }
            Realm::Limited => Config { session_limit: Some(3), ..usual },
            Realm::Guarded => {
                let brute_force = Some(BruteForce { max_failures: 3, wait: seconds(4), quick_login_check: None });
                Config { brute_force, ..usual }
            }
        };
        Self(Sandbox::start(config).unwrap())
    }
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

impl Stage for SandboxStage {
    fn realm_url(&self) -> String {
        self.0.realm_url()
    }

    fn pass(&self, time: Duration) {
        self.0.advance(time);
    }

    fn set_enabled(&self, username: &str, enabled: bool) {
        self.0.set_enabled(username, enabled);
    }

    fn set_password(&self, username: &str, password: &str) {
        self.0.set_password(username, password);
    }

    fn push_not_before(&self) {
        self.0.push_not_before();
    }
}
