//! Where a token of the Copernicus Data Space Ecosystem goes.
//!
//! [`Endpoints`] has the addresses of its services, or those that the user set, and says which origins may see a token.
//! [`TokenFile`] is a file that holds a token for a program that reads it from there; whoever has a token manager keeps it
//! fresh.
//!
//! ```
//! use cdse_http::Endpoints;
//!
//! let endpoints = Endpoints::default();
//! assert!(endpoints.may_see_token(&"https://download.dataspace.copernicus.eu/odata/v1/".parse()?));
//! assert!(!endpoints.may_see_token(&"https://example.org/".parse()?));
//! # Ok::<(), url::ParseError>(())
//! ```

mod endpoints;
mod token_file;

pub use endpoints::{Endpoints, InvalidEndpoint, SERVICES, Service};
pub use token_file::{Form, Notice, TokenFile, TokenFileError, TokenFileErrorKind};
