//! Sentences about why there is no token, and what to do.

use super::core::Core;
use super::shared::{Shared, logged_out};
use crate::clock::Millis;
use crate::endpoint::{blocked, is_blocked};
use crate::error::{Error, ErrorKind};
use crate::plan::{Attempt, Failure, MAY_BE_OPEN, View};
use crate::provider::given_refresh_token;
use crate::record::{Class, Grant, Record};

const HOUR: Millis = 3_600_000;

/// Nothing can be sent for the slot.
pub(super) fn nothing(core: &Core, shared: &Shared, view: &View<'_>) -> Error {
    let record = view.record;
    let means = core.means(shared, record, view.now);
    let (why, hint) = if core.provider.grant() == Grant::AccessToken {
        ("the fixed access token has ended or was refused, and it cannot be renewed", "get a new one")
    } else if means.spent {
        ("the one-time code was used or is older than a minute", "log in with a new one")
    } else if record.out {
        return logged_out();
    } else if let Some(dead) = record.dead.as_ref().filter(|dead| is_blocked(&dead.words)) {
        return blocked(&dead.words);
    } else if let Some(dead) = &record.dead {
        return dead_session(&dead.words);
    } else if record.seed.is_some() && record.seed == means.given {
        ("the session of the given refresh token has no tokens any more", "give a new refresh token")
    } else if means.given.is_none() && matches!(given_refresh_token(core.provider.as_ref()), Ok(Some(_))) {
        let why = "the given refresh token belongs to the process that forked this one, for it may work only once";
        (why, "keep the session in a file, which processes share")
    } else if record.tokens.is_some() {
        ("the session has ended", "log in again")
    } else {
        ("there is no session", "log in first")
    };
    Error::new(ErrorKind::ReauthRequired, why).with_hint(hint)
}

/// The refresh token was sent and its answer is not known.
pub(super) fn suspect(view: &View<'_>, cause: Option<&Error>) -> Error {
    let left = view.left() / 1000;
    let what = cause.map_or("the answer to the last renewal was lost", Error::message);
    let error = Error::new(ErrorKind::Network, format!("{what}; the access token is valid for {left} s more"));
    let error = error.with_hint("try again shortly before its end: another renewal now could end the session");
    match cause {
        Some(cause) => error.with_source(cause.clone()),
        None => error,
    }
}

fn dead_session(words: &str) -> Error {
    let each = "log in again, on each machine separately";
    let (why, hint) = match words {
        // The second is what the newest token gets after the first.
        "Maximum allowed refresh token reuse exceeded" | "Session doesn't have required client" => {
            let why = format!(
                "the session was ended because one of its one-time refresh tokens was used twice ({words}); a copy of the \
                 session folder on another machine causes that"
            );
            (why, each)
        }
        "Stale token" => {
            let why = format!(
                "the session has ended ({words}): either all users were logged out at the identity service, or a one-time \
                 refresh token was used twice, which a copy of the session folder on another machine causes"
            );
            (why, each)
        }
        "" => ("the session has ended at the identity service".to_owned(), "log in again"),
        words => (format!("the session has ended at the identity service ({words})"), "log in again"),
    };
    Error::new(ErrorKind::ReauthRequired, why).with_hint(hint)
}

/// What the record knows beyond the answer.
pub(super) fn refine(failure: Failure, before: &Record, attempt: &Attempt) -> Failure {
    let again = before.worked.filter(|worked| attempt.begun.wall.saturating_sub(worked.at) < HOUR).is_some();
    let lost_login = failure.class == Class::Lost && attempt.credentials.is_some() && !attempt.client;
    let error = match failure.error.kind() {
        ErrorKind::CredentialsRefused if again => failure.error.retold(|message| {
            format!(
                "{message}; a login of this user worked within the last hour, so the account may also be full or locked for \
                 a short time"
            )
        }),
        _ if lost_login => {
            let error = failure.error.retold(|message| format!("{message}; {MAY_BE_OPEN}"));
            let hint = error.hint().map_or_else(String::new, |hint| format!("{hint}, then "));
            error.with_hint(format!("{hint}try again in a minute"))
        }
        _ => return failure,
    };
    Failure { error, ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e5_a_dead_session_says_why_and_what_to_do() {
        assert_eq!(dead_session("").to_string(), "the session has ended at the identity service; log in again");
        assert_eq!(dead_session("x").to_string(), "the session has ended at the identity service (x); log in again");
        for words in ["Maximum allowed refresh token reuse exceeded", "Session doesn't have required client"] {
            let twice = dead_session(words).to_string();
            assert!(twice.contains(&format!("was used twice ({words})")) && twice.contains("log in again"), "{twice}");
        }
    }

    #[test]
    fn field_h_words_that_have_two_causes_name_both() {
        let either = dead_session("Stale token").to_string();
        assert!(either.contains("all users were logged out") && either.contains("used twice"), "{either}");
    }
}
