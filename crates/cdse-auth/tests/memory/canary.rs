//! A secret that is known and not held, and the search for it.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;

use zeroize::Zeroizing;

/// So much of a secret in one piece is a copy of it.
const PIECE: usize = 16;

/// A secret, masked with bytes of its own.
pub(crate) struct Canary {
    masked: Vec<u8>,
    mask: Vec<u8>,
}

impl Canary {
    pub(crate) fn of(secret: &str) -> Self {
        let mask = random(secret.len());
        let masked = secret.bytes().zip(&mask).map(|(byte, mask)| byte ^ mask).collect();
        Self { masked, mask }
    }

    /// A secret that nobody has chosen: letters and digits.
    pub(crate) fn random() -> Self {
        let secret: Zeroizing<Vec<u8>> = Zeroizing::new(
            random(4 * PIECE).iter().map(|byte| b"0123456789abcdefghijklmnopqrstuv"[*byte as usize % 32]).collect(),
        );
        Self::of(std::str::from_utf8(&secret).unwrap())
    }

    pub(crate) fn plain(&self) -> Zeroizing<String> {
        let mut plain = Zeroizing::new(String::with_capacity(self.masked.len()));
        plain.extend(self.masked.iter().zip(&self.mask).map(|(byte, mask)| char::from(byte ^ mask)));
        plain
    }

    fn byte(&self, at: usize) -> u8 {
        self.masked[at] ^ self.mask[at]
    }

    /// Where pieces begin. Of a JWT its signature counts: the rest is much the same for all of them.
    fn pieces(&self) -> impl Iterator<Item = usize> {
        let first = (0..self.masked.len()).rfind(|at| self.byte(*at) == b'.').map_or(0, |dot| dot + 1);
        (first..=self.masked.len() - PIECE).step_by(PIECE / 2)
    }
}

fn random(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}

/// In how many places of this process's writable memory a piece of each secret stands.
pub(crate) fn found<const N: usize>(canaries: [&Canary; N]) -> [usize; N] {
    let search = Search::new(&canaries);
    let memory = File::open("/proc/self/mem").unwrap();
    let mut window = Zeroizing::new(vec![0_u8; 1 << 20]);
    let own = window.as_ptr().addr()..window.as_ptr().addr() + window.len();
    let mut places = [0; N];
    for (from, to) in writable() {
        let mut at = from;
        while at < to {
            let length = (to - at).min(window.len());
            // What was unmapped meanwhile is not there.
            let Ok(length) = memory.read_at(&mut window[..length], at as u64) else { break };
            for (offset, piece) in window[..length].windows(PIECE).enumerate() {
                if let Some(nth) = search.whose(piece)
                    && !own.contains(&(at + offset))
                {
                    places[nth] += 1;
                }
            }
            if length < window.len() {
                break;
            }
            at += length - PIECE + 1;
        }
    }
    places
}

/// Where they still are, once a thread that is about to end has had the time for it. The limit only ends a test that fails.
pub(crate) fn left<const N: usize>(canaries: [&Canary; N]) -> [usize; N] {
    let mut places = found(canaries);
    for _ in 0..20 {
        if places == [0; N] {
            break;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(50));
        places = found(canaries);
    }
    places
}

/// All pieces of some secrets, by their first two bytes.
struct Search<'a> {
    canaries: &'a [&'a Canary],
    /// Which of them, and where the piece begins.
    starts: Vec<Vec<(usize, usize)>>,
}

impl<'a> Search<'a> {
    fn new(canaries: &'a [&'a Canary]) -> Self {
        let mut starts = vec![Vec::new(); 1 << 16];
        for (nth, canary) in canaries.iter().enumerate() {
            for at in canary.pieces() {
                starts[pair(canary.byte(at), canary.byte(at + 1))].push((nth, at));
            }
        }
        Self { canaries, starts }
    }

    fn whose(&self, piece: &[u8]) -> Option<usize> {
        let starts = &self.starts[pair(piece[0], piece[1])];
        let is =
            |(nth, at): &&(usize, usize)| (0..PIECE).all(|step| piece[step] == self.canaries[*nth].byte(at + step));
        starts.iter().find(is).map(|(nth, _)| *nth)
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

fn writable() -> Vec<(usize, usize)> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let of = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        rest.starts_with("rw").then_some((address(from)?, address(to)?))
    };
    maps.lines().filter_map(of).collect()
}

/// Waits until no thread of the library's runs. The limit only ends a test that hangs.
pub(crate) fn until_alone() {
    for _ in 0..20_000 {
        let names = fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| task.path().join("comm"));
        if !names.filter_map(|name| fs::read_to_string(name).ok()).any(|name| name.trim_end() == "cdse-auth") {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
    panic!("a thread of the library's still runs");
}
