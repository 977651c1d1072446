//! The protected resource: a product as the download host serves it.

use hyper::header::WWW_AUTHENTICATE;
use serde_json::json;

use super::super::answer::Answer;
use super::super::received::Received;
use crate::random;
use crate::realm::BearerRefusal;
use crate::state::Core;

/// One of its paths; every product id is good.
pub(crate) const PATH: &str = "/odata/v1/Products(a5ab498a-7b2f-4043-ae2a-f95f457e7b3b)/$value";

/// The beginning of a ZIP archive, which is what products are.
const CONTENT: &[u8] = b"PK\x03\x04sandbox\n";

pub(super) fn answer(core: &mut Core, request: &Received) -> Answer {
    let now = core.seconds();
    let refusal = match request.bearer() {
        None => Some(("DAT-ZIP-604", "Token not found")),
        Some(token) => match core.realm.check_bearer(now, token) {
            Ok(()) => None,
            Err(BearerRefusal::Expired) => Some(("DAT-ZIP-109", "Token is expired")),
            // What the download host says here is not known; its codes do not reach this high.
            Err(_) => Some(("DAT-ZIP-999", "Token not accepted")),
        },
    };
    match refusal {
        None => {
            core.record.counters.resource_ok += 1;
            Answer::scripted(200, Vec::new(), CONTENT.to_vec()).header("content-type", "application/octet-stream")
        }
        Some((code, message)) => {
            core.record.counters.resource_refused += 1;
            let trace: String = random::uuid().replace('-', "");
            Answer::json(401, &json!({ "trace-id": trace, "code": code, "message": message }))
                .header(WWW_AUTHENTICATE.as_str(), "Bearer")
        }
    }
}
