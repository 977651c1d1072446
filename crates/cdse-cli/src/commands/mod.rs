//! One command, one file.

pub(crate) mod auth;
pub(crate) mod completions;
pub(crate) mod help;
pub(crate) mod man;
pub(crate) mod sandbox;
