//! Products in the words of OData; the keys stand in its order.

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, Value, to_raw_value};

use super::super::path::{self, Asked};
use super::fields::Expand;
use super::query::Query;
use crate::data::{Bounds, Product};
use crate::state::Site;

#[derive(Serialize)]
pub(super) struct List {
    #[serde(rename = "@odata.context")]
    pub(super) context: String,
    #[serde(rename = "@odata.count", skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<usize>,
    pub(super) value: Vec<Entity>,
    #[serde(rename = "@odata.nextLink", skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// A product as an object whose keys stand in this order.
pub(super) struct Entity(Vec<(&'static str, Box<RawValue>)>);

impl Serialize for Entity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Checksum<'a> {
    value: &'a str,
    algorithm: &'a str,
    checksum_date: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ContentDate<'a> {
    start: &'a str,
    end: &'a str,
}

#[derive(Serialize)]
struct Polygon {
    r#type: &'static str,
    coordinates: [[[f64; 2]; 5]; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute<'a> {
    #[serde(rename = "@odata.type")]
    odata_type: String,
    name: &'a str,
    value: &'a Value,
    value_type: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Location<'a> {
    format_type: &'a str,
    download_link: String,
    content_length: u64,
    checksum: [Checksum<'a>; 1],
    #[serde(rename = "S3Path")]
    s3_path: &'a str,
}

impl Entity {
    pub(super) fn new(product: &Product, site: &Site, query: &Query) -> Self {
        let about = &product.about;
        let s3_path = format!("{}/{}", about.s3_folder, about.name);
        let checksum = || [Checksum { value: &product.md5, algorithm: "MD5", checksum_date: about.published }];
        let mut entity = Self(Vec::new());
        entity.add("@odata.mediaContentType", "application/octet-stream");
        entity.add("Id", about.id);
        entity.add("Name", about.name);
        entity.add("ContentType", "application/octet-stream");
        entity.add("ContentLength", &product.package.content.len());
        entity.add("OriginDate", about.published);
        entity.add("PublicationDate", about.published);
        entity.add("ModificationDate", about.published);
        entity.add("Online", &true);
        entity.add("EvictionDate", "9999-12-31T23:59:59.999999Z");
        entity.add("S3Path", &s3_path);
        entity.add("Checksum", &checksum());
        entity.add("ContentDate", &ContentDate { start: about.start, end: about.end });
        entity.add("Footprint", &about.bounds.map(footprint));
        entity.add("GeoFootprint", &about.bounds.map(polygon));
        if let Some(select) = &query.select {
            entity.0.retain(|(key, _)| {
                let name = if *key == "GeoFootprint" { "Geofootprint" } else { key };
                ["@odata.mediaContentType", "Id"].contains(key) || select.iter().any(|selected| selected == name)
            });
        }
        for expand in &query.expand {
            match expand {
                Expand::Attributes => entity.add("Attributes", &attributes(product)),
                Expand::Assets => entity.add("Assets", &[(); 0]),
                Expand::Locations => entity.add(
                    "Locations",
                    &[Location {
                        format_type: "Extracted",
                        download_link: path::url(&site.origins.catalogue, about.id, [], Asked::Value),
                        content_length: product.package.content.len(),
                        checksum: checksum(),
                        s3_path: &s3_path,
                    }],
                ),
            }
        }
        entity
    }

    /// With a context, as an answer of its own.
    pub(super) fn below(mut self, context: &str) -> Self {
        self.add("@odata.context", context);
        self.0.rotate_right(1);
        self
    }

    fn add(&mut self, key: &'static str, value: &(impl Serialize + ?Sized)) {
        // Nothing that is added here cannot be written as JSON.
        self.0.extend(to_raw_value(value).ok().map(|value| (key, value)));
    }
}

fn footprint(bounds: Bounds) -> String {
    let points: Vec<_> = bounds.ring().iter().map(|[x, y]| format!("{x} {y}")).collect();
    format!("geography'SRID=4326;POLYGON (({}))'", points.join(", "))
}

fn polygon(bounds: Bounds) -> Polygon {
    Polygon { r#type: "Polygon", coordinates: [bounds.ring()] }
}

fn attributes(product: &Product) -> Vec<Attribute<'_>> {
    let attributes = product.about.attributes.iter();
    attributes
        .map(|(value_type, name, value)| Attribute {
            odata_type: format!("#OData.CSC.{value_type}Attribute"),
            name,
            value,
            value_type,
        })
        .collect()
}
