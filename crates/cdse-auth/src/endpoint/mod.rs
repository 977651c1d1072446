//! The identity service: where it is, one request, and what its answer means.

mod account;
mod address;
mod answer;
mod authorities;
mod client;
mod crypto;
mod exchange;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzz;
#[cfg(cdse_model)]
pub mod modelled;
mod probe;
mod proxy;
mod request_error;
mod sender;
mod transport;

pub use account::AccountSession;
pub(crate) use account::Reply;
pub(crate) use address::Endpoints;
pub(crate) use answer::{Exchange, GrantType, blocked, is_blocked, jwt_times};
pub(crate) use exchange::{FAREWELL, Service};
pub use probe::Probe;
pub use proxy::Proxy;
pub use sender::{HttpSend, SendError};
pub use transport::TransportConfig;

/// The realm of the Copernicus Data Space Ecosystem.
pub const DEFAULT_REALM_URL: &str = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE";
