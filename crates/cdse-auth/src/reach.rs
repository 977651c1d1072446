//! Which services a credential reaches.
//!
//! A token looks the same whoever obtained it, and the wrong one is refused late and without a reason that helps: a
//! machine client's token gets `DAT-ZIP-609` from the download service.

use std::fmt;

use DataService::{Account, Catalogue, Download, OpenEo, S3Keys, SentinelHub, Stac, Subscriptions};

use crate::error::{Error, ErrorKind, Result};
use crate::record::Grant;

/// A service of the Copernicus Data Space Ecosystem that takes an access token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DataService {
    /// Product downloads (OData `$value`).
    Download,
    /// The manager of S3 keys.
    S3Keys,
    /// Subscriptions to new products.
    Subscriptions,
    /// The OData catalogue.
    Catalogue,
    /// The STAC catalogue.
    Stac,
    /// Sentinel Hub.
    SentinelHub,
    /// openEO.
    OpenEo,
    /// The account's own sessions, at the identity service.
    Account,
}

impl DataService {
    /// All services.
    pub const ALL: &[Self] = &[Download, S3Keys, Subscriptions, Catalogue, Stac, SentinelHub, OpenEo, Account];

    /// A stable name for programs, such as `s3-keys`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::S3Keys => "s3-keys",
            Self::Subscriptions => "subscriptions",
            Self::Catalogue => "catalogue",
            Self::Stac => "stac",
            Self::SentinelHub => "sentinel-hub",
            Self::OpenEo => "openeo",
            Self::Account => "account",
        }
    }
}

impl fmt::Display for DataService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const USER: &[DataService] = &[Download, S3Keys, Subscriptions, Catalogue, Stac, Account, SentinelHub, OpenEo];
/// What is known to fail is left out: downloads answer `DAT-ZIP-609`, S3 keys are minted and then refused, and a client has
/// no account. A user's token is refused nowhere before it was tried.
const CLIENT: &[DataService] = &[SentinelHub, OpenEo, Catalogue];

impl Grant {
    /// The services that a credential of this kind reaches. Empty for a given access token, whose owner is not known.
    #[must_use]
    pub fn reach(self) -> &'static [DataService] {
        match self {
            Self::ClientCredentials => CLIENT,
            Self::AccessToken => &[],
            _ => USER,
        }
    }

    /// Checks before a request whether this kind of credential reaches `service`. A given access token always passes.
    ///
    /// ```
    /// use cdse_auth::{DataService, ErrorKind, Grant};
    ///
    /// assert!(Grant::Password.check_reach(DataService::Download).is_ok());
    /// let error = Grant::ClientCredentials.check_reach(DataService::Download).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::WrongCredential);
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongCredential`] if it does not.
    pub fn check_reach(self, service: DataService) -> Result<()> {
        if self == Self::AccessToken || self.reach().contains(&service) {
            return Ok(());
        }
        let names: Vec<&str> = self.reach().iter().map(|service| service.name()).collect();
        let why = format!("the token of an OAuth client is not accepted by {service}, only by {}", names.join(", "));
        Err(Error::new(ErrorKind::WrongCredential, why).with_hint("log in as a user"))
    }
}
