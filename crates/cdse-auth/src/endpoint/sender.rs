//! The seam between the library and an HTTP client.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use zeroize::Zeroize;

use crate::error::{Error, Result};

/// More of an answer is not read.
pub(super) const LARGEST: usize = 1 << 20;

/// Sends the library's requests: its own client does, or one that a program has already.
///
/// One call is one request. An implementation sends nothing twice, follows no redirect, and adds no credential or cookie of its
/// own: each of these could give a credential away, or spend a refresh token that works once. It sends each request on a
/// connection of its own, as `Connection: close` asks, for a client may repeat by itself what it sent on an idle one that had
/// died.
///
/// It is called on a thread of the library, never on an executor, and may block there.
///
/// ```
/// use std::time::Duration;
/// use bytes::Bytes;
/// use cdse_auth::{Error, ErrorKind, HttpSend, SendError};
///
/// #[derive(Debug)]
/// struct Offline;
///
/// impl HttpSend for Offline {
///     fn send(&self, _: http::Request<Bytes>, _: Duration) -> Result<http::Response<Bytes>, SendError> {
///         Err(SendError::unsent(Error::new(ErrorKind::Network, "this machine is offline")))
///     }
/// }
///
/// let provider = cdse_auth::ClientCredentialsAuth::new("sh-client", "not-a-real-secret");
/// let manager = cdse_auth::blocking::TokenManager::from(
///     cdse_auth::TokenManager::builder(provider).http(Offline).patience(Duration::ZERO).build()?,
/// );
/// assert_eq!(manager.authorization_header().unwrap_err().kind(), ErrorKind::Network);
/// # Ok::<(), cdse_auth::Error>(())
/// ```
pub trait HttpSend: fmt::Debug + Send + Sync {
    /// Sends the request and reads the whole answer, whatever its status, within `timeout` (at most 20 s). A process that
    /// takes longer is believed to be gone by those that share its store.
    ///
    /// # Errors
    ///
    /// [`SendError`] when no whole answer came. It says whether the service may have received the request.
    fn send(&self, request: http::Request<Bytes>, timeout: Duration) -> Result<http::Response<Bytes>, SendError>;

    /// Sets up what the first request would. Nothing is sent.
    ///
    /// # Errors
    ///
    /// When no request can be made.
    fn prepare(&self) -> Result<()> {
        Ok(())
    }
}

/// Why no answer came. A request that may have been received is not repeated with a refresh token, which works once.
#[derive(Clone, Debug)]
pub struct SendError {
    sent: bool,
    error: Error,
}

impl SendError {
    /// Nothing was sent: there was no connection, no address for the name, no certificate that is trusted.
    #[must_use]
    pub fn unsent(error: Error) -> Self {
        Self { sent: false, error }
    }

    /// The service may have received the request; its answer is lost.
    #[must_use]
    pub fn lost(error: Error) -> Self {
        Self { sent: true, error }
    }

    /// Whether the service may have received the request.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        self.sent
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        error.error
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for SendError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

/// In the extensions of a response: some of its body is missing. Only the status of an error may be used then.
#[derive(Clone, Copy)]
pub(super) struct Incomplete;

/// The body of an answer, which may hold tokens: wiped where nobody else has its bytes.
pub(crate) struct Body(pub(super) Bytes);

impl std::ops::Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Body {
    fn from(text: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(text))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Ok(mut bytes) = std::mem::take(&mut self.0).try_into_mut() {
            bytes.zeroize();
        }
    }
}
