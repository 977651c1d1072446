//! What the service saw, counted and listed.

mod counters;
mod record;
mod request;

pub use counters::Counters;
pub(crate) use record::{Record, Serial};
pub use request::Request;
