//! The command line against the embedded service, through the real binary.
//!
//! Tests are named by the rule they hold (docs/rules.md).

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test whose help cannot go on has failed")]

mod accounts;
mod completion;
mod core_dump;
mod credentials;
mod doctor;
mod exec;
mod exit_codes;
mod feeding;
mod help;
mod input;
mod journey;
mod keyring;
mod killed;
mod library;
mod messages;
mod netrc;
mod network;
mod places;
mod precedence;
mod processes;
mod rig;
mod sandbox;
mod schema;
mod sessions;
mod status;
mod stores;
mod support;
mod terminal;
mod users;
mod verbose;
mod waiting;
mod wants;
mod words;
