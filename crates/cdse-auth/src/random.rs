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

#[cfg(test)]
mod tests {
    use super::*;

    /// The published numbers of the seed 1234567; here the first is of the seed itself, there of the step after it.
    #[test]
    fn m2_a_seed_gives_the_sequence_of_splitmix64() {
        let random = Random::seeded(1_234_567_u64.wrapping_add(0x9e37_79b9_7f4a_7c15));
        let numbers = [(); 5].map(|()| random.u64());
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(numbers, published);
    }

    #[test]
    fn m2_a_number_between_two_is_each_of_them_but_the_upper() {
        let random = Random::seeded(1);
        let mut seen: Vec<_> = (0..200).map(|_| random.between(-2, 3)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [-2, -1, 0, 1, 2]);
        assert_eq!(random.between(7, 7), 7, "nothing to choose from");
    }

    #[test]
    fn s1_the_system_never_gives_the_same_twice() {
        let random = Random::default();
        assert!(random.u64() != random.u64() && Random::default().u64() != random.u64());
    }
}
