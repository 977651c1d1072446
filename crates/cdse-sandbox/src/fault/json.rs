//! What the control interface writes in another way than Rust does.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
struct AnswerJson {
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    milliseconds: u64,
}

type Answer = (u16, Vec<(String, String)>, Vec<u8>);

pub(super) fn answer<'de, D: Deserializer<'de>>(json: D) -> Result<Answer, D::Error> {
    AnswerJson::deserialize(json).map(|answer| (answer.status, answer.headers, answer.body.into_bytes()))
}

pub(super) fn span<'de, D: Deserializer<'de>>(json: D) -> Result<Duration, D::Error> {
    Span::deserialize(json).map(|span| Duration::from_millis(span.milliseconds))
}
