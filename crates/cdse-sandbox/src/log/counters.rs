use serde::Serialize;

/// What happened since the service was started or since [`Sandbox::clear_log`](crate::Sandbox::clear_log). A request is
/// *processed* when it reached the service's rules; one that a fault kept from them only counts as having arrived.
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
    /// Password grants refused, for any reason.
    pub login_failures: u64,
    /// Refresh grants that gave new tokens.
    pub refreshes_ok: u64,
    /// Refresh grants refused, for any reason.
    pub refresh_failures: u64,
    /// Client-credentials grants that gave a token.
    pub client_credentials_ok: u64,
    /// One-time refresh tokens that were sent again.
    pub reuse_detected: u64,
    /// TOTP codes that were sent again.
    pub totp_reused: u64,
    /// Sessions ended by the logout endpoint.
    pub logouts: u64,
    /// Sessions open now, including those that lost their client.
    pub sessions_open: u64,
    /// The highest number of token requests at one time. Requests are processed one by one and at once, so that only those
    /// overlap that wait for [`Config::latency`](crate::Config::latency) or a fault.
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
