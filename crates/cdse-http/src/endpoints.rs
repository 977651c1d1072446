//! The addresses of the services.

use std::error::Error;
use std::fmt;

use url::{Host, Url};

/// A data service of CDSE.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Service {
    /// The catalogue (OData). It redirects downloads to [`Download`](Self::Download).
    Catalogue,
    /// Products and their files.
    Download,
    /// Products and their files, without a redirect: what the assets of STAC items point to.
    Zipper,
    /// The SpatioTemporal Asset Catalog.
    Stac,
    /// The Sentinel Hub APIs.
    SentinelHub,
}

/// All services: each with its name, the variable that sets its address, and the address that CDSE has.
pub const SERVICES: &[(Service, &str, &str, &str)] = &[
    (Service::Catalogue, "catalogue", "CDSE_CATALOGUE_URL", "https://catalogue.dataspace.copernicus.eu"),
    (Service::Download, "download", "CDSE_DOWNLOAD_URL", "https://download.dataspace.copernicus.eu"),
    (Service::Zipper, "zipper", "CDSE_ZIPPER_URL", "https://zipper.dataspace.copernicus.eu"),
    (Service::Stac, "stac", "CDSE_STAC_URL", "https://stac.dataspace.copernicus.eu"),
    (Service::SentinelHub, "sentinel-hub", "CDSE_SENTINEL_HUB_URL", "https://sh.dataspace.copernicus.eu"),
];

/// The addresses of the services: CDSE's own, or what the user set. A token goes to their origins (scheme, host and port;
/// RFC 6454 §4) and nowhere else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoints(Vec<(Service, Url)>);

impl Default for Endpoints {
    /// CDSE's own.
    fn default() -> Self {
        let known = SERVICES.iter().filter_map(|(service, _, _, address)| Some((*service, address.parse().ok()?)));
        Self(known.collect())
    }
}

impl Endpoints {
    /// CDSE's own, but for the variables of [`SERVICES`] that `variable` has. An empty one counts as unset. Without a variable
    /// of its own the zipper is where a download address that was set is, for what stands in for one stands in for both.
    ///
    /// # Errors
    ///
    /// [`InvalidEndpoint`] for one that is not an `https` address, or, to this machine (`localhost`, `127.0.0.0/8`, `::1`), an
    /// `http` one; and for one that has a user, a query or a fragment.
    ///
    /// ```
    /// use cdse_http::{Endpoints, Service};
    ///
    /// let variable = |name: &str| (name == "CDSE_STAC_URL").then(|| "http://127.0.0.1:8080".to_owned());
    /// let endpoints = Endpoints::from_variables(variable)?;
    /// assert_eq!(endpoints.get(Service::Stac).unwrap().as_str(), "http://127.0.0.1:8080/");
    /// # Ok::<(), cdse_http::InvalidEndpoint>(())
    /// ```
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidEndpoint> {
        let set = |name: &'static str| {
            let value = variable(name).filter(|value| !value.is_empty());
            value.map(|value| check(&value).map_err(|why| InvalidEndpoint { name, why })).transpose()
        };
        let mut endpoints = Self::default();
        for (service, _, name, _) in SERVICES {
            let address = match (set(name)?, service) {
                (None, Service::Zipper) => set("CDSE_DOWNLOAD_URL")?,
                (address, _) => address,
            };
            if let Some(address) = address
                && let Some(known) = endpoints.0.iter_mut().find(|(known, _)| known == service)
            {
                known.1 = address;
            }
        }
        Ok(endpoints)
    }

    /// The address of a service.
    #[must_use]
    pub fn get(&self, service: Service) -> Option<&Url> {
        self.0.iter().find(|(known, _)| *known == service).map(|(_, address)| address)
    }

    /// Their origins, each once, in the order of [`SERVICES`]: `https://download.dataspace.copernicus.eu`.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        let mut origins = Vec::new();
        for (_, address) in &self.0 {
            let origin = address.origin().ascii_serialization();
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        origins
    }

    /// Whether a token may go to this address: its origin is that of a service.
    #[must_use]
    pub fn may_see_token(&self, address: &Url) -> bool {
        self.0.iter().any(|(_, known)| known.origin() == address.origin())
    }
}

/// A variable whose value is not an address to which a token may go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidEndpoint {
    name: &'static str,
    why: &'static str,
}

impl InvalidEndpoint {
    /// The variable.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Display for InvalidEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.why)
    }
}

impl Error for InvalidEndpoint {}

fn check(value: &str) -> Result<Url, &'static str> {
    let address = Url::parse(value).map_err(|_| "is not an address, such as https://HOST")?;
    let is_here = match address.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match address.scheme() {
        "https" => {}
        "http" if is_here => {}
        "http" => return Err("must be an https address: a token goes unencrypted to this machine only"),
        _ => return Err("must be an https address"),
    }
    if !address.username().is_empty() || address.password().is_some() {
        return Err("must have no user in it");
    }
    if address.query().is_some() || address.fragment().is_some() {
        return Err("must have no query and no fragment");
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_see(endpoints: &Endpoints, address: &str) -> bool {
        endpoints.may_see_token(&address.parse().unwrap())
    }

    #[test]
    fn t1_a_token_goes_to_the_origin_of_a_service_and_nowhere_else() {
        let endpoints = Endpoints::default();
        for (_, _, _, address) in SERVICES {
            assert!(may_see(&endpoints, address) && may_see(&endpoints, &format!("{address}:443/a?b")), "{address}");
        }
        for other in [
            "http://download.dataspace.copernicus.eu/",
            "https://download.dataspace.copernicus.eu:8443/",
            "https://download.dataspace.copernicus.eu.example.org/",
            "https://download.dataspace.copernicus.eu@example.org/",
            "https://dataspace.copernicus.eu/",
            "https://identity.dataspace.copernicus.eu/",
            "data:text/plain,x",
            "file:///etc/passwd",
        ] {
            assert!(!may_see(&endpoints, other), "{other}");
        }
    }

    #[test]
    fn t1_an_address_that_was_set_takes_the_place_of_cdses_own() {
        let endpoints = Endpoints::from_variables(|name| match name {
            "CDSE_DOWNLOAD_URL" => Some("http://127.0.0.1:4000/odata".to_owned()),
            "CDSE_STAC_URL" => Some(String::new()),
            _ => None,
        });
        let endpoints = endpoints.unwrap();
        assert!(
            may_see(&endpoints, "http://127.0.0.1:4000/")
                && may_see(&endpoints, "https://stac.dataspace.copernicus.eu")
        );
        for other in [
            "https://download.dataspace.copernicus.eu/",
            "https://zipper.dataspace.copernicus.eu/",
            "http://localhost:4000/",
        ] {
            assert!(!may_see(&endpoints, other), "{other}");
        }
        assert_eq!(endpoints.origins().iter().filter(|origin| *origin == "http://127.0.0.1:4000").count(), 1);
    }

    #[test]
    fn t1_a_token_goes_unencrypted_to_this_machine_only() {
        for (value, is_good) in [
            ("https://example.org", true),
            ("http://localhost:80", true),
            ("http://[::1]:80", true),
            ("http://127.8.0.1", true),
            ("http://example.org", false),
            ("http://localhost.example.org", false),
            ("http://10.0.0.1", false),
            ("ftp://localhost", false),
            ("https://user@example.org", false),
            ("https://example.org?a", false),
            ("example.org", false),
        ] {
            let set = |name: &str| (name == "CDSE_CATALOGUE_URL").then(|| value.to_owned());
            let endpoints = Endpoints::from_variables(set);
            assert_eq!(endpoints.is_ok(), is_good, "{value}");
            assert!(endpoints.err().is_none_or(|error| error.to_string().starts_with("CDSE_CATALOGUE_URL ")));
        }
    }
}
