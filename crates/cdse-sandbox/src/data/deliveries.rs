//! What is on its way to each account: the download host delivers so much at one time and no more.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[derive(Debug, Default)]
pub(crate) struct Deliveries(HashMap<String, Arc<Semaphore>>);

/// One delivery; it ends when this is dropped.
pub(crate) type Delivery = OwnedSemaphorePermit;

impl Deliveries {
    /// How many an account may have under way.
    pub(crate) const LIMIT: usize = 4;

    /// Begins a delivery, unless the account has as many as are allowed.
    pub(crate) fn begin(&mut self, account: &str) -> Option<Delivery> {
        let places = self.0.entry(account.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(Self::LIMIT)));
        Arc::clone(places).try_acquire_owned().ok()
    }

    /// How many are under way, for all accounts together.
    pub(crate) fn under_way(&self) -> u64 {
        self.0.values().map(|places| (Self::LIMIT - places.available_permits()) as u64).sum()
    }
}
