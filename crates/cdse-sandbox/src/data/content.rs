//! What a file holds, or a package.

use hyper::body::Bytes;
use md5::{Digest, Md5};

const ZEROS: &[u8] = &[0; 64 * 1024];

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Bytes(Bytes),
    /// So many zeros, which take no memory.
    Zeros(u64),
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(count) => *count,
        }
    }

    /// Its beginning, at most that long.
    #[must_use]
    pub(crate) fn beginning(self, length: usize) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.slice(..length.min(bytes.len()))),
            Self::Zeros(count) => Self::Zeros(count.min(length as u64)),
        }
    }

    /// Takes the next piece off; `None` at the end.
    pub(crate) fn next_piece(&mut self) -> Option<Bytes> {
        let piece = match self {
            Self::Bytes(bytes) => std::mem::take(bytes),
            Self::Zeros(rest) => {
                let length = usize::try_from(*rest).unwrap_or(usize::MAX).min(ZEROS.len());
                *rest -= length as u64;
                Bytes::from_static(&ZEROS[..length])
            }
        };
        (!piece.is_empty()).then_some(piece)
    }

    pub(crate) fn md5(&self) -> [u8; 16] {
        let mut md5 = Md5::new();
        let mut rest = self.clone();
        while let Some(piece) = rest.next_piece() {
            md5.update(&piece);
        }
        md5.finalize().into()
    }
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self::Bytes(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::Content;

    #[test]
    fn zeros_are_hashed_and_cut_as_bytes_are() {
        for length in [0, 1, 64 * 1024, 200_000] {
            let zeros = Content::Zeros(length as u64);
            let bytes = Content::from(vec![0; length]);
            assert_eq!(zeros.md5(), bytes.md5());
            assert_eq!(zeros.beginning(70_000).len(), bytes.beginning(70_000).len());
        }
    }

    #[test]
    fn the_hash_is_md5() {
        assert_eq!(HEXLOWER.encode(&Content::from("abc").md5()), "900150983cd24fb0d6963f7d28e17f72");
    }
}
