//! What is wrong with a request to the STAC API.

use serde_json::json;

use super::super::super::answer::Answer;

/// What is wrong with a request: the status, the code and a description.
pub(super) struct Problem(u16, &'static str, String);

impl Problem {
    pub(super) fn missing(what: &str, id: &str) -> Self {
        Self(404, "NotFoundError", format!("{what} {id} does not exist."))
    }

    pub(super) fn invalid(description: String) -> Self {
        Self(400, "RequestValidationError", description)
    }

    pub(super) fn answer(&self) -> Answer {
        let Self(status, code, description) = self;
        Answer::json(*status, &json!({ "code": code, "description": description }))
    }
}
