//! Items.

use serde_json::{Map, Value, json};

use super::super::super::answer::Answer;
use super::super::path::{self, Asked};
use super::place::{Place, VERSION};
use super::problem::Problem;
use crate::data::{Content, Node, Product};

/// Before the digest of a checksum: that it is MD5, and has 16 bytes.
const MULTIHASH_MD5: &str = "d50110";

pub(super) fn one(place: &Place<'_>, collection: &str, id: &str) -> Result<Answer, Problem> {
    all(place)
        .find(|(of, product)| *of == collection && product.item_id() == id)
        .map(|(collection, product)| {
            Answer::json(200, &item(place, collection, product)).content_type("application/geo+json")
        })
        .ok_or_else(|| Problem::missing("Item", &format!("{id} in collection {collection}")))
}

/// The products that are items, with their collections.
pub(super) fn all<'a>(place: &Place<'a>) -> impl Iterator<Item = (&'static str, &'a Product)> {
    place.site.products.all().filter_map(|product| Some((product.about.stac_collection?, product)))
}

pub(super) fn item(place: &Place<'_>, collection: &str, product: &Product) -> Value {
    let about = &product.about;
    let (root, id) = (&place.root, product.item_id());
    let s3 = format!("s3:/{}/{}", about.s3_folder, about.name);
    json!({
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [
            "https://stac-extensions.github.io/alternate-assets/v1.2.0/schema.json",
            "https://stac-extensions.github.io/authentication/v1.1.0/schema.json",
            "https://stac-extensions.github.io/file/v2.1.0/schema.json",
            "https://stac-extensions.github.io/storage/v2.0.0/schema.json",
        ],
        "id": id,
        "collection": collection,
        "geometry": about.bounds.map(|bounds| json!({ "type": "Polygon", "coordinates": [bounds.ring()] })),
        "bbox": about.bounds.map(|bounds| [bounds.west, bounds.south, bounds.east, bounds.north]),
        "properties": properties(place, product),
        "links": [
            { "rel": "self", "type": "application/geo+json", "href": format!("{root}/collections/{collection}/items/{id}") },
            { "rel": "parent", "type": "application/json", "href": format!("{root}/collections/{collection}") },
            { "rel": "collection", "type": "application/json", "href": format!("{root}/collections/{collection}") },
            { "rel": "root", "type": "application/json", "href": format!("{root}/") },
            {
                "rel": "enclosure", "type": "application/x-directory", "title": "S3 path to source directory",
                "href": format!("{s3}/"), "auth:refs": ["s3"], "storage:refs": ["cdse-s3"],
            },
        ],
        "assets": assets(place, product, &s3),
    })
}

fn properties(place: &Place<'_>, product: &Product) -> Value {
    let about = &product.about;
    let mut properties = about.properties.clone();
    let common = json!({
        "datetime": about.start,
        "start_datetime": about.start,
        "end_datetime": about.end,
        "created": about.published,
        "updated": about.published,
        "published": about.published,
        "auth:schemes": {
            "s3": { "type": "s3" },
            "oidc": {
                "type": "openIdConnect",
                "openIdConnectUrl": format!("{}/.well-known/openid-configuration", place.issuer),
            },
        },
        "storage:schemes": {
            "cdse-s3": {
                "type": "custom-s3", "platform": "https://eodata.dataspace.copernicus.eu", "requester_pays": false,
            },
        },
    });
    if let (Value::Object(properties), Value::Object(common)) = (&mut properties, common) {
        properties.extend(common);
    }
    properties
}

/// The whole product at the download host, and its files on S3, which have the download host as an alternative.
fn assets(place: &Place<'_>, product: &Product, s3: &str) -> Map<String, Value> {
    let about = &product.about;
    let value = |names: &[&str]| path::url(&place.site.origins.download, about.id, names.iter().copied(), Asked::Value);
    let file = |(key, file): &(&str, String)| {
        let node = product.root.find(file.split('/'))?;
        let names: Vec<_> = [about.name].into_iter().chain(file.split('/')).collect();
        let (media_type, role) = kind(file);
        let asset = json!({
            "type": media_type,
            "roles": [role],
            "file:checksum": checksum(&node.md5()?),
            "file:size": Node::content(node).map(Content::len),
            "file:local_path": format!("{}/{file}", about.name),
            "href": format!("{s3}/{file}"),
            "alternate:name": "S3",
            "auth:refs": ["s3"],
            "storage:refs": ["cdse-s3"],
            "alternate": {
                "https": {
                    "href": value(&names), "alternate:name": "HTTPS", "auth:refs": ["oidc"], "storage:refs": [],
                },
            },
        });
        Some(((*key).to_owned(), asset))
    };
    let whole = json!({
        "type": product.package.media_type,
        "title": "Zipped product",
        "roles": ["data", "metadata", "archive"],
        "file:checksum": checksum(&product.md5),
        "file:size": product.package.content.len(),
        "file:local_path": product.package.name,
        "href": value(&[]),
        "auth:refs": ["oidc"],
    });
    about.assets.iter().filter_map(file).chain([("Product".to_owned(), whole)]).collect()
}

fn checksum(md5: &str) -> String {
    format!("{MULTIHASH_MD5}{md5}")
}

/// The media type and the role of a file.
fn kind(file: &str) -> (&'static str, &'static str) {
    match file.rsplit('.').next() {
        Some("tiff") => ("image/tiff; application=geotiff", "data"),
        Some("jp2") => ("image/jp2", "data"),
        _ => ("application/xml", "metadata"),
    }
}
