//! What is written: results, messages, errors and exit codes.

pub(crate) mod colour;
pub(crate) mod exit_code;
pub(crate) mod explain;
pub(crate) mod fail;
pub(crate) mod name;
pub(crate) mod output;
pub(crate) mod passing;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod verbose;
