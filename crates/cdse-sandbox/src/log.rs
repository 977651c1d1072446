//! What the service saw, counted and listed. The log is bounded, and addressed by serial numbers that survive its clearing.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::endpoint::{Endpoint, Grant};
use crate::host::Host;

/// One request that arrived, and what became of it. Form fields are kept as they came, including secrets: none of them is
/// real.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// The connection it came on; the first one is 1.
    pub connection: u64,
    /// The host it came to.
    pub host: Host,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The grant, at the token endpoint.
    pub grant: Option<Grant>,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The decoded form fields, in the order in which they came.
    pub form: Vec<(String, String)>,
    /// The `Accept` header.
    pub accept: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// Whether there was an `Authorization` header.
    pub authorization: bool,
    /// Whether it carried a cookie.
    pub cookie: bool,
    /// The status of the answer; `None` while there is none, and for a request that got none.
    pub status: Option<u16>,
    /// Whether it was processed (see [`Counters`]).
    pub processed: bool,
    /// The kind of fault it met, named as in the control interface.
    pub fault: Option<&'static str>,
    /// When it had arrived in full, by the service's clock.
    #[serde(serialize_with = "unix_seconds")]
    pub started: SystemTime,
    /// When its answer was handed to the connection or its client was seen to be gone, by the service's clock.
    #[serde(serialize_with = "unix_seconds")]
    pub finished: Option<SystemTime>,
}

impl Request {
    /// The first form field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn unix_seconds<S: Serializer>(
    time: &(impl Copy + Into<Option<SystemTime>>),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let time: Option<SystemTime> = (*time).into();
    time.map(|time| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()).serialize(serializer)
}

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
    /// Requests for the contents of a product, or of a part of one, that the download host served.
    pub downloads_ok: u64,
    /// Requests for the contents of a product, or of a part of one, that the download host refused.
    pub downloads_refused: u64,
    /// The highest number of contents that were on their way at one time.
    pub max_concurrent_downloads: u64,
    /// TCP connections accepted.
    pub connections: u64,
}

/// Names an entry of the log for as long as the service runs.
pub(crate) type Serial = u64;

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) counters: Counters,
    /// Token requests under way now; not part of the counters, because clearing those must not forget it.
    concurrent: u64,
    /// Connections accepted since the service was started.
    connections: u64,
    requests: VecDeque<Request>,
    first: u64,
    capacity: usize,
}

impl Record {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            counters: Counters::default(),
            concurrent: 0,
            connections: 0,
            requests: VecDeque::new(),
            first: 0,
            capacity,
        }
    }

    /// Counts a connection, and numbers it.
    pub(crate) fn connect(&mut self) -> u64 {
        self.counters.connections += 1;
        self.connections += 1;
        self.connections
    }

    pub(crate) fn enter(&mut self, request: Request) -> Serial {
        let serial = self.first + self.requests.len() as u64;
        self.requests.push_back(request);
        while self.requests.len() > self.capacity {
            self.requests.pop_front();
            self.first += 1;
        }
        serial
    }

    /// The entry, unless it has been cleared away.
    pub(crate) fn entry(&mut self, serial: Serial) -> Option<&mut Request> {
        let index = usize::try_from(serial.checked_sub(self.first)?).ok()?;
        self.requests.get_mut(index)
    }

    pub(crate) fn token_request_begins(&mut self) {
        self.concurrent += 1;
        self.counters.token_requests += 1;
        let most = &mut self.counters.max_concurrent_token_requests;
        *most = self.concurrent.max(*most);
    }

    pub(crate) fn token_request_ends(&mut self) {
        self.concurrent -= 1;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.first += self.requests.len() as u64;
        self.requests.clear();
        self.counters = Counters::default();
    }
}
