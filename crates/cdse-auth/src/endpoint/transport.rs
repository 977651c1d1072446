//! How the identity service is reached.

use std::fmt;
use std::time::Duration;

use crate::clock::{Millis, span};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::EXCHANGE;
use crate::sync::Arc;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls_platform_verifier::Verifier;

const CONNECT: Duration = Duration::from_secs(5);

/// HTTP settings of a manager. The library builds its own client from them, for redirects, idle connections and cookies
/// are a client's settings, and each of the three could give a credential away or send it twice.
///
/// ```
/// use cdse_auth::{Proxy, TransportConfig};
///
/// let direct = TransportConfig::new().with_proxy(Proxy::None).with_user_agent("my-tool/1.0");
/// ```
#[derive(Clone, Debug)]
pub struct TransportConfig {
    proxy: Proxy,
    roots: Vec<CertificateDer<'static>>,
    user_agent: String,
    timeout: Duration,
}

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

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            proxy: Proxy::default(),
            roots: Vec::new(),
            user_agent: concat!("cdse-auth/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeout: Duration::from_millis(EXCHANGE.unsigned_abs()),
        }
    }
}

impl TransportConfig {
    /// The system's certificate authorities (`SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded), the environment's proxy.
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

    /// With certificate authorities beside the system's, in PEM.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the text holds no certificate.
    pub fn with_root_certificates(mut self, pem: &[u8]) -> Result<Self> {
        let found: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(std::result::Result::ok).collect();
        if found.is_empty() {
            return Err(Error::new(ErrorKind::Configuration, "there is no certificate in the given PEM text"));
        }
        self.roots.extend(found);
        Ok(self)
    }

    /// With another `User-Agent`.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// With another limit for one whole exchange: 20 s unless said, and never more.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(Duration::from_millis(EXCHANGE.unsigned_abs()));
        self
    }

    pub(crate) fn timeout(&self) -> Millis {
        span(self.timeout)
    }

    /// The client for requests to one service. No redirect, no cookie, no idle connection, nothing sent twice.
    pub(crate) fn client(&self, loopback: bool, plain: bool) -> Result<reqwest::Client> {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .referer(false)
            .http1_only()
            .connect_timeout(CONNECT)
            .user_agent(self.user_agent.as_str())
            .tls_backend_preconfigured(self.tls(plain)?);
        let builder = match &self.proxy {
            _ if loopback => builder.no_proxy(),
            Proxy::FromEnvironment => builder,
            Proxy::None => builder.no_proxy(),
            Proxy::Url(url) => {
                let refused =
                    |_| configuration("the proxy's address cannot be used; it must look like http://host:port");
                builder.no_proxy().proxy(reqwest::Proxy::all(url.as_str()).map_err(refused)?)
            }
        };
        builder
            .build()
            .map_err(|_| configuration("the HTTP client cannot be set up; check the proxy and the user agent"))
    }

    fn tls(&self, plain: bool) -> Result<rustls::ClientConfig> {
        let provider = crypto();
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| configuration(&format!("TLS cannot be set up: {error}")))?;
        if plain {
            // Reading the system's certificates costs milliseconds, and no certificate will be asked for.
            return Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth());
        }
        let verifier = Verifier::new_with_extra_roots(self.roots.iter().cloned(), provider).map_err(|error| {
            configuration(&format!(
                "no certificate authorities: {error}; install the system's ca-certificates, or set SSL_CERT_FILE"
            ))
        })?;
        Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
    }
}

/// The one place that names the cryptography.
fn crypto() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn configuration(why: &str) -> Error {
    Error::new(ErrorKind::Configuration, why)
}
