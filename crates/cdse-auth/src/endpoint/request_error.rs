//! Why there is no answer, what that means for what was sent, and what to do about it.

use std::error::Error as StdError;
use std::io;

use rustls::CertificateError;
use url::Url;

use super::proxy::Route;
use crate::error::{Error, ErrorKind, cleaned};
use crate::record::Class;

/// A connection that was never made carried nothing (E4): what was to be sent may be sent again.
pub(super) fn not_answered(url: &Url, route: Option<&Route>, error: &reqwest::Error) -> (Class, Error) {
    let host = url.host_str().unwrap_or_default();
    if error.is_connect() || error.is_builder() || causes(error).any(was_cancelled) {
        return (Class::Unsent, not_reached(host, route, error));
    }
    let through = route.map_or_else(String::new, |proxy| format!(" through {proxy}"));
    let why = if error.is_timeout() {
        format!("the identity service at {host} did not answer{through} in time; its answer, if there was one, is lost")
    } else {
        let cause = innermost(error);
        format!("the connection to the identity service at {host}{through} broke ({cause}); its answer is lost")
    };
    (Class::Lost, Error::new(ErrorKind::Network, why))
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
            let why = format!(
                "the identity service at {host} could not be reached ({}); check network and proxy",
                innermost(error)
            );
            Error::new(ErrorKind::Network, why)
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
    let innermost = said.last().map_or_else(String::new, |said| cleaned(said, 200));
    let network = |why: String| Error::new(ErrorKind::Network, why);
    if wants_password {
        let why =
            format!("the user and password for {proxy} are wrong, missing, or not taken there; correct its address");
        return Error::new(ErrorKind::Configuration, why);
    }
    if timed_out {
        return network(format!(
            "the identity service at {host} was not reached in time through {proxy}; check the proxy, or try again later"
        ));
    }
    if at_proxy {
        return network(format!("{proxy} could not be reached ({innermost}); check its address and the network"));
    }
    if says("tunnel error: unsuccessful") || said.iter().any(|said| said.starts_with("SOCKS error: ")) {
        let reason = said.iter().find_map(|said| said.strip_prefix("SOCKS error: "));
        let reason = reason.map_or_else(String::new, |reason| format!(" ({})", cleaned(reason, 200)));
        return network(format!(
            "{proxy} did not connect to the identity service at {host}{reason}: it may forbid that, or not reach it; \
             check the proxy, or name {host} in NO_PROXY to go without"
        ));
    }
    network(format!("the identity service at {host} could not be reached through {proxy} ({innermost}); check both"))
}

/// What certificates can be wrong in beside their issuer, time and name, and what helps.
const PLAIN_WORDS: &[(&str, &str)] = &[
    (
        "CaUsedAsEndEntity",
        "is an authority's own (it says CA:TRUE), which no server may present: to trust it, as with --ca-bundle, does not \
         help; have the server present a certificate that this authority has issued, or one with CA:FALSE",
    ),
    (
        "EndEntityUsedAsCa",
        "was issued by a certificate that may not issue any (CA:FALSE); have it issued by an authority",
    ),
    (
        "BadSignature",
        "has a signature that is wrong: something on the way may have changed it, or another authority of the same name is trusted",
    ),
    ("UnknownRevocationStatus", "may have been revoked, which could not be found out"),
    ("Revoked", "was revoked by its authority; ask whoever runs the service"),
    ("InvalidPurpose", "was not issued for servers (extended key usage); have it issued for server authentication"),
    (
        "RequiredEkuNotFound",
        "was not issued for servers (extended key usage); have it issued for server authentication",
    ),
    ("UnsupportedCertVersion", "is of an old version (X.509 v1), which is not accepted; have it issued as version 3"),
    (
        "UnsupportedSignatureAlgorithm",
        "is signed in a way that is not accepted any more (such as SHA-1 or a short key); have it issued anew",
    ),
    ("UnhandledCriticalExtension", "holds a critical extension that is not known here; have it issued without"),
    ("NameConstraintViolation", "is for a name that its authority may not issue certificates for"),
    ("PathLenConstraintViolated", "has more authorities above it than one of them allows"),
    ("BadEncoding", "cannot be read: it is damaged or breaks the rules of its form"),
    ("BadDer", "cannot be read: it is damaged or breaks the rules of its form"),
];

fn of_tls(who: &str, error: &rustls::Error) -> Error {
    let clock = "or the clock of this machine is wrong; nothing was sent";
    let why = match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            let why = format!(
                "the certificate of {who} is not trusted: nobody known here has issued it; if it is your organisation's \
                 own, name a file with its authority in SSL_CERT_FILE; nothing was sent"
            );
            return Error::new(ErrorKind::UnknownAuthority, why);
        }
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            format!("the certificate of {who} has expired, {clock}")
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => {
            format!("the certificate of {who} is not valid yet, {clock}")
        }
        rustls::Error::InvalidCertificate(CertificateError::NotValidForName) => of_another_name(who, &[]),
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }) => {
            of_another_name(who, presented)
        }
        rustls::Error::InvalidCertificate(cause) => {
            // What the verifier has no name of its own for is told only by its text.
            let said = format!("{cause:?}");
            match PLAIN_WORDS.iter().find(|(word, _)| said.contains(word)) {
                Some((_, plain)) => format!("the certificate of {who} {plain}; nothing was sent"),
                None => format!("the certificate of {who} cannot be verified ({}); nothing was sent", shown(error)),
            }
        }
        rustls::Error::InvalidMessage(_) => {
            format!("{who} does not speak TLS; check its address and port; nothing was sent")
        }
        _ => {
            let why = format!("no TLS connection to {who} came about ({}); check network and proxy", shown(error));
            return Error::new(ErrorKind::Network, why);
        }
    };
    Error::new(ErrorKind::Configuration, why)
}

fn of_another_name(who: &str, presented: &[String]) -> String {
    let names = if presented.is_empty() {
        String::new()
    } else {
        // They come as `DnsName("a.example")`.
        let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
        let names: Vec<String> = presented.iter().map(bare).collect();
        format!(" ({})", cleaned(&names.join(", "), 200))
    };
    format!(
        "the certificate of {who} is for another name{names}: check the address; something on the way may answer in its \
         place; nothing was sent"
    )
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
    cleaned(&error.to_string(), 200)
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
            (of(CertificateError::UnknownIssuer), ErrorKind::UnknownAuthority, "is not trusted: nobody known here"),
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
            (of(CertificateError::NotValidForName), ErrorKind::Configuration, "is for another name: check"),
            (
                of(CertificateError::NotValidForNameContext { expected, presented }),
                ErrorKind::Configuration,
                "is for another name (portal.example, other.example): check",
            ),
            (of(CertificateError::BadSignature), ErrorKind::Configuration, "has a signature that is wrong"),
            (
                of(CertificateError::ApplicationVerificationFailure),
                ErrorKind::Configuration,
                "cannot be verified (invalid peer certificate: ApplicationVerificationFailure)",
            ),
            (
                of(CertificateError::Other(rustls::OtherError(std::sync::Arc::new(CaUsedAsEndEntity)))),
                ErrorKind::Configuration,
                "is an authority's own (it says CA:TRUE)",
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

    #[test]
    fn e3_each_way_in_which_a_proxy_fails_is_told_from_the_others() {
        let proxy = Route::of("http://user:CANARY@proxy.example:3128");
        let way_in = |said: &[&str], timed_out, at_proxy| {
            let said: Vec<_> = said.iter().map(ToString::to_string).collect();
            of_proxy("identity.example", &proxy, &said, timed_out, at_proxy)
        };
        let lacking = ErrorKind::Configuration;
        let (wrong, late) =
            ("the user and password for the proxy http://proxy.example:3128", "was not reached in time");
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
