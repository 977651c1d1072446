//! What is wrong with a request to the catalogue, and how it says so.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::super::answer::Answer;

#[derive(Debug)]
pub(super) enum Problem {
    /// Found before the query is looked at: where, what kind, in which words, and in what.
    Invalid { kind: &'static str, place: [&'static str; 2], message: String, input: String },
    /// By the query itself.
    Refused(u16, String),
}

#[derive(Serialize)]
struct Details<'a> {
    detail: [Detail<'a>; 1],
}

#[derive(Serialize)]
struct Detail<'a> {
    r#type: &'a str,
    loc: &'a [&'a str],
    msg: &'a str,
    input: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Value>,
}

impl Problem {
    pub(super) fn invalid(kind: &'static str, place: [&'static str; 2], message: &str, input: &str) -> Self {
        Self::Invalid { kind, place, message: message.to_owned(), input: input.to_owned() }
    }

    pub(super) fn answer(&self, request_id: &str) -> Answer {
        match self {
            Self::Invalid { kind, place, message, input } => {
                let ctx = kind.ends_with("_equal").then(|| json!({ "error": {} }));
                Answer::json(422, &Details { detail: [Detail { r#type: kind, loc: place, msg: message, input, ctx }] })
            }
            Self::Refused(status, message) => {
                Answer::json(*status, &json!({ "detail": { "message": message, "request_id": request_id } }))
            }
        }
    }
}
