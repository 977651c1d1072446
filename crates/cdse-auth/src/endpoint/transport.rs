//! How the identity service is reached.

use std::path::PathBuf;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use url::Url;

use super::address::is_loopback;
use super::authorities::Authorities;
use super::crypto;
use super::proxy::{Proxy, ProxySettings, Route, proxy_settings};
use crate::clock::{Millis, span};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::EXCHANGE;
use crate::sync::Arc;

const CONNECT: Duration = Duration::from_secs(5);

/// HTTP settings of a manager. The library builds its own client from them, because redirects, idle connections and cookies
/// are settings of a client, and each of the three could give a credential away or send it twice.
///
/// ```
/// use cdse_auth::{Proxy, TransportConfig};
///
/// let direct = TransportConfig::new().with_proxy(Proxy::None).with_user_agent("my-tool/1.0");
/// ```
#[derive(Clone, Debug)]
pub struct TransportConfig {
    proxy: Proxy,
    authorities: Authorities,
    crypto: fn() -> Result<Arc<CryptoProvider>>,
    user_agent: String,
    timeout: Duration,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            proxy: Proxy::default(),
            authorities: Authorities::default(),
            crypto: crypto::of_program,
            user_agent: concat!("cdse-auth/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeout: Duration::from_millis(EXCHANGE.unsigned_abs()),
        }
    }
}

impl TransportConfig {
    /// The system's certificate authorities (or those in `SSL_CERT_FILE` and `SSL_CERT_DIR`, in their place), the
    /// environment's proxy.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With another choice of proxy.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// With certificate authorities in addition to the system's, in PEM.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the text holds no certificate.
    pub fn with_root_certificates(mut self, pem: &[u8]) -> Result<Self> {
        self.authorities.add_pem(pem)?;
        Ok(self)
    }

    /// With the certificate authorities of a file in addition to the system's, in PEM. The file is read when the first request
    /// is made; an error then ([`ErrorKind::Transport`]) calls it by `name`, such as the name of an option or a setting.
    #[must_use]
    pub fn with_root_certificate_file(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.authorities.add_file(name.into(), path.into());
        self
    }

    /// With ring for TLS, whatever the process's default or the features of `rustls` are. By default what the program has
    /// is used (see [the crate](crate#tls)).
    #[cfg(feature = "ring")]
    #[must_use]
    pub fn with_ring(mut self) -> Self {
        self.crypto = crypto::ring;
        self
    }

    /// With another `User-Agent`.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// With another limit for one whole exchange. Defaults to 20 s, which is also the maximum. A connection that takes longer
    /// than 5 s, or than half of the limit, is given up before anything is sent.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(Duration::from_millis(EXCHANGE.unsigned_abs()));
        self
    }

    pub(crate) fn timeout(&self) -> Millis {
        span(self.timeout)
    }

    /// A connection is given up before the whole exchange is: then nothing was sent, and that is known.
    fn connect_timeout(&self) -> Duration {
        CONNECT.min(self.timeout / 2)
    }

    /// The client for requests to one service. No redirect, no cookie, no idle connection, nothing sent twice.
    pub(super) fn client(&self, service: &Url) -> Result<Client> {
        let proxy = if is_loopback(service) { &Proxy::None } else { &self.proxy };
        let ProxySettings { route, proxy, as_system_says } = proxy_settings(proxy, service)?;
        match &route {
            Some(proxy) => log::debug!("requests go through {proxy}"),
            None => log::debug!("requests go through no proxy"),
        }
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .referer(false)
            .http1_only()
            .connect_timeout(self.connect_timeout())
            .user_agent(self.user_agent.as_str())
            .tls_backend_preconfigured(self.tls(service.scheme() == "http")?);
        let builder = if as_system_says { builder } else { builder.no_proxy() };
        let http = proxy.into_iter().fold(builder, reqwest::ClientBuilder::proxy).build().map_err(|error| {
            Error::new(ErrorKind::Transport, "the HTTP client cannot be set up")
                .with_hint("check the proxy and the user agent")
                .with_source(error)
        })?;
        Ok(Client { http, route })
    }

    fn tls(&self, plain: bool) -> Result<rustls::ClientConfig> {
        let provider = (self.crypto)()?;
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| {
                Error::new(ErrorKind::Transport, format!("TLS cannot be set up: {error}")).with_source(error)
            })?;
        if plain {
            // Reading the system's certificates costs milliseconds, and no certificate will be asked for.
            return Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth());
        }
        log::debug!("reads the certificate authorities");
        let verifier = self.authorities.verifier(provider)?;
        Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
    }
}

/// What makes requests to one service, and the proxy that they go through.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) http: reqwest::Client,
    pub(super) route: Option<Route>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e4_a_connection_is_given_up_before_its_exchange_and_that_after_20_s() {
        for (asked, whole, connection) in [(4_000, 4_000, 2_000), (12_000, 12_000, 5_000), (3_600_000, 20_000, 5_000)] {
            let config = TransportConfig::new().with_user_agent("agent/1").with_timeout(Duration::from_millis(asked));
            assert_eq!(config.timeout(), span(Duration::from_millis(whole)));
            assert_eq!(config.connect_timeout(), Duration::from_millis(connection));
            assert_eq!(config.user_agent, "agent/1", "nothing else is changed");
        }
    }
}
