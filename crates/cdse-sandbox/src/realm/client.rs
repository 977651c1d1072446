//! One client.

use crate::config::Client;
use crate::random;

/// A client's place in the realm's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientIndex(pub(super) usize);

#[derive(Debug)]
pub(super) struct ClientRecord {
    pub(super) client: Client,
    pub(super) service_account_id: String,
}

impl ClientRecord {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), service_account_id: random::uuid() }
    }
}
