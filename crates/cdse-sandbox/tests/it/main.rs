//! The service through real sockets, one behaviour per test, on a clock that stands still until it is advanced.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod account;
mod bearer;
mod brute_force;
mod client;
mod connections;
mod control;
mod data_catalogue;
mod data_download;
mod data_faults;
mod data_stac;
mod faults;
mod grants;
mod log;
mod logout;
mod offline;
mod refresh;
mod revoke;
mod rotation;
mod session_limit;
mod totp;
