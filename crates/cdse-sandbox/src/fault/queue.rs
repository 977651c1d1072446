use std::collections::VecDeque;

use super::{Action, Fault};
use crate::endpoint::{Endpoint, Grant};

/// The faults that wait for their requests.
#[derive(Debug, Default)]
pub(crate) struct Queue(VecDeque<Fault>);

impl Queue {
    pub(crate) fn push(&mut self, fault: Fault) {
        if fault.times > 0 {
            self.0.push_back(fault);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to a request, if anything does.
    pub(crate) fn take(&mut self, endpoint: Endpoint, grant: Option<Grant>) -> Option<Action> {
        let index = self.0.iter().position(|fault| fault.fits(endpoint, grant))?;
        let fault = self.0.get_mut(index)?;
        let action = fault.action.clone();
        if fault.times != u32::MAX {
            fault.times -= 1;
            if fault.times == 0 {
                self.0.remove(index);
            }
        }
        Some(action)
    }
}
