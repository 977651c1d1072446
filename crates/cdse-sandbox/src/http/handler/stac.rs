//! The STAC API: the same products, as items. Nobody is asked for a token.

mod collection;
mod item;
mod place;
mod problem;
mod search;

use hyper::Method;
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::super::answer::Answer;
use super::super::received::Received;
use crate::state::{Core, Site};
use place::{Place, VERSION};

pub(super) fn answer(core: &Core, site: &Site, request: &Received) -> Answer {
    let path = percent_decode_str(request.path()).decode_utf8_lossy();
    let path = path.strip_suffix('/').unwrap_or(&path);
    let place = Place { root: format!("{}/v1", site.origins.stac), site, issuer: &core.realm.issuer };
    let mut names = path.split('/').skip(1);
    if names.next() != Some("v1") {
        return not_found_at_all();
    }
    let names: Vec<_> = names.collect();
    let is_get = request.method() == Method::GET;
    let answer = match names[..] {
        ["search"] if request.method() == Method::POST => search::post(&place, &request.body),
        _ if !is_get => return Answer::json(405, &json!({ "detail": "Method Not Allowed" })),
        [] => Ok(landing(&place)),
        ["search"] => search::get(&place, request.query()),
        ["collections"] => collection::list(&place, &request.query()),
        ["collections", id] => collection::one(&place, id),
        ["collections", collection, "items", id] => item::one(&place, collection, id),
        _ => return not_found_at_all(),
    };
    answer.unwrap_or_else(|problem| problem.answer())
}

fn not_found_at_all() -> Answer {
    Answer::json(404, &json!({ "detail": "Not Found" }))
}

fn landing(place: &Place<'_>) -> Answer {
    let Place { root, .. } = place;
    Answer::json(
        200,
        &json!({
            "type": "Catalog",
            "stac_version": VERSION,
            "id": "cdse-sandbox",
            "title": "Sandbox",
            "description": "A few invented products.",
            "conformsTo": [
                "https://api.stacspec.org/v1.0.0/core",
                "https://api.stacspec.org/v1.0.0/collections",
                "https://api.stacspec.org/v1.0.0/item-search",
            ],
            "links": [
                { "rel": "self", "type": "application/json", "href": format!("{root}/") },
                { "rel": "root", "type": "application/json", "href": format!("{root}/") },
                { "rel": "data", "type": "application/json", "href": format!("{root}/collections") },
                { "rel": "search", "type": "application/geo+json", "href": format!("{root}/search"), "method": "GET" },
                { "rel": "search", "type": "application/geo+json", "href": format!("{root}/search"), "method": "POST" },
            ],
        }),
    )
}
