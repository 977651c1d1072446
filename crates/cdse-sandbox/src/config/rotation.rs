/// How often a refresh token works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    /// Until it expires: every refresh gives a new one, and the older ones go on working.
    #[default]
    Off,
    /// Once (`revokeRefreshToken`, reuse 0). Using one again takes the client out of its session: the newest refresh
    /// token and all access tokens die with it, while the session itself stays open, without clients, until it is
    /// logged out or runs out.
    ///
    /// Keycloak compares whole seconds and so accepts a token that is two behind if everything happened within one
    /// second; here every reuse is noticed.
    OneTime,
}
