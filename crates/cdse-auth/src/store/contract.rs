//! The contract of a store, as tests that run against any (feature `testing`).
//!
//! ```
//! use std::sync::Arc;
//! use cdse_auth::{MemoryTokenStore, store::contract};
//!
//! let store = MemoryTokenStore::new();
//! contract::check_simple(&|| Arc::new(store.clone()));
//! contract::check_records(&|| Arc::new(store.clone()));
//! ```

// A broken contract ends the test that asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, reason = "a suite of tests")]

use std::time::Duration;

use super::{Commit, RecordStore, TokenStore};
use crate::random::Random;
use crate::record::{Grant, Record, Slot};
use crate::sync::Arc;
use crate::token::TokenSet;

/// Opens the same storage, as another process would.
pub type Open<'a> = &'a (dyn Fn() -> Arc<dyn TokenStore> + Sync);

fn tokens(name: &str) -> TokenSet {
    // Long enough for a torn write to show.
    let text = format!("{name}-{}", "x".repeat(3000));
    TokenSet::new(text, Duration::from_secs(600)).unwrap().with_refresh_token(format!("refresh-of-{name}"), None)
}

/// The slot of this suite's records.
#[must_use]
pub fn slot() -> Slot {
    Slot {
        token_url: "https://id.example/token".to_owned(),
        client_id: "cdse-public".to_owned(),
        grant: Grant::Password,
        subject: Some("user@example.com".to_owned()),
    }
}

/// A record with tokens of that name, which continues `base`.
#[must_use]
pub fn record(base: Option<&Record>, name: &str) -> Record {
    let mut next = base.map_or_else(|| Record::new(Some(slot()), &Random::default()).next(), Record::next);
    next.tokens = Some(tokens(name));
    next
}

/// `load`, `save`, `clear`.
///
/// # Panics
///
/// When the store breaks the contract.
pub fn check_simple(open: Open<'_>) {
    let store = open();
    store.clear().unwrap();
    assert_eq!(store.load().unwrap(), None, "nothing is stored at first");
    store.clear().expect("clearing nothing is no error");
    store.save(&tokens("a")).unwrap();
    assert_eq!(
        open().load().unwrap().unwrap(),
        store.load().unwrap().unwrap(),
        "what was saved is there for everybody"
    );
    store.save(&tokens("b")).unwrap();
    assert!(open().load().unwrap().unwrap().access_token().starts_with("b-"), "saving replaces");
    store.clear().unwrap();
    assert_eq!(open().load().unwrap(), None, "what was cleared is gone for everybody");
}

/// Records: commit and Moved, concurrent readers and writers, guards.
///
/// # Panics
///
/// When the store breaks the contract, or is not a [`RecordStore`].
pub fn check_records(open: Open<'_>) {
    let store = open();
    let records = store.records().expect("a store of records");
    start_empty(records);
    commits_are_fenced(open, records);
    readers_see_whole_records(open);
    guards_exclude(open, records);
}

fn start_empty(records: &dyn RecordStore) {
    if let Some(stored) = records.read(&slot()).unwrap() {
        let mut out = stored.next();
        out.tokens = None;
        assert_eq!(records.commit(&slot(), Some(stored.version()), &out).unwrap(), Commit::Done);
    }
}

fn commits_are_fenced(open: Open<'_>, records: &dyn RecordStore) {
    let before = records.read(&slot()).unwrap();
    let base = before.as_ref().map(Record::version);
    let first = record(before.as_ref(), "first");
    assert_eq!(records.commit(&slot(), base, &first).unwrap(), Commit::Done);
    assert_eq!(open().records().unwrap().read(&slot()).unwrap().as_ref(), Some(&first), "everybody reads it");
    let late = record(before.as_ref(), "late");
    assert_eq!(records.commit(&slot(), base, &late).unwrap(), Commit::Moved, "the base is gone");
    assert_eq!(records.read(&slot()).unwrap().as_ref(), Some(&first), "and nothing was written");
    let second = record(Some(&first), "second");
    assert_eq!(records.commit(&slot(), Some(first.version()), &second).unwrap(), Commit::Done);
    assert_eq!(records.commit(&slot(), None, &first).unwrap(), Commit::Moved, "something is stored");
    let other = Slot { subject: Some("else@example.com".to_owned()), ..slot() };
    assert_ne!(records.read(&other).ok().flatten().as_ref(), Some(&second), "another slot gets no token of this one");
}

fn readers_see_whole_records(open: Open<'_>) {
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let store = open();
            let records = store.records().unwrap();
            for nth in 0..50 {
                let base = records.read(&slot()).unwrap();
                let next = record(base.as_ref(), &format!("w{nth}"));
                let _ = records.commit(&slot(), base.as_ref().map(Record::version), &next).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let store = open();
                for _ in 0..200 {
                    let read = store.records().unwrap().read(&slot()).expect("no torn record");
                    assert!(read.expect("never nothing").tokens().is_some());
                }
            });
        }
        writer.join().unwrap();
    });
}

fn guards_exclude(open: Open<'_>, records: &dyn RecordStore) {
    let held = records.try_guard(&slot()).unwrap().expect("nobody holds it");
    assert!(open().records().unwrap().try_guard(&slot()).unwrap().is_none(), "one holder at a time");
    assert!(held.holds_for(Duration::from_secs(25)), "it lasts for an exchange");
    drop(held);
    drop(records.try_guard(&slot()).unwrap().expect("given back on drop"));
}
