use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::json;

/// What happens to a request that meets a [`Fault`](crate::Fault). *Processed* means that the service did what the request
/// asks for, including sessions, rotation and counters, whatever answer the client gets.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields, expecting = "internally tagged enum ActionJson")]
pub enum Action {
    /// This answer instead of the service's; the request is not processed.
    #[serde(deserialize_with = "json::answer")]
    Answer {
        /// Its status.
        status: u16,
        /// Its headers; `content-length` is added.
        headers: Vec<(String, String)>,
        /// Its body.
        body: Vec<u8>,
    },
    /// This answer instead of the service's, after processing: as a load balancer's 502 after the service has done the work.
    #[serde(deserialize_with = "json::answer")]
    AnswerAfter {
        /// Its status.
        status: u16,
        /// Its headers; `content-length` is added.
        headers: Vec<(String, String)>,
        /// Its body.
        body: Vec<u8>,
    },
    /// An answer of `bytes` bytes of filler without a `content-length`; not processed.
    Endless {
        /// Its status.
        status: u16,
        /// Its `content-type`.
        content_type: String,
        /// Its length.
        bytes: u64,
    },
    /// Real time passes before the request is processed as usual. A client that disconnects meanwhile is not served.
    #[serde(deserialize_with = "json::span")]
    Delay(Duration),
    /// Processed at once; real time passes before the answer is sent.
    #[serde(deserialize_with = "json::span")]
    DelayAnswer(Duration),
    /// The answer's head announces the whole body, `body_bytes` bytes of it follow, then the connection is closed.
    Torn {
        /// Whether the request is processed. If not, a body of the usual size for a token answer is announced.
        processed: bool,
        /// How much of the body is sent.
        body_bytes: usize,
    },
    /// The connection is reset (RST) without an answer.
    Reset {
        /// Whether the request is processed before.
        processed: bool,
    },
    /// There is no answer until the client disconnects or the sandbox stops.
    Stall {
        /// Whether the request is processed before.
        processed: bool,
    },
    /// Processed, and the JSON object of a 200 answer is changed before it is sent, with its keys in alphabetical order.
    #[serde(skip)]
    EditBody(Edit),
}

impl Action {
    /// [`Action::Answer`] with a JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Answer {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into_bytes(),
        }
    }

    /// [`Action::Answer`] with an HTML page, as balancers send it.
    pub fn page(status: u16) -> Self {
        Self::Answer { status, headers: page_headers(), body: page(status) }
    }

    /// [`Action::AnswerAfter`] with an HTML page, as balancers send it.
    pub fn page_after(status: u16) -> Self {
        Self::AnswerAfter { status, headers: page_headers(), body: page(status) }
    }

    /// [`Action::EditBody`] from a closure.
    pub fn edit(edit: impl Fn(&mut Map<String, Value>) + Send + Sync + 'static) -> Self {
        Self::EditBody(Edit(Arc::new(edit)))
    }

    /// Whether it can be sent at all; says what cannot.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (status, headers) = match self {
            Self::Answer { status, headers, .. } | Self::AnswerAfter { status, headers, .. } => (*status, &headers[..]),
            Self::Endless { status, .. } => (*status, &[][..]),
            _ => return Ok(()),
        };
        if !(200..=999).contains(&status) {
            return Err(format!("{status} is not a status that an answer may have"));
        }
        for (name, value) in headers {
            let valid = HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok();
            let framing = ["content-length", "transfer-encoding"].iter().any(|own| name.eq_ignore_ascii_case(own));
            if !valid || framing {
                return Err(format!("{name:?}: {value:?} is not a header that an answer may have"));
            }
        }
        Ok(())
    }

    /// Its name in the log and in the control interface.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer",
            Self::AnswerAfter { .. } => "answer_after",
            Self::Endless { .. } => "endless",
            Self::Delay(_) => "delay",
            Self::DelayAnswer(_) => "delay_answer",
            Self::Torn { .. } => "torn",
            Self::Reset { .. } => "reset",
            Self::Stall { .. } => "stall",
            Self::EditBody(_) => "edit_body",
        }
    }
}

fn page_headers() -> Vec<(String, String)> {
    vec![("content-type".to_owned(), "text/html".to_owned())]
}

fn page(status: u16) -> Vec<u8> {
    format!("<html><body><h1>{status}</h1></body></html>\n").into_bytes()
}

/// The closure of [`Action::EditBody`]; [`Action::edit`] makes both.
#[derive(Clone)]
pub struct Edit(Arc<Change>);

type Change = dyn Fn(&mut Map<String, Value>) + Send + Sync;

impl Edit {
    pub(crate) fn apply(&self, body: &mut Map<String, Value>) {
        (self.0)(body);
    }
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit(..)")
    }
}
