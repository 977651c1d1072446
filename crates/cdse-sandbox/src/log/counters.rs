use serde::Serialize;

/// The service's own account of what happened since it was started or since
/// [`Sandbox::clear_log`](crate::Sandbox::clear_log). A request is *processed* when the service's rules saw it; one
/// that a fault kept from them only counts as having arrived.
///
/// `logins_ok + login_failures == password_grants` and `refreshes_ok + refresh_failures == refresh_grants`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests that arrived at the token endpoint, processed or not.
    pub token_requests: u64,
    /// Password grants processed.
    pub password_grants: u64,
    /// Refresh grants processed.
    pub refresh_grants: u64,
    /// Client-credentials grants processed.
    pub client_credentials_grants: u64,
    /// Password grants that opened a session.
    pub logins_ok: u64,
    /// Password grants refused, for whatever reason.
    pub login_failures: u64,
    /// Refresh grants that gave new tokens.
    pub refreshes_ok: u64,
    /// Refresh grants refused, for whatever reason.
    pub refresh_failures: u64,
    /// Client-credentials grants that gave a token.
    pub client_credentials_ok: u64,
    /// Refresh tokens sent again although they work once.
    pub reuse_detected: u64,
    /// TOTP codes sent again although they work once.
    pub totp_reused: u64,
    /// Sessions that ended because the logout endpoint was asked to.
    pub logouts: u64,
    /// Sessions open now, those that lost their client included.
    pub sessions_open: u64,
    /// The most token requests that were under way at the same time. Requests are processed in no time and one by one,
    /// so that only those are seen together which wait: for [`Config::latency`](crate::Config::latency) or a fault.
    pub max_concurrent_token_requests: u64,
    /// Requests for the protected resource that were served.
    pub resource_ok: u64,
    /// Requests for the protected resource that were refused.
    pub resource_refused: u64,
    /// Requests that met a scripted fault.
    pub faults_met: u64,
    /// TCP connections accepted.
    pub connections: u64,
}
