//! In place of the network, for a model checker: the test answers.

use std::cell::RefCell;

use url::Url;

use super::answer::Answer;
use crate::error::{Error, ErrorKind};
use crate::plan::Failure;
use crate::provider::GrantData;
use crate::record::Class;
use crate::sync::Arc;

/// The identity service of a test.
pub trait Service {
    /// The answer to a form that was sent to the endpoint of that name (`token`, `logout`); `None` if it is lost.
    fn answer(&self, endpoint: &str, form: &[(&str, &str)]) -> Option<(u16, String)>;
}

// A model checker's threads take turns on one of the system's.
thread_local!(static SERVICE: RefCell<Option<Arc<dyn Service>>> = const { RefCell::new(None) });

/// From now on `service` answers.
pub fn set_service(service: Arc<dyn Service>) {
    SERVICE.set(Some(service));
}

pub(super) fn answer(url: &Url, form: &GrantData) -> Result<Answer, Failure> {
    let endpoint = url.path().rsplit('/').next().unwrap_or_default();
    let form: Vec<_> = form.iter().map(|(name, value)| (name.as_ref(), value.expose())).collect();
    let service = SERVICE.with_borrow(Clone::clone);
    match service.and_then(|service| service.answer(endpoint, &form)) {
        Some((status, body)) => Ok(Answer { status, retry_after: None, body: body.as_bytes().into(), whole: true }),
        None => Err(Failure::new(Class::Lost, Error::new(ErrorKind::Network, "the answer is lost"))),
    }
}
