/// A user of the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Compared without regard to case.
    pub username: String,
    /// Compared byte by byte.
    pub password: String,
    /// Base32. A user with one needs a code (SHA-1, 6 digits, 30 s) to log in; each code works once.
    pub totp_secret: Option<String>,
    /// A disabled user can neither log in nor refresh.
    pub enabled: bool,
    /// Something the user has to do in a browser before the next login; refreshing keeps working.
    pub required_action: bool,
    /// Whether the user has the role `offline_access`: a login with the scope of that name opens a session without an end.
    pub offline_access: bool,
}

impl User {
    /// An enabled user without a second factor.
    pub fn new(username: &str, password: &str) -> Self {
        Self {
            username: username.to_owned(),
            password: password.to_owned(),
            totp_secret: None,
            enabled: true,
            required_action: false,
            offline_access: false,
        }
    }
}
