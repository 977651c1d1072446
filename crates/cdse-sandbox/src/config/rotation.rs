/// How often a refresh token works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    /// Until it expires: every refresh returns a new one, and the older ones keep working.
    #[default]
    Off,
    /// Once (`revokeRefreshToken`, reuse 0). A second use removes the client from its session: the newest refresh token and all
    /// access tokens become invalid, while the session itself stays open, without clients, until it is logged out or expires.
    ///
    /// Keycloak compares whole seconds, and so accepts an older token if everything happened within one second; here every
    /// reuse is noticed.
    OneTime,
}
