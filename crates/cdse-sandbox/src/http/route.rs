//! Paths.

use crate::endpoint::Endpoint;
use crate::host::Host;
use crate::realm::Realm;
use crate::state::BASE_PATH;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Token,
    Logout,
    Revoke,
    Userinfo,
    Sessions,
    Session(&'a str),
    Devices,
    DeviceFlow,
    Discovery,
    Resource,
    UnknownRealm,
    Unknown,
    /// Anything at the catalogue.
    Catalogue,
    /// Anything at the download host.
    Download,
    /// Anything at the STAC host.
    Stac,
    /// The control interface, with what follows `/sandbox/`.
    Control(&'a str),
}

impl<'a> Route<'a> {
    pub(super) fn of(host: Host, path: &'a str) -> Self {
        match host {
            Host::Identity => Self::of_identity(path),
            Host::Catalogue => Self::Catalogue,
            Host::Download => Self::Download,
            Host::Stac => Self::Stac,
        }
    }

    fn of_identity(path: &'a str) -> Self {
        if let Some(rest) = path.strip_prefix("/sandbox/") {
            return Self::Control(rest);
        }
        if path.strip_prefix("/odata/v1/Products(").is_some_and(|rest| rest.ends_with(")/$value")) {
            return Self::Resource;
        }
        let Some(rest) = path.strip_prefix(BASE_PATH).and_then(|rest| rest.strip_prefix("/realms/")) else {
            return Self::Unknown;
        };
        let (realm, rest) = rest.split_once('/').unwrap_or((rest, ""));
        if realm != Realm::NAME {
            return Self::UnknownRealm;
        }
        match rest.strip_suffix('/').unwrap_or(rest) {
            "protocol/openid-connect/token" => Self::Token,
            "protocol/openid-connect/logout" => Self::Logout,
            "protocol/openid-connect/revoke" => Self::Revoke,
            "protocol/openid-connect/userinfo" => Self::Userinfo,
            "protocol/openid-connect/auth/device" => Self::DeviceFlow,
            "account/sessions" => Self::Sessions,
            "account/sessions/devices" => Self::Devices,
            ".well-known/openid-configuration" => Self::Discovery,
            rest => match rest.strip_prefix("account/sessions/") {
                Some(id) if !id.contains('/') => Self::Session(id),
                _ => Self::Unknown,
            },
        }
    }

    pub(super) fn endpoint(self) -> Endpoint {
        match self {
            Self::Token => Endpoint::Token,
            Self::Logout => Endpoint::Logout,
            Self::Revoke => Endpoint::Revoke,
            Self::Userinfo => Endpoint::Userinfo,
            Self::Sessions | Self::Session(_) | Self::Devices => Endpoint::Account,
            Self::Discovery => Endpoint::Discovery,
            Self::Resource => Endpoint::Resource,
            Self::Catalogue => Endpoint::Catalogue,
            Self::Download => Endpoint::Download,
            Self::Stac => Endpoint::Stac,
            Self::DeviceFlow | Self::UnknownRealm | Self::Unknown | Self::Control(_) => Endpoint::Any,
        }
    }
}
