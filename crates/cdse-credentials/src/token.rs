//! What an access token says of itself. It is not verified: only a choice among one's own sessions, and the check that it may
//! be sent to a data service, depend on it.

use cdse_auth::Secret;
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// The session that the token says it is of.
pub(crate) fn session_id(token: &str) -> Option<String> {
    claim(token, "sid").or_else(|| claim(token, "session_state")).filter(|id| !id.is_empty())
}

/// A claim of a JWT that is a text.
fn claim(token: &str, name: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let claims = Zeroizing::new(BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?);
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    claims.get(name)?.as_str().map(str::to_owned)
}

/// A token as a header may carry it (`b64token` of RFC 6750 §2.1), and none that is for the identity service alone: an access
/// token goes to whichever host is asked for data.
pub(crate) fn check_access_token(token: &Secret) -> Result<()> {
    let text = token.expose();
    let body = text.trim_end_matches('=');
    let fits = !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
    let why = match claim(text, "typ").as_deref() {
        _ if !fits => {
            "is not an access token: it holds characters that no token has, such as quotation marks or braces; set it to the \
             token alone"
        }
        Some("Refresh" | "Offline") => {
            "holds a refresh token, which is for the identity service alone; set CDSE_REFRESH_TOKEN to it"
        }
        Some("ID") => "holds an ID token, which identifies a user and gives no access; set it to an access token",
        _ => return Ok(()),
    };
    Err(Error::invalid("CDSE_ACCESS_TOKEN", format!("CDSE_ACCESS_TOKEN {why}")))
}
