//! What must not reach other programs.

/// What a credential is given by, or names another one: nothing of it reaches the program.
pub(super) const CREDENTIALS: &[&str] = &[
    "CDSE_ACCESS_TOKEN",
    "CDSE_REFRESH_TOKEN",
    "CDSE_REFRESH_TOKEN_FILE",
    "CDSE_CLIENT_ID",
    "CDSE_CLIENT_SECRET",
    "CDSE_CLIENT_SECRET_FILE",
    "CDSE_USERNAME",
    "CDSE_PASSWORD",
    "CDSE_PASSWORD_FILE",
    "CDSE_PASSWORD_COMMAND",
    "CDSE_TOTP",
    "CDSE_TOTP_SECRET",
    "CDSE_TOTP_SECRET_FILE",
    "CDSE_TOTP_COMMAND",
    "CDSE_PROFILE",
    "CDSE_SESSION",
    // Of another `cdse exec` around this one.
    "CDSE_TOKEN_FILE",
    "CDSE_HEADER_FILE",
];
