//! What the stored record says from one moment to the next: it is read as any process may read it, a thousand times a
//! second.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::crowd::{Place, now};

/// What it has seen.
#[derive(Default, Debug)]
pub(crate) struct Watched {
    /// Access tokens.
    pub(crate) tokens: u64,
    /// Sessions whose refresh token was refused.
    pub(crate) lost: u64,
    /// From when to when nobody could be logged in.
    pub(crate) nobody: Vec<(u64, u64)>,
    /// What no reader may ever see.
    pub(crate) torn: Vec<String>,
}

/// What others look at meanwhile.
#[derive(Default)]
pub(crate) struct Sight {
    /// Somebody is logged in.
    pub(crate) logged_in: AtomicBool,
    /// The process that is about to send something, or waits for the answer.
    pub(crate) exchanging: AtomicU32,
}

/// The record in the file; `None` while there is none.
pub(crate) fn record(file: &Path) -> Result<Option<Value>, String> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| format!("{} bytes: {error}", text.len())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The process whose exchange has no outcome yet, and whether it logs in.
pub(crate) fn exchange(record: &Value) -> Option<(u32, bool)> {
    let suspect = record.get("suspect").filter(|mark| mark["lost"] != true)?;
    let (process, _) = suspect["by"].as_str()?.split_once('@')?;
    Some((process.parse().ok()?, suspect["sent"] == "login"))
}

pub(crate) fn watch(place: &Place, sight: &Sight, over: &AtomicBool) -> Watched {
    let mut watched = Watched::default();
    let (mut known, mut version, mut before) = (None, None, Value::Null);
    let mut nobody_since = Some(now());
    while !over.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(1));
        let found = fs::metadata(&place.session).ok().map(|file| (file.ino(), file.mtime(), file.mtime_nsec()));
        let file_is_new = found != known;
        known = found;
        if file_is_new {
            match record(&place.session) {
                Ok(Some(record)) => {
                    see(&mut watched, &before, &record);
                    let next = (record["lineage"].as_u64(), record["generation"].as_u64());
                    if version.is_some_and(|(lineage, generation)| lineage == next.0 && generation > next.1) {
                        watched.torn.push(format!("generation {:?} came after {version:?}", next.1));
                    }
                    version = Some(next);
                    sight.exchanging.store(exchange(&record).map_or(0, |(process, _)| process), Ordering::SeqCst);
                    before = record;
                }
                Ok(None) if before.is_null() => {}
                Ok(None) => watched.torn.push("there was no record".to_owned()),
                Err(error) => watched.torn.push(error),
            }
        }
        let lives = before["tokens"].is_object() && before["dead"].is_null();
        let logged_in = lives && place.profile.exists();
        sight.logged_in.store(logged_in, Ordering::SeqCst);
        match nobody_since {
            Some(since) if logged_in => {
                watched.nobody.push((since, now()));
                nobody_since = None;
            }
            None if !logged_in => nobody_since = Some(now()),
            _ => {}
        }
    }
    watched.nobody.extend(nobody_since.map(|since| (since, now())));
    watched
}

fn see(watched: &mut Watched, before: &Value, record: &Value) {
    watched.lost += u64::from(!record["dead"].is_null() && before["dead"] != record["dead"]);
    let (old, new) = (&before["tokens"], &record["tokens"]);
    if !new.is_object() || old["access_token"] == new["access_token"] {
        return;
    }
    watched.tokens += 1;
}
