//! The control interface, as the crate's documentation describes it.

use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::Answer;
use super::form;
use crate::config::Lifetimes;
use crate::fault::Fault;
use crate::state::Core;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LifetimesJson {
    access: Option<u64>,
    idle: Option<u64>,
    max: Option<u64>,
}

pub(super) fn answer(core: &mut Core, method: &Method, path: &str, body: &[u8]) -> Answer {
    let done = match (method.as_str(), path) {
        ("GET", "counters") => Ok(Answer::json(200, &core.counters())),
        ("GET", "requests") => Ok(Answer::json(200, &core.record.requests())),
        ("DELETE", "requests") => {
            core.record.clear();
            Ok(Answer::empty(204))
        }
        ("GET", "sessions") => Ok(Answer::json(200, &core.realm.session_views(core.seconds()))),
        ("DELETE", "sessions") => {
            core.realm.restart();
            Ok(Answer::empty(204))
        }
        ("POST", "faults") => script(core, body),
        ("DELETE", "faults") => {
            core.faults.clear();
            Ok(Answer::empty(204))
        }
        ("POST", "advance") => parse(body).and_then(|Advance { seconds }| {
            core.advance(span(seconds)?);
            Ok(Answer::json(200, &json!({ "now": core.seconds() })))
        }),
        ("POST", "lifetimes") => parse(body).and_then(|change| lifetimes(core, &change)),
        ("GET", path) if path.starts_with("totp/") => Ok(totp(core, &path["totp/".len()..])),
        _ => Ok(Answer::prose(404, "unknown path below /sandbox")),
    };
    done.unwrap_or_else(|error| Answer::prose(400, &error))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// One fault, or several in an array.
fn script(core: &mut Core, body: &[u8]) -> Result<Answer, String> {
    let faults: Vec<Fault> = match parse(body)? {
        list @ Value::Array(_) => serde_json::from_value(list),
        one => serde_json::from_value(one).map(|one| vec![one]),
    }
    .map_err(|error| error.to_string())?;
    faults.iter().try_for_each(|fault| fault.action.check())?;
    for fault in faults {
        core.faults.push(fault);
    }
    Ok(Answer::empty(204))
}

/// No calendar is left by moving the clock a few times.
fn span(seconds: u64) -> Result<Duration, String> {
    const LONGEST: u64 = 100 * 366 * 24 * 3600;
    if seconds <= LONGEST { Ok(Duration::from_secs(seconds)) } else { Err(format!("at most {LONGEST} seconds")) }
}

fn lifetimes(core: &mut Core, change: &LifetimesJson) -> Result<Answer, String> {
    let old = core.realm.lifetimes;
    let new = Lifetimes {
        access: change.access.map_or(Ok(old.access), span)?,
        idle: change.idle.map_or(Ok(old.idle), span)?,
        max: change.max.map_or(Ok(old.max), span)?,
    };
    core.realm.lifetimes = new;
    let lives = json!({ "access": new.access.as_secs(), "idle": new.idle.as_secs(), "max": new.max.as_secs() });
    Ok(Answer::json(200, &lives))
}

fn totp(core: &Core, username: &str) -> Answer {
    match core.realm.totp_code(core.seconds(), &form::decode(username.as_bytes())) {
        Some(code) => Answer::json(200, &json!({ "code": code })),
        None => Answer::prose(404, "unknown user, or a user without a TOTP secret"),
    }
}
