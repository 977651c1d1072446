//! Why something is refused.

/// The cause of a refusal, finer than what the client gets to see of it: several causes share one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    // Of any grant.
    MissingGrantType,
    UnsupportedGrantType,
    DuplicatedParameter,
    InvalidClient,
    WrongClientSecret,
    // Of logging in.
    NoDirectGrants,
    InvalidScopes(String),
    OfflineNotAllowed,
    MissingUsername,
    WrongCredentials,
    Locked,
    UsedCode,
    AccountDisabled,
    AccountNotSetUp,
    TooManySessions,
    // Of service accounts.
    PublicClient,
    NoServiceAccount,
    // Of the device flow.
    DeviceFlowDisabled,
    // Of refreshing and logging out.
    NoRefreshToken,
    InvalidRefreshToken,
    OtherClientsToken,
    TokenNotActive,
    StaleToken,
    SessionNotActive,
    OfflineSessionNotFound,
    UserDisabled,
    ClientNotInSession,
    ReuseOfLast,
    ReuseOfOlder,
    // Of revoking.
    TokenNotProvided,
    UnmatchingClients,
    NothingToRevoke,
}

impl Refusal {
    /// Whether it is about a refresh token that worked once and was sent again.
    pub(crate) fn is_reuse(&self) -> bool {
        matches!(self, Self::ReuseOfLast | Self::ReuseOfOlder)
    }
}
