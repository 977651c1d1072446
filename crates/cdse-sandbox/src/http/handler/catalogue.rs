//! The OData catalogue: products found by name, one product, and the way to the download host.

mod entity;
mod fields;
mod problem;
mod query;

use hyper::Method;
use serde_json::json;

use super::super::answer::Answer;
use super::super::received::Received;
use super::path::{Asked, ProductPath};
use crate::data::Product;
use crate::random;
use crate::state::{Core, Site};
use entity::Entity;
use fields::Expand;
use problem::Problem;
use query::Query;

const LIST: &str = "/odata/v1/Products";

pub(super) fn answer(core: &Core, site: &Site, request: &Received) -> Answer {
    let path = ProductPath::parse(request.path());
    // This is decided before anything looks at the token, or at the product.
    if path.as_ref().is_some_and(|path| path.asked != Asked::Metadata) {
        return redirect(&format!("{}{}", site.origins.download, request.target()));
    }
    let request_id = random::uuid();
    let answer = if path.is_none() && request.path() != LIST {
        Answer::json(404, &json!({ "detail": "Not Found" }))
    } else if request.method() != Method::GET {
        Answer::json(405, &json!({ "detail": "Method Not Allowed" })).header("allow", "GET")
    } else if request.bearer().is_some_and(|token| core.realm.check_bearer(core.seconds(), token).is_err()) {
        Problem::Refused(403, "Access token is not valid.".to_owned()).answer(&request_id)
    } else {
        match path {
            Some(path) => one(site, &path, request),
            None => list(site, request),
        }
        .unwrap_or_else(|problem| problem.answer(&request_id))
    };
    answer.header("request-id", &request_id)
}

fn redirect(location: &str) -> Answer {
    let body = "<html>\r\n<head><title>301 Moved Permanently</title></head>\r\n<body>\r\n\
                <center><h1>301 Moved Permanently</h1></center>\r\n</body>\r\n</html>\r\n";
    Answer::scripted(301, Vec::new(), body.into()).header("content-type", "text/html").header("location", location)
}

fn one(site: &Site, path: &ProductPath, request: &Received) -> Result<Answer, Problem> {
    if !path.has_uuid() {
        return Err(Problem::invalid("uuid_parsing", ["path", "product_id"], "Input should be a valid UUID", &path.id));
    }
    let query = Query::parse(&request.query())?;
    let missing = || Problem::Refused(404, format!("Product with id {} not found.", path.id));
    let product = site.products.get(&path.id).ok_or_else(missing)?;
    let context = format!("$metadata#Products{}/$entity", Expand::context(&query.expand));
    Ok(Answer::json(200, &Entity::new(product, site, &query).below(&context)))
}

fn list(site: &Site, request: &Received) -> Result<Answer, Problem> {
    let query = Query::parse(&request.query())?;
    let mut found: Vec<&Product> =
        site.products.all().filter(|product| query.filter.as_ref().is_none_or(|filter| filter.fits(product))).collect();
    query.sort(&mut found);
    let page = found.iter().skip(query.skip).take(query.top).map(|product| Entity::new(product, site, &query));
    let list = entity::List {
        context: format!("$metadata#Products{}", Expand::context(&query.expand)),
        count: query.count.then_some(found.len()),
        value: page.collect(),
        next: None,
    };
    let is_full = list.value.len() == query.top;
    let next = query.next(&format!("{}{LIST}", site.origins.catalogue)).filter(|_| is_full);
    Ok(Answer::json(200, &entity::List { next, ..list }))
}
