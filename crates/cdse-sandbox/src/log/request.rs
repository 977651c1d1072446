use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::endpoint::{Endpoint, Grant};

/// One request that arrived, and what became of it. Form fields are kept as they came, including secrets: none of them is
/// real.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// The connection it came on; the first one is 1.
    pub connection: u64,
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
    /// Whether it was processed (see [`Counters`](crate::Counters)).
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
