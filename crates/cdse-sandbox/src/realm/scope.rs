//! The `scope` parameter.

use super::refusal::Refusal;

/// Client scopes that every token has, asked for or not.
const DEFAULT: [&str; 6] = ["profile", "email", "roles", "web-origins", "acr", "basic"];

/// Client scopes that a token has if asked for.
const OPTIONAL: [&str; 3] = ["address", "phone", "microprofile-jwt"];

/// What was asked for, and what is granted.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) openid: bool,
    pub(super) offline: bool,
    pub(super) granted: String,
}

impl Scope {
    pub(super) fn requested(scope: Option<&str>) -> Result<Self, Refusal> {
        let scope = scope.unwrap_or_default();
        let mut granted = vec!["profile", "email"];
        let (mut openid, mut offline) = (false, false);
        for name in scope.split_ascii_whitespace() {
            match name {
                "openid" => openid = true,
                "offline_access" => offline = true,
                name if OPTIONAL.contains(&name) => granted.push(name),
                name if DEFAULT.contains(&name) => {}
                _ => return Err(Refusal::InvalidScopes(scope.to_owned())),
            }
        }
        if openid {
            granted.insert(0, "openid");
        }
        if offline {
            granted.push("offline_access");
        }
        Ok(Self { openid, offline, granted: granted.join(" ") })
    }
}
