//! The addresses of a realm.

use url::{Host, Url};

use crate::error::{Error, ErrorKind, Result};
use crate::text::printable;

/// The endpoints that a session needs. They are siblings: a token endpoint alone names the rest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Endpoints {
    pub(crate) token: Url,
    pub(crate) logout: Url,
    pub(crate) userinfo: Url,
    pub(crate) discovery: Url,
    /// The sessions of Keycloak's account API.
    pub(crate) sessions: Url,
}

/// What documents and browsers show of a realm lies below its address.
const BELOW: [&str; 3] = ["/protocol/", "/.well-known/", "/account"];

impl Endpoints {
    /// From the address of a realm, such as `https://identity.dataspace.copernicus.eu/auth/realms/CDSE`.
    pub(crate) fn of_realm(realm: &str) -> Result<Self> {
        let checked = checked(realm)?;
        let base = checked.as_str().trim_end_matches('/');
        if let Some(more) = BELOW.iter().find_map(|below| Some(&base[base.find(below)?..])) {
            let hint = format!("leave out {}", printable(more, 200));
            return Err(refused(realm, "it must be the address of the realm").with_hint(hint));
        }
        Self::of_token_endpoint(&format!("{base}/protocol/openid-connect/token"))
    }

    pub(crate) fn of_token_endpoint(token: &str) -> Result<Self> {
        let token = checked(token)?;
        let sibling = |up: usize, path: &[&str]| {
            let mut url = token.clone();
            if let Ok(mut segments) = url.path_segments_mut() {
                segments.pop_if_empty();
                (0..up).for_each(|_| {
                    segments.pop();
                });
                segments.extend(path);
            }
            url
        };
        let (logout, userinfo) = (sibling(1, &["logout"]), sibling(1, &["userinfo"]));
        // Below the realm, beside `protocol/openid-connect`.
        let sessions = sibling(3, &["account", "sessions"]);
        let discovery = sibling(3, &[".well-known", "openid-configuration"]);
        Ok(Self { token, logout, userinfo, discovery, sessions })
    }
}

fn refused(address: &str, why: &str) -> Error {
    // What stands before an @ may be a password, and what stands in a query a token.
    let shown = address.rsplit('@').next().unwrap_or_default();
    let shown = printable(shown.split(['?', '#']).next().unwrap_or_default(), 200);
    let message = format!("the identity service's address \"{shown}\" cannot be used: {why}");
    Error::new(ErrorKind::Configuration, message)
}

/// `https`, or `http` to this machine itself; nothing that could carry a secret or change the meaning of the path.
fn checked(address: &str) -> Result<Url> {
    let refused = |why: &str| refused(address, why);
    let url = Url::parse(address).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => refused("it must begin with https://"),
        error => refused(&error.to_string()),
    })?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(refused("a password must not travel over plain http").with_hint("use https")),
        _ => return Err(refused("it must begin with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it must hold no user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it must hold no query or fragment"));
    }
    Ok(url)
}

/// Whether the address is this machine itself.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_the_other_endpoints_are_siblings() {
        let realm = Endpoints::of_realm(super::super::DEFAULT_REALM_URL).unwrap();
        assert!(realm.token.as_str().ends_with("/auth/realms/CDSE/protocol/openid-connect/token"));
        assert!(realm.logout.as_str().ends_with("/auth/realms/CDSE/protocol/openid-connect/logout"));
        assert!(realm.userinfo.as_str().ends_with("/auth/realms/CDSE/protocol/openid-connect/userinfo"));
        assert!(realm.sessions.as_str().ends_with("/auth/realms/CDSE/account/sessions"));
        let token = "https://id.example/realms/R/protocol/openid-connect/token";
        assert_eq!(Endpoints::of_realm("https://id.example/realms/R/").unwrap().token.as_str(), token);
        assert_eq!(
            Endpoints::of_token_endpoint(token).unwrap(),
            Endpoints::of_realm("https://id.example/realms/R").unwrap()
        );
    }

    #[test]
    fn e1_only_https_except_to_this_machine() {
        for fine in ["http://127.0.0.1:1/r", "http://[::1]:1/r", "http://localhost/r", "https://id.example/r"] {
            assert!(Endpoints::of_realm(fine).is_ok(), "{fine}");
        }
        let bad = [
            "",
            "id.example/r",
            "http://id.example/r",
            "http://127.0.0.1.id.example/r",
            "ftp://127.0.0.1/r",
            "file:///etc/passwd",
            "https://user:canary@id.example/r",
            "https://user@id.example/r",
            "https://:canary@id.example/r",
            "https://id.example/r?x=canary",
            "https://id.example/r#canary",
            "http://localhost.id.example/r",
            "https://",
            "https://id.example:99999/r",
            "http://10.0.0.1/r",
        ];
        for address in bad {
            let error = Endpoints::of_realm(address).expect_err(address);
            assert_eq!(error.kind(), ErrorKind::Configuration, "{address}");
            if address.starts_with("http://") {
                assert!(error.message().contains("must not travel over plain http"), "{error}");
            }
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
}
