//! Sentences about why there is no token, and what to do.

use super::core::Core;
use super::shared::{Shared, logged_out};
use crate::clock::Millis;
use crate::endpoint::{blocked, is_blocked};
use crate::error::{Error, ErrorKind};
use crate::plan::{Attempt, Failure, View};
use crate::record::{Class, Grant, Record};

const HOUR: Millis = 3_600_000;

/// Nothing can be sent for the slot.
pub(super) fn nothing(core: &Core, shared: &Shared, view: &View<'_>) -> Error {
    let record = view.record;
    let means = core.means(shared, record, view.now);
    let why = if core.provider.grant() == Grant::AccessToken {
        "the fixed access token has ended or was refused, and it cannot be renewed; get a new one".to_owned()
    } else if means.spent {
        "the one-time code was used or is older than a minute; log in with a new one".to_owned()
    } else if record.out {
        return logged_out();
    } else if let Some(dead) = record.dead.as_ref().filter(|dead| is_blocked(&dead.words)) {
        return Error::new(ErrorKind::AccountBlocked, blocked(&dead.words));
    } else if let Some(dead) = &record.dead {
        dead_session(&dead.words)
    } else if record.seed.is_some() && record.seed == means.given {
        "the session of the given refresh token has no tokens any more; give a new refresh token".to_owned()
    } else if record.tokens.is_some() {
        "the session has ended; log in again".to_owned()
    } else {
        "nobody is logged in; log in first".to_owned()
    };
    Error::new(ErrorKind::ReauthRequired, why)
}

/// The refresh token was sent and its answer is not known.
pub(super) fn suspect(view: &View<'_>, cause: Option<&Error>) -> Error {
    let left = view.left() / 1000;
    let cause = cause.map_or("", |cause| cause.message().trim_end_matches("; try again later"));
    let what = if cause.is_empty() { "the answer to the last renewal was lost" } else { cause };
    let why = format!(
        "{what}; the token is valid for {left} s more and is used meanwhile, for asking again now could end the session: \
         try again shortly before its end"
    );
    Error::new(ErrorKind::Network, why)
}

fn dead_session(words: &str) -> String {
    match words {
        // The second is what the newest token gets after the first.
        "Maximum allowed refresh token reuse exceeded" | "Session doesn't have required client" => format!(
            "the session was ended because a one-time refresh token of it was used twice ({words}): a copy of the \
             session folder on another machine does that; log in again, on each machine by itself"
        ),
        "Stale token" => format!(
            "the session has ended ({words}): either everybody was logged out at the identity service, or a one-time \
             refresh token was used twice, as a copy of the session folder on another machine does; log in again, on \
             each machine by itself"
        ),
        "" => "the session has ended at the identity service; log in again".to_owned(),
        words => format!("the session has ended at the identity service ({words}); log in again"),
    }
}

/// What the record knows beyond the answer.
pub(super) fn refine(failure: Failure, before: &Record, attempt: &Attempt) -> Failure {
    let again = before.worked.filter(|worked| attempt.begun.wall.saturating_sub(worked.at) < HOUR).is_some();
    let lost_login = failure.class == Class::Lost && attempt.credentials.is_some() && !attempt.client;
    let suffix = match failure.error.kind() {
        ErrorKind::CredentialsRefused if again => {
            "; a login for this user worked within the last hour, so the account may also be full or locked for a moment"
        }
        _ if lost_login => "; a session may have been opened all the same: try again in a minute",
        _ => return failure,
    };
    let error = Error::new(failure.error.kind(), format!("{}{suffix}", failure.error));
    Failure { error, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e5_a_dead_session_says_why_and_what_to_do() {
        assert_eq!(dead_session(""), "the session has ended at the identity service; log in again");
        assert_eq!(dead_session("x"), "the session has ended at the identity service (x); log in again");
        for words in ["Maximum allowed refresh token reuse exceeded", "Session doesn't have required client"] {
            let twice = dead_session(words);
            assert!(twice.contains(&format!("was used twice ({words})")) && twice.contains("log in again"), "{twice}");
        }
    }

    #[test]
    fn field_h_words_that_have_two_causes_name_both() {
        let either = dead_session("Stale token");
        assert!(either.contains("everybody was logged out") && either.contains("used twice"), "{either}");
    }
}
