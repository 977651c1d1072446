//! The service through real sockets, one behaviour per test, on a clock that stands still until it is advanced.

mod account;
mod bearer;
mod brute_force;
mod client;
mod connections;
mod control;
mod faults;
mod grants;
mod log;
mod logout;
mod refresh;
mod revoke;
mod rotation;
mod session_limit;
mod totp;
