//! One command, one file.

pub(crate) mod auth;
pub(crate) mod completions;
pub(crate) mod exec;
pub(crate) mod help;
pub(crate) mod keeping;
pub(crate) mod man;
pub(crate) mod sandbox;
