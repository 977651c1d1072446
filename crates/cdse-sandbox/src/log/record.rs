//! The log itself: bounded, and addressed by serial numbers that survive its clearing.

use std::collections::VecDeque;

use super::{Counters, Request};

/// Names an entry of the log for as long as the service runs.
pub(crate) type Serial = u64;

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) counters: Counters,
    /// Token requests under way now; not part of the counters, because clearing those must not forget it.
    concurrent: u64,
    requests: VecDeque<Request>,
    first: u64,
    capacity: usize,
}

impl Record {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { counters: Counters::default(), concurrent: 0, requests: VecDeque::new(), first: 0, capacity }
    }

    pub(crate) fn enter(&mut self, request: Request) -> Serial {
        let serial = self.first + self.requests.len() as u64;
        self.requests.push_back(request);
        while self.requests.len() > self.capacity {
            self.requests.pop_front();
            self.first += 1;
        }
        serial
    }

    /// The entry, unless it has been cleared away.
    pub(crate) fn entry(&mut self, serial: Serial) -> Option<&mut Request> {
        let index = usize::try_from(serial.checked_sub(self.first)?).ok()?;
        self.requests.get_mut(index)
    }

    pub(crate) fn token_request_begins(&mut self) {
        self.concurrent += 1;
        self.counters.token_requests += 1;
        let most = &mut self.counters.max_concurrent_token_requests;
        *most = self.concurrent.max(*most);
    }

    pub(crate) fn token_request_ends(&mut self) {
        self.concurrent -= 1;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.first += self.requests.len() as u64;
        self.requests.clear();
        self.counters = Counters::default();
    }
}
