//! New inputs from old ones.

/// No input is longer.
const LONGEST: usize = 16 * 1024;

/// What is odd to most readers of text.
const ODD: &[&[u8]] = &[
    b"",
    b"0",
    b"-1",
    b"-0",
    b"1e309",
    b"NaN",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"18446744073709551616",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"2147483648",
    b"0.1",
    b"\\u0000",
    b"\\ud800",
    b"\x00",
    b"\x1b[2J",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\xc3\x9f",
    b"\r\n",
    b"\n",
    b"\t",
    b" ",
    b"%00",
    b"%",
    b"&",
    b"=",
    b"#",
    b"?",
    b"@",
    b"/",
    b"..",
    b":",
    b";",
    b",",
    b"'",
    b"\\",
    b"\"",
];

pub(crate) struct Mutator {
    state: u64,
    /// The words of the seeds.
    words: Vec<Vec<u8>>,
}

impl Mutator {
    pub(crate) fn new(seed: u64, seeds: &[Vec<u8>]) -> Self {
        let is_edge = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-' | b'.');
        let mut words: Vec<Vec<u8>> = seeds
            .iter()
            .flat_map(|seed| seed.split(is_edge))
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        words.sort();
        words.dedup();
        Self { state: seed, words }
    }

    pub(crate) fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            self.step(&mut input, seeds);
        }
        input.truncate(LONGEST);
        input
    }

    fn step(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let (from, to) = self.range(input.len());
        match self.below(10) {
            0 => self.flip(input),
            1 => drop(input.drain(from..to)),
            2 => {
                let piece = input[from..to].to_vec();
                input.splice(from..from, piece.iter().copied().cycle().take(piece.len() * (1 + self.below(8))));
            }
            3 | 4 => {
                input.splice(from..from, ODD[self.below(ODD.len())].iter().copied());
            }
            5 => {
                input.splice(from..to, ODD[self.below(ODD.len())].iter().copied());
            }
            6 if !self.words.is_empty() => {
                let nth = self.below(self.words.len());
                input.splice(from..to, self.words[nth].iter().copied());
            }
            7 => self.number(input),
            8 => {
                let other = &seeds[self.below(seeds.len())];
                let (start, end) = self.range(other.len());
                input.splice(from..to, other[start..end].iter().copied());
            }
            _ => self.exchange(input),
        }
    }

    fn flip(&mut self, input: &mut [u8]) {
        if !input.is_empty() {
            let at = self.below(input.len());
            input[at] ^= 1 << self.below(8);
        }
    }

    /// Another number in place of one.
    fn number(&mut self, input: &mut Vec<u8>) {
        let digits: Vec<usize> = (0..input.len()).filter(|at| input[*at].is_ascii_digit()).collect();
        if digits.is_empty() {
            return;
        }
        let at = digits[self.below(digits.len())];
        let start = input[..at].iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |before| before + 1);
        let end = input[at..].iter().position(|byte| !byte.is_ascii_digit()).map_or(input.len(), |after| at + after);
        let number = match self.below(3) {
            0 => (self.next() >> self.below(64)).to_string(),
            1 => format!("-{}", self.next() >> self.below(64)),
            _ => format!("{}e{}", self.next() >> self.below(64), self.below(400)),
        };
        input.splice(start..end, number.into_bytes());
    }

    /// Two pieces change places.
    fn exchange(&mut self, input: &mut [u8]) {
        if input.len() > 1 {
            let (one, other) = (self.below(input.len()), self.below(input.len()));
            input.swap(one, other);
        }
    }

    /// Short ones are likely.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let most = (length - from).min(1 << self.below(12));
        (from, from + self.below(most + 1))
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = limit.max(1) as u64;
        usize::try_from(self.next() % limit).unwrap_or(0)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        let seeds = [b"{\"expires_in\": 600}".to_vec(), b"x".to_vec()];
        let inputs = |seed| {
            let mut mutator = Mutator::new(seed, &seeds);
            (0..200).map(|_| mutator.mutate(&seeds)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }
}
