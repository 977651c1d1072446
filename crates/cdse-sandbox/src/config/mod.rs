//! What the service is started with.

mod brute_force;
mod client;
mod lifetimes;
mod rotation;
mod user;
mod version;

use std::time::Duration;

pub use brute_force::BruteForce;
pub use client::Client;
pub use lifetimes::Lifetimes;
pub use rotation::Rotation;
pub use user::User;
pub use version::KeycloakVersion;

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
    /// The port on 127.0.0.1; 0 takes a free one.
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
        }
    }
}
