/// The version of Keycloak whose answers are given. Versions differ: a wrong password is 400 or 401, the session limit is a
/// page or a JSON error, `/revoke` ends one session or all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeycloakVersion {
    /// 26.7.3.
    #[default]
    V26,
    /// 21.1.2, closest to what the Copernicus Data Space has been seen to answer.
    V21,
}
