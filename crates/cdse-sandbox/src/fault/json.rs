//! Faults as the control interface takes them.

use std::time::Duration;

use serde::Deserialize;

use super::{Action, Fault};
use crate::endpoint::{Endpoint, Grant};

/// A [`Fault`] in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultJson {
    #[serde(default = "token")]
    endpoint: Endpoint,
    grant: Option<Grant>,
    #[serde(default = "once")]
    times: u32,
    action: ActionJson,
}

fn token() -> Endpoint {
    Endpoint::Token
}

fn once() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum ActionJson {
    Answer(AnswerJson),
    AnswerAfter(AnswerJson),
    Endless { status: u16, content_type: String, bytes: u64 },
    Delay { milliseconds: u64 },
    DelayAnswer { milliseconds: u64 },
    Torn { processed: bool, body_bytes: usize },
    Reset { processed: bool },
    Stall { processed: bool },
}

#[derive(Deserialize)]
struct AnswerJson {
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
}

impl From<FaultJson> for Fault {
    fn from(json: FaultJson) -> Self {
        let action = match json.action {
            ActionJson::Answer(AnswerJson { status, headers, body }) => {
                Action::Answer { status, headers, body: body.into_bytes() }
            }
            ActionJson::AnswerAfter(AnswerJson { status, headers, body }) => {
                Action::AnswerAfter { status, headers, body: body.into_bytes() }
            }
            ActionJson::Endless { status, content_type, bytes } => Action::Endless { status, content_type, bytes },
            ActionJson::Delay { milliseconds } => Action::Delay(Duration::from_millis(milliseconds)),
            ActionJson::DelayAnswer { milliseconds } => Action::DelayAnswer(Duration::from_millis(milliseconds)),
            ActionJson::Torn { processed, body_bytes } => Action::Torn { processed, body_bytes },
            ActionJson::Reset { processed } => Action::Reset { processed },
            ActionJson::Stall { processed } => Action::Stall { processed },
        };
        Self { endpoint: json.endpoint, grant: json.grant, times: json.times, action }
    }
}
