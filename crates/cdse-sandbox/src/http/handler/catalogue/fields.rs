//! What an entity shows: fields that can be selected, and what can be shown beside them.

use super::problem::Problem;

/// The fields that can be selected; `Id` comes along in any case.
pub(super) const NAMES: [&str; 14] = [
    "Id",
    "Name",
    "ContentType",
    "ContentLength",
    "OriginDate",
    "PublicationDate",
    "ModificationDate",
    "Online",
    "EvictionDate",
    "S3Path",
    "Checksum",
    "ContentDate",
    "Footprint",
    // Not as the field itself is spelled.
    "Geofootprint",
];

/// What is shown beside the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expand {
    Attributes,
    Assets,
    Locations,
}

impl Expand {
    pub(super) fn parse(name: &str) -> Result<Self, Problem> {
        match name {
            "Attributes" => Ok(Self::Attributes),
            "Assets" => Ok(Self::Assets),
            "Locations" => Ok(Self::Locations),
            _ => Err(Problem::Refused(
                400,
                "Expand parameter only accepts following values: Assets, Attributes, Locations.".to_owned(),
            )),
        }
    }

    /// How the context of an answer names them.
    pub(super) fn context(expand: &[Self]) -> String {
        let names: Vec<_> = expand.iter().map(|expand| format!("{expand:?}()")).collect();
        if names.is_empty() { String::new() } else { format!("({})", names.join(",")) }
    }
}
