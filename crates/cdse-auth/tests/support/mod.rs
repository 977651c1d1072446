//! A sandbox and a clock that client and service share.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod watched;

use std::time::Duration;

use cdse_auth::{
    AuthProvider, HeaderValue, ManualClock, PasswordAuth, Proxy, Random, TokenManager, TokenManagerBuilder,
    TransportConfig, blocking,
};
use cdse_sandbox::{Clock, Config, Sandbox};

pub(crate) const USER: &str = "user@example.com";
pub(crate) const MFA: &str = "mfa@example.com";
/// The one who may have offline sessions.
pub(crate) const OFFLINE: &str = "offline@example.com";
pub(crate) const PASSWORD: &str = "s3cret!";
pub(crate) const TOTP_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

pub(crate) struct World {
    pub(crate) time: ManualClock,
    pub(crate) sandbox: Sandbox,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let time = ManualClock::at(1_800_000_000);
        let theirs = time.clone();
        let mut config = Config { clock: Clock::new(move || theirs.wall()), ..Config::default() };
        change(&mut config);
        Self { time, sandbox: Sandbox::start(config).expect("a free port") }
    }

    pub(crate) fn builder(&self, provider: impl AuthProvider + 'static) -> TokenManagerBuilder {
        TokenManager::builder(provider)
            .realm_url(&self.sandbox.realm_url())
            .transport(TransportConfig::new().with_proxy(Proxy::None))
            .clock(self.time.clock())
            .random(Random::seeded(7))
    }

    pub(crate) fn manager(&self, provider: impl AuthProvider + 'static) -> blocking::TokenManager {
        self.builder(provider).build().expect("good settings").into()
    }

    pub(crate) fn logged_in(&self) -> blocking::TokenManager {
        let manager = self.manager(user());
        manager.authorization_header().expect("a login");
        at_rest(&manager);
        manager
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.time.advance(Duration::from_secs(seconds));
    }

    /// Whether the service takes the token.
    pub(crate) fn accepts(&self, header: &HeaderValue) -> bool {
        let before = self.sandbox.counters().resource_ok;
        let url = url_parts(&self.sandbox.resource_url());
        let mut stream = std::net::TcpStream::connect(self.sandbox.address()).expect("the sandbox listens");
        let text = header.to_str().expect("a token is ASCII");
        let request =
            format!("GET {url} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: {text}\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("the sandbox reads");
        let mut answer = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut answer).expect("the sandbox answers");
        self.sandbox.counters().resource_ok > before
    }
}

fn url_parts(url: &str) -> String {
    let after = url.split_once("://").expect("a scheme").1;
    after[after.find('/').expect("a path")..].to_owned()
}

pub(crate) fn user() -> PasswordAuth {
    PasswordAuth::new(USER, PASSWORD)
}

/// Waits until what follows an exchange is done too.
pub(crate) fn at_rest(manager: &blocking::TokenManager) {
    until("what was begun has ended", || !manager.status().renewing);
}

/// Waits until another thread has come so far. The limit only ends a test that hangs. (A condition that moves the clock on and
/// on ends a caller's patience before its answer is there, on a slow machine.)
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..20_000 {
        if condition() {
            return;
        }
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(1));
    }
    panic!("never happened: {what}");
}
