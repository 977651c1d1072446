//! Services by name, as an option's value.

use cdse_auth::DataService;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// One of the names, such as `s3-keys`.
pub(crate) fn parser() -> impl TypedValueParser<Value = DataService> {
    let names = DataService::ALL.iter().map(|service| service.name());
    PossibleValuesParser::new(names).try_map(|name| {
        DataService::ALL.iter().find(|service| service.name() == name).copied().ok_or("unknown service")
    })
}
