//! The realm: its users, clients, sessions and tokens, and the rules between them. Nothing here knows HTTP, and the
//! time is an argument everywhere.

mod account;
mod bearer;
mod claims;
mod clients;
mod contents;
mod jwt;
mod lockout;
mod login;
mod mint;
mod refresh;
mod refusal;
mod revoke;
mod scope;
mod sessions;
mod tables;
mod time;
mod user;
mod users;

pub(crate) use account::AccountSession;
pub use account::SessionView;
pub(crate) use bearer::BearerRefusal;
pub(crate) use claims::Object;
pub(crate) use contents::{ClientIndex, Realm};
pub(crate) use login::PasswordGrant;
pub(crate) use refusal::Refusal;
pub(crate) use time::Seconds;
