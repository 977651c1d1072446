//! What the arguments and the environment say.

pub(crate) mod call;
pub(crate) mod candidates;
pub(crate) mod duration;
pub(crate) mod early;
pub(crate) mod global;
pub(crate) mod service;
pub(crate) mod usage;
pub(crate) mod variables;
