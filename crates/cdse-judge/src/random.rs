/// Enough chance for tests, the same each time (a linear congruential generator, Knuth).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// What follows is the same for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
