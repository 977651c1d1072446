//! What a session is opened for.

/// What a session is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Mode {
    /// A program that runs for a while: a token is renewed ahead of its end, when it is used.
    #[default]
    Program,
    /// A command that uses it once: nothing is renewed ahead.
    OneShot,
    /// A command that neither renews nor logs in: no program is run for a password, and [`Environment::timeout`](crate::Environment::timeout) bounds each
    /// request.
    Inspect,
    /// A program that needs a token at every moment: it is renewed whether it is used or not.
    KeepAlive,
    /// The same, and the session is kept in memory: it is this process's alone.
    InMemory,
}

impl Mode {
    pub(crate) fn is_kept_alive(self) -> bool {
        matches!(self, Self::KeepAlive | Self::InMemory)
    }

    pub(crate) fn is_one_shot(self) -> bool {
        matches!(self, Self::OneShot | Self::Inspect)
    }
}
