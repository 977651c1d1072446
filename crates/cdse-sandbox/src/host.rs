//! The hosts of the service, each a port of its own.

use std::net::SocketAddr;

use serde::Serialize;

/// A host that the service stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// The identity service.
    Identity,
    /// The OData catalogue.
    Catalogue,
    /// The download host.
    Download,
    /// The STAC API.
    Stac,
}

/// Where each host is: `http://127.0.0.1:PORT`.
#[derive(Debug)]
pub(crate) struct Origins {
    pub(crate) identity: String,
    pub(crate) catalogue: String,
    pub(crate) download: String,
    pub(crate) stac: String,
}

impl Origins {
    /// The addresses are in the order in which [`Host`] has the hosts.
    pub(crate) fn new(addresses: &[SocketAddr; 4]) -> Self {
        let [identity, catalogue, download, stac] = addresses.map(|address| format!("http://{address}"));
        Self { identity, catalogue, download, stac }
    }
}
