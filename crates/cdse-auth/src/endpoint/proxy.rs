//! Which proxy a request goes through: for errors, which must name it, and for settings that would be ignored in silence.
//!
//! The matching is the HTTP client's own; nothing of a proxy's user and password leaves this module.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::text::printable;

/// In the order in which they count for an https address; an empty one counts as unset.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Which proxy is used. A request to this machine itself never goes to a proxy.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Proxy {
    /// As `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[default]
    FromEnvironment,
    /// None, whatever the environment says.
    None,
    /// This one (`http://`, `https://`, `socks5://` or `socks5h://`).
    Url(String),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromEnvironment => f.write_str("FromEnvironment"),
            Self::None => f.write_str("None"),
            // What stands before an @ may be a password.
            Self::Url(url) => f.debug_tuple("Url").field(&url.rsplit('@').next().unwrap_or_default()).finish(),
        }
    }
}

/// A proxy as it may be shown: where it is, and who named it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route {
    address: String,
    variable: Option<&'static str>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.variable {
            Some(variable) => write!(f, "the proxy {} ({variable})", self.address),
            None => write!(f, "the proxy {}", self.address),
        }
    }
}

/// How the HTTP client reaches one service.
pub(super) struct ProxySettings {
    /// The proxy between here and there, if there is one.
    pub(super) route: Option<Route>,
    /// What the HTTP client is told to use, beside what it may find by itself.
    pub(super) proxy: Option<reqwest::Proxy>,
    /// It looks at the system's settings.
    pub(super) as_system_says: bool,
}

/// The settings for requests to `target`.
///
/// # Errors
///
/// For a setting that names no proxy: the HTTP client would go without.
pub(super) fn proxy_settings(proxy: &Proxy, target: &Url) -> Result<ProxySettings> {
    let direct = ProxySettings { route: None, proxy: None, as_system_says: false };
    let Ok(target) = target.as_str().parse::<Uri>() else { return Ok(direct) };
    match proxy {
        Proxy::None => Ok(direct),
        Proxy::Url(address) => through(address, None, "", &target),
        Proxy::FromEnvironment => match VARIABLES.into_iter().find_map(|name| Some((name, variable(name)?))) {
            Some((name, value)) => {
                let address = value.to_str().ok_or_else(|| unusable(name))?;
                let exceptions = EXCEPTIONS.into_iter().find_map(variable).unwrap_or_default();
                let (exceptions, odd) = exceptions_in(&exceptions.to_string_lossy());
                for odd in odd {
                    log::warn!("NO_PROXY: {} is ignored: {FORMS}", printable(&odd, 100));
                }
                through(address, Some(name), &exceptions, &target)
            }
            None => {
                let found = Matcher::from_system().intercept(&target);
                let route = found.map(|found| Route { address: shown(&found), variable: None });
                Ok(ProxySettings { route, proxy: None, as_system_says: true })
            }
        },
    }
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The forms of curl.
const FORMS: &str = "an entry is a name (example.org, which stands for the names below it too), an address, a range \
                     (10.0.0.0/8), or * alone";

/// The exceptions as curl reads them, for the HTTP client, which knows commas alone; and those that curl would pass over.
fn exceptions_in(text: &str) -> (String, Vec<String>) {
    let (mut fine, mut odd) = (Vec::new(), Vec::new());
    for entry in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty()) {
        // A name may end with the dot of the root, and an IPv6 address stand in brackets.
        let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        let is_address = bare.parse::<IpAddr>().is_ok();
        let is_range = bare.split_once('/').is_some_and(|(address, bits)| {
            let most = address.parse().map(|address: IpAddr| if address.is_ipv4() { 32 } else { 128 });
            most.is_ok_and(|most| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
        });
        let is_name = !bare.is_empty() && bare.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
        if entry == "*" || is_address || is_range || is_name {
            fine.push(bare.to_owned());
        } else {
            // It may be an address with a password.
            odd.push(entry.rsplit('@').next().unwrap_or_default().to_owned());
        }
    }
    (fine.join(","), odd)
}

fn through(address: &str, variable: Option<&'static str>, exceptions: &str, target: &Uri) -> Result<ProxySettings> {
    let what = variable.unwrap_or("the proxy's address");
    let found = named(address).ok_or_else(|| unusable(what))?;
    let proxy =
        reqwest::Proxy::all(address).map_err(|_| unusable(what))?.no_proxy(reqwest::NoProxy::from_string(exceptions));
    let excepted = Matcher::builder().all(address).no(exceptions).build().intercept(target).is_none();
    let route = (!excepted).then(|| Route { address: shown(&found), variable });
    Ok(ProxySettings { route, proxy: Some(proxy), as_system_says: false })
}

fn unusable(what: &str) -> Error {
    let why = format!(
        "{what} is not the address of a proxy: it must look like http://host:port, https://host:port or \
         socks5h://host:port, with user:password@ before the host if the proxy needs them"
    );
    Error::new(ErrorKind::Transport, why).with_hint("correct it; write an @ in a user name or password as %40")
}

/// The proxy at an address, if the HTTP client takes it for what it says: where it finds no port it takes one of its own
/// choice, and of two @ it takes the wrong one.
fn named(address: &str) -> Option<Intercept> {
    let found = Matcher::builder().all(address).build().intercept(&Uri::from_static("https://any.example/"))?;
    let authority = found.uri().authority()?;
    let after_host = authority.as_str().strip_prefix(authority.host())?;
    let has_port = authority.port_u16().is_some_and(|port| port != 0);
    let needs_port = found.uri().scheme_str().is_some_and(|scheme| scheme.starts_with("socks"));
    let fits = !authority.host().is_empty() && (has_port || (after_host.is_empty() && !needs_port));
    fits.then_some(found)
}

/// Without what stands before an @.
fn shown(proxy: &Intercept) -> String {
    let uri = proxy.uri();
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().map_or_else(String::new, |port| format!(":{port}"));
    printable(&format!("{}://{host}{port}", uri.scheme_str().unwrap_or("http")), 200)
}

#[cfg(test)]
impl Route {
    pub(super) fn of(address: &str) -> Self {
        let target = Url::parse("https://identity.example").unwrap();
        proxy_settings(&Proxy::Url(address.to_owned()), &target).unwrap().route.unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(address: &str) -> Result<Option<Route>> {
        proxy_settings(&Proxy::Url(address.to_owned()), &Url::parse("https://id.example/r").unwrap())
            .map(|settings| settings.route)
    }

    #[test]
    fn p5_a_proxy_is_shown_without_user_and_password() {
        for (address, shown) in [
            ("http://user:CANARY@proxy.example:3128", "http://proxy.example:3128"),
            ("https://CANARY@proxy.example", "https://proxy.example"),
            ("socks5h://user:CANARY@[::1]:1080", "socks5h://[::1]:1080"),
            ("user:CANARY@proxy.example:3128", "http://proxy.example:3128"),
        ] {
            let route = through(address).unwrap().unwrap();
            assert_eq!(route.address, shown, "{address}");
            assert!(!format!("{route} {route:?}").contains("CANARY"), "{route:?}");
        }
    }

    #[test]
    fn field_q_exceptions_have_the_forms_of_curl_and_others_are_told() {
        for (entry, target) in [
            ("other.example id.example", "https://id.example/r"),
            ("other.example,\tid.example", "https://id.example/r"),
            (".example", "https://id.example/r"),
            ("ID.Example.", "https://id.example/r"),
            ("*", "https://id.example/r"),
            ("[2001:db8::1]", "https://[2001:db8::1]/r"),
            ("2001:db8::/32", "https://[2001:db8::1]/r"),
            ("10.0.0.0/8", "https://10.1.2.3/r"),
        ] {
            let (fine, odd) = exceptions_in(entry);
            assert!(odd.is_empty(), "{entry}: {odd:?}");
            let settings = super::through("http://proxy.example:1", None, &fine, &target.parse().unwrap()).unwrap();
            assert!(settings.route.is_none(), "{entry}: {fine}");
        }
        for entry in [
            "*.example",
            "id.*",
            "https://id.example",
            "id.example:443",
            "id.example;other",
            "10.0.0.0/33",
            "a|b",
            "[::1",
            "/8",
        ] {
            assert_eq!(exceptions_in(entry), (String::new(), vec![entry.to_owned()]));
        }
        assert_eq!(exceptions_in("u:CANARY@id.example:443").1, ["id.example:443"]);
    }

    #[test]
    fn e1_an_address_that_names_no_proxy_is_refused() {
        for address in [
            "",
            " ",
            "ftp://proxy.example",
            "http://",
            "http://:3128",
            "http://proxy example",
            "http://proxy.example:99999",
            "http://proxy.example:0",
            "http://proxy.example:",
            "socks5h://proxy.example",
            "socks9://CANARY@x:1",
            "http://user:CANARY@",
            "http://user:CAN@CANARY@proxy.example:3128",
            "http://us@er:CANARY@proxy.example:3128",
        ] {
            let error = through(address).expect_err(address);
            assert_eq!(error.kind(), ErrorKind::Transport, "{address}");
            assert!(!error.to_string().contains("CANARY"), "{error}");
        }
    }
}
