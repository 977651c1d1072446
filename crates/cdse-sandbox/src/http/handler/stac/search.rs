//! Item search: by collections and ids, in pages.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::super::answer::Answer;
use super::super::super::form::Form;
use super::item;
use super::place::Place;
use super::problem::Problem;

/// A page has so many items, unless told otherwise.
const LIMIT: usize = 10;

#[derive(Debug, Default, Deserialize)]
struct Search {
    collections: Option<Vec<String>>,
    ids: Option<Vec<String>>,
    limit: Option<usize>,
    token: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

pub(super) fn post(place: &Place<'_>, body: &[u8]) -> Result<Answer, Problem> {
    let invalid = |error: serde_json::Error| Problem::invalid(error.to_string());
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(invalid)?;
    let search: Search = serde_json::from_value(Value::Object(body.clone())).map_err(invalid)?;
    answer(place, &search, |href, token| {
        let mut body = body;
        body.insert("token".to_owned(), json!(token));
        json!({ "rel": "next", "type": "application/geo+json", "method": "POST", "href": href, "body": body })
    })
}

pub(super) fn get(place: &Place<'_>, form: Form) -> Result<Answer, Problem> {
    let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut search = Search::default();
    for (name, value) in form.fields() {
        match name.as_str() {
            "collections" => search.collections = Some(list(value)),
            "ids" => search.ids = Some(list(value)),
            "limit" => {
                let limit = value.parse().map_err(|error| Problem::invalid(format!("limit: {error}")))?;
                search.limit = Some(limit);
            }
            "token" => search.token = Some(value.clone()),
            _ => {
                search.others.insert(name.clone(), json!(value));
            }
        }
    }
    answer(place, &search, |href, token| {
        let href = format!("{href}?{}", form.with("token", token).encode());
        json!({ "rel": "next", "type": "application/geo+json", "method": "GET", "href": href })
    })
}

/// `next` makes the link to the next page, from where the search is and a token.
fn answer(place: &Place<'_>, search: &Search, next: impl FnOnce(&str, String) -> Value) -> Result<Answer, Problem> {
    // Half an answer would look like a whole one.
    if let Some(name) = search.others.keys().next() {
        return Err(Problem::invalid(format!("{name} is not implemented here")));
    }
    let limit = search.limit.unwrap_or(LIMIT);
    if limit == 0 {
        return Err(Problem::invalid("limit: must be greater than 0".to_owned()));
    }
    let among =
        |list: &Option<Vec<String>>, text: &str| list.as_ref().is_none_or(|list| list.iter().any(|one| one == text));
    let found: Vec<_> = item::all(place)
        .filter(|(collection, product)| among(&search.collections, collection) && among(&search.ids, product.item_id()))
        .collect();
    let token = |index: usize| found.get(index).map(|(of, product)| format!("next:{of}:{}", product.item_id()));
    let start = match &search.token {
        None => 0,
        // It names the last item of the page before.
        Some(given) => (0..found.len())
            .find(|&index| token(index).as_ref() == Some(given))
            .map(|index| index + 1)
            .ok_or_else(|| Problem::invalid("token: names no item that was found".to_owned()))?,
    };
    let page: Vec<_> =
        found.iter().skip(start).take(limit).map(|(of, product)| item::item(place, of, product)).collect();
    let href = format!("{}/search", place.root);
    let end = start + page.len();
    let mut links = vec![
        json!({ "rel": "root", "type": "application/json", "href": format!("{}/", place.root) }),
        json!({ "rel": "self", "type": "application/geo+json", "href": href }),
    ];
    if let Some(last) = token(end.wrapping_sub(1)).filter(|_| end < found.len()) {
        links.push(next(&href, last));
    }
    let collection =
        json!({ "type": "FeatureCollection", "features": page, "links": links, "numberReturned": page.len() });
    Ok(Answer::json(200, &collection).content_type("application/geo+json"))
}
