//! What the service is started with.

use std::time::Duration;

use crate::clock::Clock;

/// The settings of a service. The default is a realm like the Copernicus Data Space's: tokens of 600 s and
/// 3600 s, no rotation, at most 100 sessions for a user, and these users and clients:
///
/// | user (password `s3cret!`) | |
/// | --- | --- |
/// | `user@example.com` | |
/// | `mfa@example.com` | needs a TOTP code, secret `GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ` |
/// | `disabled@example.com` | disabled |
/// | `action@example.com` | has a required action pending |
/// | `offline@example.com` | may ask for the scope `offline_access` |
///
/// | client | |
/// | --- | --- |
/// | `cdse-public`, `other-public` | public, password grant |
/// | `no-grants` | public, without the password grant |
/// | `sh-client`, secret `sh-secret` | confidential, `client_credentials` with an access token of 1800 s |
#[derive(Clone, Debug)]
pub struct Config {
    /// The port of the identity service on 127.0.0.1; 0 takes a free one. The catalogue, the download host and the STAC host
    /// have the three ports after it.
    pub port: u16,
    /// The version whose answers are given where versions differ.
    pub version: KeycloakVersion,
    /// How long tokens and sessions live.
    pub lifetimes: Lifetimes,
    /// Whether a refresh token works once or until it expires.
    pub rotation: Rotation,
    /// How many sessions a user may have open; `None` for no limit.
    pub session_limit: Option<usize>,
    /// When wrong passwords lock a user; `None` for never.
    pub brute_force: Option<BruteForce>,
    /// The realm's users.
    pub users: Vec<User>,
    /// The realm's clients.
    pub clients: Vec<Client>,
    /// The service's clock.
    pub clock: Clock,
    /// Real time that passes between the processing of a token request and its answer.
    pub latency: Duration,
    /// How many requests the log keeps; the oldest are forgotten first.
    pub log_capacity: usize,
    /// If set, there is one more product, of this size: a single file of zeros, sent without being held in memory. Its checksum
    /// is computed before [`Sandbox::start`](crate::Sandbox::start) returns.
    pub large_product_bytes: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            version: KeycloakVersion::default(),
            lifetimes: Lifetimes::default(),
            rotation: Rotation::default(),
            session_limit: Some(100),
            brute_force: Some(BruteForce::default()),
            users: vec![
                User::new("user@example.com", "s3cret!"),
                User {
                    totp_secret: Some("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned()),
                    ..User::new("mfa@example.com", "s3cret!")
                },
                User { enabled: false, ..User::new("disabled@example.com", "s3cret!") },
                User { required_action: true, ..User::new("action@example.com", "s3cret!") },
                User { offline_access: true, ..User::new("offline@example.com", "s3cret!") },
            ],
            clients: vec![
                Client::public("cdse-public"),
                Client::public("other-public"),
                Client { direct_grants: false, ..Client::public("no-grants") },
                Client {
                    access_lifespan: Some(Duration::from_secs(1800)),
                    ..Client::confidential("sh-client", "sh-secret")
                },
            ],
            clock: Clock::default(),
            latency: Duration::ZERO,
            log_capacity: 20_000,
            large_product_bytes: None,
        }
    }
}

/// The version of Keycloak whose answers are given. Versions differ: a wrong password is 400 or 401, the session limit is a
/// page or a JSON error, `/revoke` ends one session or all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeycloakVersion {
    /// 26.7.3.
    #[default]
    V26,
    /// 21.1.2, closest to what the Copernicus Data Space has been seen to answer.
    V21,
}

/// How long tokens and sessions live, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of an access token; cut to what is left of its session.
    pub access: Duration,
    /// Of a refresh token, and of a session that is not refreshed.
    pub idle: Duration,
    /// Of a session, refreshed or not.
    pub max: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { access: Duration::from_secs(600), idle: Duration::from_secs(3600), max: Duration::from_secs(36_000) }
    }
}

/// How often a refresh token works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    /// Until it expires: every refresh returns a new one, and the older ones keep working.
    #[default]
    Off,
    /// Once (`revokeRefreshToken`, reuse 0). A second use removes the client from its session: the newest refresh token and all
    /// access tokens become invalid, while the session itself stays open, without clients, until it is logged out or expires.
    ///
    /// Keycloak compares whole seconds, and so accepts an older token if everything happened within one second; here every
    /// reuse is noticed.
    OneTime,
}

/// When wrong passwords and wrong codes lock a user. A locked user gets the answer for a wrong password. Refreshing keeps
/// working, and attempts during a lock do not prolong it. Correct credentials reset the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BruteForce {
    /// This many failures lock the user for `wait`, twice as many for twice as long, and so on.
    pub max_failures: u32,
    /// How long a lock lasts.
    pub wait: Duration,
    /// Two failures closer together than this lock the user for `wait` at once. Keycloak's own default is one second;
    /// here it is `None`, because tests make mistakes quickly.
    pub quick_login_check: Option<Duration>,
}

impl Default for BruteForce {
    fn default() -> Self {
        Self { max_failures: 30, wait: Duration::from_secs(60), quick_login_check: None }
    }
}

/// A user of the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Compared without regard to case.
    pub username: String,
    /// Compared byte by byte.
    pub password: String,
    /// Base32. A user with one needs a code (SHA-1, 6 digits, 30 s) to log in; each code works once.
    pub totp_secret: Option<String>,
    /// A disabled user can neither log in nor refresh.
    pub enabled: bool,
    /// Something the user has to do in a browser before the next login; refreshing keeps working.
    pub required_action: bool,
    /// Whether the user has the role `offline_access`: a login with the scope of that name opens a session without an end.
    pub offline_access: bool,
}

impl User {
    /// An enabled user without a second factor.
    pub fn new(username: &str, password: &str) -> Self {
        Self {
            username: username.to_owned(),
            password: password.to_owned(),
            totp_secret: None,
            enabled: true,
            required_action: false,
            offline_access: false,
        }
    }
}

/// A client of the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; `None` for a public client.
    pub secret: Option<String>,
    /// Whether the password grant is allowed.
    pub direct_grants: bool,
    /// Whether `client_credentials` is allowed; it never is for a public client.
    pub service_account: bool,
    /// The life of this client's access tokens, in place of [`Lifetimes::access`].
    pub access_lifespan: Option<Duration>,
}

impl Client {
    /// A public client with the password grant.
    pub fn public(id: &str) -> Self {
        Self { id: id.to_owned(), secret: None, direct_grants: true, service_account: false, access_lifespan: None }
    }

    /// A confidential client with a service account and without the password grant.
    pub fn confidential(id: &str, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), direct_grants: false, service_account: true, ..Self::public(id) }
    }
}
