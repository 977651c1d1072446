//! The handle of a running service.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::config::{Config, Lifetimes, Rotation};
use crate::fault::Fault;
use crate::http::{RESOURCE_PATH, Server};
use crate::log::{Counters, Request};
use crate::realm::SessionView;
use crate::state::Shared;

/// A running service. It has a thread and a runtime of its own, so that any kind of test can use it; dropping it ends
/// all connections and waits for the thread.
///
/// ```
/// use cdse_sandbox::{Config, Sandbox};
///
/// let sandbox = Sandbox::start(Config::default())?;
/// assert!(sandbox.token_url().starts_with("http://127.0.0.1:"));
/// assert_eq!(sandbox.counters().token_requests, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Sandbox {
    server: Server,
    shared: Arc<Shared>,
}

impl Sandbox {
    /// Starts serving.
    ///
    /// # Errors
    ///
    /// When one of the ports is taken, or a user's TOTP secret is not base32.
    pub fn start(config: Config) -> io::Result<Self> {
        let (server, shared) = Server::start(config)?;
        Ok(Self { server, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The realm: `http://127.0.0.1:PORT/auth/realms/CDSE`.
    pub fn realm_url(&self) -> String {
        self.shared.lock().realm.issuer.to_owned()
    }

    /// The token endpoint.
    pub fn token_url(&self) -> String {
        format!("{}/protocol/openid-connect/token", self.realm_url())
    }

    /// A resource that needs a valid access token.
    pub fn resource_url(&self) -> String {
        format!("{}{RESOURCE_PATH}", self.shared.site.origins.identity)
    }

    /// The catalogue's host: `http://127.0.0.1:PORT`, without a path.
    pub fn catalogue_url(&self) -> String {
        self.shared.site.origins.catalogue.clone()
    }

    /// The download host: `http://127.0.0.1:PORT`, without a path.
    pub fn download_url(&self) -> String {
        self.shared.site.origins.download.clone()
    }

    /// The STAC host: `http://127.0.0.1:PORT`, without a path.
    pub fn stac_url(&self) -> String {
        self.shared.site.origins.stac.clone()
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters()
    }

    /// The log, oldest request first; at most [`Config::log_capacity`] requests.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().record.requests()
    }

    /// Clears the counters and the log. Sessions and faults stay.
    pub fn clear_log(&self) {
        self.shared.lock().record.clear();
    }

    /// Queues a fault.
    ///
    /// # Panics
    ///
    /// When the fault's answer cannot be sent: a status below 200 or above 999, or a header that is malformed or about
    /// the body's length.
    pub fn script(&self, fault: Fault) {
        if let Err(problem) = fault.action.check() {
            panic!("{problem}");
        }
        self.shared.lock().faults.push(fault);
    }

    /// Forgets the faults that have not been met. Requests that already wait because of one keep waiting.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// The time of the service: that of [`Config::clock`], plus all advances.
    pub fn now(&self) -> SystemTime {
        self.shared.lock().now()
    }

    /// Moves the service's clock forward.
    pub fn advance(&self, by: Duration) {
        self.shared.lock().advance(by);
    }

    /// Changes how long sessions, including open ones, and tokens issued from now on last.
    pub fn set_lifetimes(&self, lifetimes: Lifetimes) {
        self.shared.lock().realm.lifetimes = lifetimes;
    }

    /// Changes how often a refresh token works.
    pub fn set_rotation(&self, rotation: Rotation) {
        self.shared.lock().realm.rotation = rotation;
    }

    /// Changes how many sessions a user may have; open ones stay.
    pub fn set_session_limit(&self, limit: Option<usize>) {
        self.shared.lock().realm.session_limit = limit;
    }

    /// Changes a password. Sessions stay open. Has no effect for an unknown user.
    pub fn set_password(&self, username: &str, password: &str) {
        self.shared.lock().realm.set_password(username, password);
    }

    /// Disables or enables a user. Sessions stay, but cannot be used until the user is enabled again. Has no effect for an
    /// unknown user.
    pub fn set_enabled(&self, username: &str, enabled: bool) {
        self.shared.lock().realm.set_enabled(username, enabled);
    }

    /// The open sessions, oldest first.
    pub fn sessions(&self) -> Vec<SessionView> {
        let core = self.shared.lock();
        core.realm.session_views(core.seconds())
    }

    /// Ends a session, as the user does in a browser. Returns whether it was open.
    pub fn end_session(&self, id: &str) -> bool {
        let mut core = self.shared.lock();
        let now = core.seconds();
        core.realm.end_session(now, id)
    }

    /// Forgets all sessions but the offline ones, as 21.1.2 does when it is restarted. Connections stay.
    pub fn restart(&self) {
        self.shared.lock().realm.restart();
    }

    /// Makes all tokens stale that were issued until now, including those of this second.
    pub fn push_not_before(&self) {
        let mut core = self.shared.lock();
        let now = core.seconds();
        core.realm.push_not_before(now);
    }

    /// The environment variables that make the `cdse` command use this service: `CDSE_IDENTITY_URL`, `CDSE_CATALOGUE_URL`,
    /// `CDSE_DOWNLOAD_URL`, `CDSE_STAC_URL`, and `CDSE_USERNAME` and `CDSE_PASSWORD` of the first user who can log in with a password alone, if there is one.
    pub fn environment(&self) -> Vec<(String, String)> {
        let core = self.shared.lock();
        let mut variables = vec![
            ("CDSE_IDENTITY_URL".to_owned(), core.realm.issuer.to_owned()),
            ("CDSE_CATALOGUE_URL".to_owned(), self.catalogue_url()),
            ("CDSE_DOWNLOAD_URL".to_owned(), self.download_url()),
            ("CDSE_STAC_URL".to_owned(), self.stac_url()),
        ];
        if let Some(user) = core.realm.default_user() {
            variables.push(("CDSE_USERNAME".to_owned(), user.username.clone()));
            variables.push(("CDSE_PASSWORD".to_owned(), user.password.clone()));
        }
        variables
    }

    /// The user's TOTP code at the service's time; `None` for a user without a second factor.
    pub fn totp_code(&self, username: &str) -> Option<String> {
        let core = self.shared.lock();
        core.realm.totp_code(core.seconds(), username)
    }
}
