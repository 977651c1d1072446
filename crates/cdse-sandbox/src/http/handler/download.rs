//! The download host: products, their parts, and lists of these. It knows no ranges: who asks for one gets the whole.

use hyper::Method;
use hyper::header::WWW_AUTHENTICATE;
use serde::Serialize;

use super::super::answer::Answer;
use super::super::received::Received;
use super::path::{self, Asked, ProductPath};
use crate::data::{Content, Deliveries, Delivery, Node, Package};
use crate::random;
use crate::realm::BearerRefusal;
use crate::state::{Core, Site};

/// Stands for the codes that are not known.
const UNKNOWN_CODE: &str = "DAT-ZIP-999";

/// Why there is nothing to get.
struct Refusal(u16, &'static str, String);

impl Refusal {
    fn new(status: u16, code: &'static str, message: &str) -> Self {
        Self(status, code, message.to_owned())
    }
}

pub(super) fn answer(core: &mut Core, site: &Site, request: &Received) -> Answer {
    let path = ProductPath::parse(request.path());
    let is_value = path.as_ref().is_some_and(|path| path.asked == Asked::Value);
    let answer = path
        .filter(|path| path.asked != Asked::Metadata)
        .ok_or_else(|| Refusal::new(400, "DAT-ZIP-104", "Malformed OData request path"))
        .and_then(|path| get(core, site, &path, request));
    let counters = &mut core.record.counters;
    if is_value {
        *(if answer.is_ok() { &mut counters.downloads_ok } else { &mut counters.downloads_refused }) += 1;
    }
    answer.unwrap_or_else(|Refusal(status, code, message)| {
        let trace = random::uuid().replace('-', "");
        let answer = Answer::json(status, &Problem { trace_id: &trace, code, message: &message });
        if status == 401 { answer.header(WWW_AUTHENTICATE.as_str(), "Bearer") } else { answer }
    })
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "trace-id")]
    trace_id: &'a str,
    code: &'a str,
    message: &'a str,
}

fn get(core: &mut Core, site: &Site, path: &ProductPath, request: &Received) -> Result<Answer, Refusal> {
    if request.method() != Method::GET {
        return Err(Refusal::new(405, UNKNOWN_CODE, "Method not allowed"));
    }
    if !path.has_uuid() {
        return Err(Refusal::new(422, "DAT-ZIP-111", "Malformed product id"));
    }
    let account = match path.asked {
        Asked::Value => Some(account(core, request)?),
        Asked::Metadata | Asked::Nodes => None,
    };
    let missing = || Refusal::new(404, UNKNOWN_CODE, "Not found");
    let product = site.products.get(&path.id).ok_or_else(missing)?;
    let node = if path.nodes.is_empty() { None } else { Some(product.node(&path.nodes).ok_or_else(missing)?) };
    let Some(account) = account else { return Ok(list(site, path, node, &product.root)) };
    let delivery = begin(core, &account)?;
    let package = node.map_or_else(|| product.package.clone(), Package::new);
    let mut answer = Answer::empty(200)
        .header("content-type", package.media_type)
        .header("content-disposition", &format!("attachment; filename={}", package.name));
    answer.body = package.content;
    answer.delivery = Some(delivery);
    Ok(answer)
}

/// Whose download it is.
fn account(core: &Core, request: &Received) -> Result<String, Refusal> {
    let refusal = |code, message| Refusal::new(401, code, message);
    let token = request.bearer().ok_or_else(|| refusal("DAT-ZIP-604", "Token not found"))?;
    match core.realm.bearer(core.seconds(), token) {
        Ok(Some(user)) => Ok(user.to_owned()),
        // Tokens of service accounts are for nobody in particular.
        Ok(None) => Err(refusal("DAT-ZIP-609", "Token audience not allowed")),
        Err(BearerRefusal::Expired) => Err(refusal("DAT-ZIP-109", "Token is expired")),
        Err(_) => Err(refusal("DAT-ZIP-109", "Token is invalid")),
    }
}

fn begin(core: &mut Core, account: &str) -> Result<Delivery, Refusal> {
    let delivery = core
        .deliveries
        .begin(account)
        .ok_or_else(|| Refusal(429, "DAT-ZIP-100", format!("Max session number {} exceeded.", Deliveries::LIMIT)))?;
    let most = &mut core.record.counters.max_concurrent_downloads;
    *most = core.deliveries.under_way().max(*most);
    Ok(delivery)
}

#[derive(Serialize)]
struct List<'a> {
    result: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    id: &'a str,
    name: &'a str,
    content_length: u64,
    children_number: usize,
    nodes: Below,
}

#[derive(Serialize)]
struct Below {
    uri: String,
}

/// What is in a node; on top of all is the root alone.
fn list(site: &Site, path: &ProductPath, node: Option<&Node>, root: &Node) -> Answer {
    let nodes = node.map_or(std::slice::from_ref(root), Node::children);
    let entry = |node| {
        let names = path.nodes.iter().map(String::as_str).chain([Node::name(node)]);
        Entry {
            id: node.name(),
            name: node.name(),
            content_length: node.content().map_or(0, Content::len),
            children_number: node.children().len(),
            nodes: Below { uri: path::url(&site.origins.download, &path.id, names, Asked::Nodes) },
        }
    };
    Answer::json(200, &List { result: nodes.iter().map(entry).collect() })
}
