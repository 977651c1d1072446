//! The realm: its users, clients, sessions and tokens, and the rules between them. Nothing here knows HTTP, and the
//! time is an argument everywhere.

mod account;
mod bearer;
mod claims;
mod client;
mod clients;
mod contents;
mod jwt;
mod lockout;
mod login;
mod logout;
mod mint;
mod refresh;
mod refusal;
mod revoke;
mod scope;
mod service_account;
mod session;
mod sessions;
mod tables;
mod time;
mod user;
mod users;

pub(crate) use account::AccountSession;
pub use account::SessionView;
pub(crate) use bearer::BearerRefusal;
pub(crate) use contents::Realm;
pub(crate) use login::PasswordGrant;
pub(crate) use mint::TokenAnswer;
pub(crate) use refusal::Refusal;
pub(crate) use time::Seconds;
