//! This process and its surroundings: signals, children, the terminal, standard input.

pub(crate) mod child;
pub(crate) mod hardening;
pub(crate) mod input;
pub(crate) mod signals;
pub(crate) mod terminal;
