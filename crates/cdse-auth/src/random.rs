//! Randomness, injected: lineages, jitter and back-off.

use crate::sync::given::AtomicU64;
use crate::sync::{Arc, Ordering};

/// Where random numbers come from: the system, or a seed (tests).
#[derive(Clone, Debug, Default)]
pub struct Random(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Seeded(Arc<AtomicU64>),
}

impl Random {
    /// A repeatable sequence, for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(AtomicU64::new(seed))))
    }

    pub(crate) fn u64(&self) -> u64 {
        match &self.0 {
            // Without the system's randomness the address of a local is still different from process to process;
            // nothing here guards a secret.
            Source::System => getrandom::u64().unwrap_or_else(|_| std::ptr::from_ref(self).addr() as u64),
            Source::Seeded(state) => {
                // SplitMix64.
                let mut z = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^ (z >> 31)
            }
        }
    }

    /// Evenly distributed in `low..high`.
    pub(crate) fn between(&self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high.saturating_sub(low)).unwrap_or(0).max(1);
        low.saturating_add(i64::try_from(self.u64() % width).unwrap_or(0))
    }
}
