//! Why there is no answer, what that means for what was sent, and what to do about it.

use std::error::Error as StdError;
use std::io;

use rustls::CertificateError;
use url::Url;

use super::proxy::Route;
use super::sender::SendError;
use crate::error::{Error, ErrorKind};
use crate::text::printable;

/// A connection that was never made carried nothing (E4): what was to be sent may be sent again.
pub(super) fn not_answered(url: &Url, route: Option<&Route>, error: reqwest::Error) -> SendError {
    let host = url.host_str().unwrap_or_default();
    let unsent = error.is_connect() || error.is_builder() || causes(&error).any(was_cancelled);
    let told = if unsent { not_reached(host, route, &error) } else { broke_off(host, route, &error) };
    // The address may name a session.
    let told = told.with_source(error.without_url());
    if unsent { SendError::unsent(told) } else { SendError::lost(told) }
}

fn broke_off(host: &str, route: Option<&Route>, error: &reqwest::Error) -> Error {
    let through = route.map_or_else(String::new, |proxy| format!(" through {proxy}"));
    let why = if error.is_timeout() {
        format!("the identity service at {host} did not answer{through} in time; its answer, if there was one, is lost")
    } else {
        let cause = innermost(error);
        format!("the connection to the identity service at {host}{through} broke ({cause}); its answer is lost")
    };
    Error::new(ErrorKind::Network, why)
}

fn not_reached(host: &str, route: Option<&Route>, error: &reqwest::Error) -> Error {
    // Behind an HTTPS proxy there are two conversations in TLS; this says that the first one failed.
    let at_proxy = causes(error).any(|cause| cause.to_string().ends_with("failed to create underlying connection"));
    if let Some(tls) = causes(error).find_map(<dyn StdError>::downcast_ref::<rustls::Error>) {
        return match route.filter(|_| at_proxy) {
            Some(proxy) => of_tls(&proxy.to_string(), tls),
            None => of_tls(&format!("the identity service at {host}"), tls),
        };
    }
    match route {
        Some(proxy) => {
            let said: Vec<_> = causes(error).map(ToString::to_string).collect();
            of_proxy(host, proxy, &said, error.is_timeout(), at_proxy)
        }
        None => {
            let why = format!("the identity service at {host} could not be reached ({})", innermost(error));
            Error::new(ErrorKind::Network, why).with_hint("check the network and the proxy")
        }
    }
}

/// By what the causes say, the outer ones first.
fn of_proxy(host: &str, proxy: &Route, said: &[String], timed_out: bool, at_proxy: bool) -> Error {
    let says = |text: &str| said.iter().any(|said| said.ends_with(text));
    let wants_password = says("proxy authorization required")
        || says("credentials not accepted")
        || says("server does not support user/pass authentication")
        || says("server implements authentication incorrectly");
    let innermost = said.last().map_or_else(String::new, |said| printable(said, 200));
    let network = |why: String, hint: &str| Error::new(ErrorKind::Network, why).with_hint(hint);
    if wants_password {
        let why = format!("the user name and password for {proxy} are wrong, missing or not accepted");
        return Error::new(ErrorKind::Configuration, why).with_hint("correct them in the address of the proxy");
    }
    if timed_out {
        let why = format!("the identity service at {host} was not reached in time through {proxy}");
        return network(why, "check the proxy, or try again later");
    }
    if at_proxy {
        return network(format!("{proxy} could not be reached ({innermost})"), "check its address and the network");
    }
    if says("tunnel error: unsuccessful") || said.iter().any(|said| said.starts_with("SOCKS error: ")) {
        let reason = said.iter().find_map(|said| said.strip_prefix("SOCKS error: "));
        let reason = reason.map_or_else(String::new, |reason| format!(" ({})", printable(reason, 200)));
        let why = format!(
            "{proxy} did not connect to the identity service at {host}{reason}: it may forbid that, or not reach the service"
        );
        return network(why, &format!("check the proxy, or name {host} in NO_PROXY to connect without it"));
    }
    let why = format!("the identity service at {host} could not be reached through {proxy} ({innermost})");
    network(why, "check the network and the proxy")
}

/// What can be wrong with a certificate besides its issuer, time and name, and what to do about it.
const PLAIN_WORDS: &[(&str, &str, &str)] = &[
    (
        "CaUsedAsEndEntity",
        "is that of an authority (CA:TRUE), which a server must not present; trusting it, as with --ca-bundle, does not help",
        "install a certificate on the server that this authority has issued, or one with CA:FALSE",
    ),
    (
        "EndEntityUsedAsCa",
        "was issued by a certificate that may not issue any (CA:FALSE)",
        "have it issued by an authority",
    ),
    (
        "BadSignature",
        "has a wrong signature: it may have been changed on the way, or another authority of the same name is trusted",
        ASK,
    ),
    ("UnknownRevocationStatus", "may have been revoked: its status is not known", ASK),
    ("Revoked", "was revoked by its authority", ASK),
    ("InvalidPurpose", "was not issued for servers (extended key usage)", FOR_SERVERS),
    ("RequiredEkuNotFound", "was not issued for servers (extended key usage)", FOR_SERVERS),
    ("UnsupportedCertVersion", "is of an old version (X.509 v1), which is not accepted", "have it issued as version 3"),
    (
        "UnsupportedSignatureAlgorithm",
        "has a signature that is no longer accepted (such as SHA-1 or a short key)",
        "have it issued again, with a current signature",
    ),
    ("UnhandledCriticalExtension", "has an unknown critical extension", "have it issued without"),
    ("NameConstraintViolation", "is for a name that its authority may not issue certificates for", ASK),
    ("PathLenConstraintViolated", "has more authorities above it than one of them allows", ASK),
    ("BadEncoding", "is damaged or malformed", ASK),
    ("BadDer", "is damaged or malformed", ASK),
];
const ASK: &str = "ask the operators of that server";
const FOR_SERVERS: &str = "have it issued for server authentication";

fn of_tls(who: &str, error: &rustls::Error) -> Error {
    let clock = "or the clock of this machine is wrong; nothing was sent";
    let set_clock = "compare the clock of this machine with the time";
    let cause = match error {
        rustls::Error::InvalidCertificate(cause) => cause,
        rustls::Error::InvalidMessage(_) => {
            let why = format!("{who} does not speak TLS; nothing was sent");
            return Error::new(ErrorKind::Configuration, why).with_hint("check its address and port");
        }
        _ => {
            let why = format!("no TLS connection to {who} could be made ({})", shown(error));
            return Error::new(ErrorKind::Network, why).with_hint("check the network and the proxy");
        }
    };
    let (why, hint) = match cause {
        CertificateError::UnknownIssuer => {
            let why = format!(
                "the certificate of {who} is not trusted: the authority that issued it is not known here; nothing was sent"
            );
            let hint = "if the authority is your organisation's own, name a file with its certificate in SSL_CERT_FILE";
            return Error::new(ErrorKind::UnknownAuthority, why).with_hint(hint);
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            (format!("the certificate of {who} has expired, {clock}"), set_clock)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (format!("the certificate of {who} is not valid yet, {clock}"), set_clock)
        }
        CertificateError::NotValidForName => of_another_name(who, &[]),
        CertificateError::NotValidForNameContext { presented, .. } => of_another_name(who, presented),
        cause => {
            // What the verifier has no name of its own for is told only by its text.
            let said = format!("{cause:?}");
            match PLAIN_WORDS.iter().find(|(word, ..)| said.contains(word)) {
                Some((_, plain, hint)) => (format!("the certificate of {who} {plain}; nothing was sent"), *hint),
                None => {
                    (format!("the certificate of {who} cannot be verified ({}); nothing was sent", shown(error)), ASK)
                }
            }
        }
    };
    Error::new(ErrorKind::Configuration, why).with_hint(hint)
}

fn of_another_name(who: &str, presented: &[String]) -> (String, &'static str) {
    let names = if presented.is_empty() {
        String::new()
    } else {
        // They come as `DnsName("a.example")`.
        let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
        let names: Vec<String> = presented.iter().map(bare).collect();
        format!(" ({})", printable(&names.join(", "), 200))
    };
    let why = format!("the certificate of {who} is for another name{names}; nothing was sent");
    (why, "check the address; a proxy or a portal on the way may answer in place of the service")
}

/// hyper gave the request back before it wrote any of it.
fn was_cancelled(cause: &(dyn StdError + 'static)) -> bool {
    cause.to_string() == "operation was canceled"
}

/// The cause that says most, without the address that wraps it.
fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(String::new, shown)
}

fn shown(error: &dyn StdError) -> String {
    printable(&error.to_string(), 200)
}

/// Each cause inside the error, the outer ones first. An I/O error hides what it was made from.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| {
        let cause = *cause;
        match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => cause.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    /// As the verifier's own error of this name, which is not rustls' one.
    #[derive(Debug)]
    struct CaUsedAsEndEntity;

    impl std::fmt::Display for CaUsedAsEndEntity {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("CaUsedAsEndEntity")
        }
    }

    impl StdError for CaUsedAsEndEntity {}

    #[test]
    fn e3_each_way_in_which_tls_fails_is_told_from_the_others() {
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
        let of = |error| rustls::Error::InvalidCertificate(error);
        let expected = ServerName::try_from("identity.example").unwrap();
        let presented = vec![r#"DnsName("portal.example")"#.to_owned(), r#"DnsName("other.example")"#.to_owned()];
        for (error, kind, said) in [
            (of(CertificateError::UnknownIssuer), ErrorKind::UnknownAuthority, "is not trusted: the authority"),
            (of(CertificateError::Expired), ErrorKind::Configuration, "has expired, or the clock"),
            (
                of(CertificateError::ExpiredContext { time: now, not_after: now }),
                ErrorKind::Configuration,
                "has expired, or the clock",
            ),
            (of(CertificateError::NotValidYet), ErrorKind::Configuration, "is not valid yet, or the clock"),
            (
                of(CertificateError::NotValidYetContext { time: now, not_before: now }),
                ErrorKind::Configuration,
                "is not valid yet, or the clock",
            ),
            (of(CertificateError::NotValidForName), ErrorKind::Configuration, "is for another name; nothing was sent"),
            (
                of(CertificateError::NotValidForNameContext { expected, presented }),
                ErrorKind::Configuration,
                "is for another name (portal.example, other.example); nothing was sent",
            ),
            (of(CertificateError::BadSignature), ErrorKind::Configuration, "has a wrong signature"),
            (
                of(CertificateError::ApplicationVerificationFailure),
                ErrorKind::Configuration,
                "cannot be verified (invalid peer certificate: ApplicationVerificationFailure)",
            ),
            (
                of(CertificateError::Other(rustls::OtherError(std::sync::Arc::new(CaUsedAsEndEntity)))),
                ErrorKind::Configuration,
                "is that of an authority (CA:TRUE)",
            ),
            (
                rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
                ErrorKind::Configuration,
                "does not speak TLS",
            ),
            (rustls::Error::HandshakeNotComplete, ErrorKind::Network, "no TLS connection to"),
        ] {
            let told = of_tls("the identity service at identity.example", &error);
            assert_eq!(told.kind(), kind, "{error:?}");
            let whole = told.message();
            assert!(whole.contains(said) && whole.contains("identity.example"), "{error:?}: {whole}");
        }
    }

    /// No socket runs on a model checker's threads.
    #[cfg(not(cdse_model))]
    #[test]
    fn p5_no_cause_of_an_error_shows_the_password_of_a_proxy_or_the_address_of_a_session() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = Url::parse("https://identity.example/sessions/CANARY").unwrap();
        // Nothing listens on the port of discard.
        for proxy in ["http://user:CANARY@127.0.0.1:9", "socks5h://user:CANARY@127.0.0.1:9"] {
            let proxy = crate::endpoint::Proxy::Url(proxy.to_owned());
            let config = crate::endpoint::TransportConfig::new().with_proxy(proxy);
            let client = config.client(&url).unwrap();
            let error = runtime.block_on(client.http.get(url.clone()).send()).unwrap_err();
            let error = not_answered(&url, client.route.as_ref(), error);
            assert!(!error.was_sent(), "{error}");
            let error = Error::from(error);
            assert_eq!(error.kind(), ErrorKind::Network, "{error}");
            let chain: Vec<_> = std::iter::successors(error.source(), |cause| (*cause).source()).collect();
            assert!(chain.len() > 1 && !format!("{error} {chain:?}").contains("CANARY"), "{error} {chain:?}");
        }
    }

    #[test]
    fn e3_each_way_in_which_a_proxy_fails_is_told_from_the_others() {
        let proxy = Route::of("http://user:CANARY@proxy.example:3128");
        let way_in = |said: &[&str], timed_out, at_proxy| {
            let said: Vec<_> = said.iter().map(ToString::to_string).collect();
            of_proxy("identity.example", &proxy, &said, timed_out, at_proxy)
        };
        let lacking = ErrorKind::Configuration;
        let (wrong, late) =
            ("the user name and password for the proxy http://proxy.example:3128", "was not reached in time");
        let (shut, denied) = ("proxy.example:3128 could not be reached (refused)", "did not connect to the identity");
        for (said, timed_out, at_proxy, kind, told) in [
            (&["client error", "tunnel error: proxy authorization required"][..], false, true, lacking, wrong),
            (&["SOCKS error: credentials not accepted"], false, false, lacking, wrong),
            (&["SOCKS error: server does not support user/pass authentication"], false, false, lacking, wrong),
            (&["SOCKS error: server implements authentication incorrectly"], true, false, lacking, wrong),
            (&["client error", "too late"], true, true, ErrorKind::Network, late),
            (&["client error", "refused"], false, true, ErrorKind::Network, shut),
            (&["tunnel error: unsuccessful"], false, false, ErrorKind::Network, "service at identity.example: it may"),
            (&["SOCKS error: no"], false, false, ErrorKind::Network, "service at identity.example (no): it may forbid"),
            (&["SOCKS error: no", "x"], false, false, ErrorKind::Network, denied),
            (
                &["client error", "reset"],
                false,
                false,
                ErrorKind::Network,
                "through the proxy http://proxy.example:3128 (reset)",
            ),
        ] {
            let error = way_in(said, timed_out, at_proxy);
            assert_eq!(error.kind(), kind, "{error}");
            let whole = error.message();
            assert!(whole.contains(told) && whole.contains("proxy.example") && !whole.contains("CANARY"), "{whole}");
        }
    }
}
