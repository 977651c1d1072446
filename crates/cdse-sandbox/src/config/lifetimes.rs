use std::time::Duration;

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
