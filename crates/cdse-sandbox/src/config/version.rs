/// Whose answers are given where versions differ: a wrong password is 400 on the one and 401 on the other, the
/// session limit a page or a JSON error, `/revoke` ends one session or all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeycloakVersion {
    /// 26.7.3.
    #[default]
    V26,
    /// 21.1.2, closest to what the Copernicus Data Space has been seen to answer.
    V21,
}
