//! Collections.

use serde_json::{Value, json};

use super::super::super::answer::Answer;
use super::super::super::form::Form;
use super::place::{Place, VERSION};
use super::problem::Problem;

/// The ids and titles of those that have items here.
const COLLECTIONS: [(&str, &str); 3] = [
    ("sentinel-1-grd", "Sentinel-1 Level-1 GRD"),
    ("sentinel-2-l1c", "Sentinel-2 Level-1C"),
    ("sentinel-2-l2a", "Sentinel-2 Level-2A"),
];

/// A page of them has so many, unless told otherwise.
const LIMIT: usize = 10;

const LARGEST_LIMIT: usize = 200;

pub(super) fn one(place: &Place<'_>, id: &str) -> Result<Answer, Problem> {
    let found = COLLECTIONS.into_iter().find(|(known, _)| *known == id);
    let (id, title) = found.ok_or_else(|| Problem::missing("Collection", id))?;
    Ok(Answer::json(200, &collection(place, id, title)))
}

pub(super) fn list(place: &Place<'_>, form: &Form) -> Result<Answer, Problem> {
    let number = |name, default| match form.get(name).map(str::parse::<usize>) {
        None => Ok(default),
        Some(Ok(number)) => Ok(number),
        Some(Err(error)) => Err(Problem::invalid(format!("{name}: {error}"))),
    };
    let limit = number("limit", LIMIT)?.min(LARGEST_LIMIT);
    let offset = number("offset", 0)?;
    let page: Vec<_> =
        COLLECTIONS.into_iter().skip(offset).take(limit).map(|(id, title)| collection(place, id, title)).collect();
    let list = format!("{}/collections", place.root);
    let mut links = vec![
        json!({ "rel": "self", "type": "application/json", "href": list }),
        json!({ "rel": "root", "type": "application/json", "href": format!("{}/", place.root) }),
    ];
    let end = offset.saturating_add(page.len());
    if !page.is_empty() && end < COLLECTIONS.len() {
        let next = form.clone().with("offset", end.to_string()).encode();
        links.push(
            json!({ "rel": "next", "type": "application/json", "method": "GET", "href": format!("{list}?{next}") }),
        );
    }
    Ok(Answer::json(200, &json!({ "collections": page, "links": links })))
}

fn collection(place: &Place<'_>, id: &str, title: &str) -> Value {
    let root = &place.root;
    json!({
        "type": "Collection",
        "stac_version": VERSION,
        "id": id,
        "title": title,
        "description": format!("{title}, a few invented products of it."),
        "license": "other",
        "extent": {
            "spatial": { "bbox": [[-180, -90, 180, 90]] },
            "temporal": { "interval": [["2014-10-03T00:00:00Z", null]] },
        },
        "links": [
            { "rel": "self", "type": "application/json", "href": format!("{root}/collections/{id}") },
            { "rel": "parent", "type": "application/json", "href": format!("{root}/") },
            { "rel": "root", "type": "application/json", "href": format!("{root}/") },
        ],
    })
}
