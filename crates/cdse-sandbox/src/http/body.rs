//! The bodies of answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::wire::{End, Ending};
use crate::data::{Content, Delivery};

const FILLER: &[u8] = &[b'x'; 16 * 1024];

#[derive(Debug)]
pub(super) enum AnswerBody {
    Full {
        rest: Content,
        _delivery: Option<Delivery>,
    },
    /// So many bytes of filler, of unannounced length.
    Endless(u64),
    /// The beginning of a longer body; the connection ends after it.
    Torn {
        beginning: Content,
        announced: u64,
        _delivery: Option<Delivery>,
        ending: Arc<Ending>,
    },
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match &mut *self {
            Self::Full { rest, .. } => rest.next_piece(),
            Self::Endless(rest) => {
                let length = FILLER.len().min(usize::try_from(*rest).unwrap_or(usize::MAX));
                *rest -= length as u64;
                (length > 0).then(|| Bytes::from_static(&FILLER[..length]))
            }
            Self::Torn { beginning, ending, .. } => match beginning.next_piece() {
                Some(piece) => Some(piece),
                // Nothing wakes this up: the connection's flush, which comes next, ends it.
                None => {
                    let _ = ending.set(End::CloseWhenFlushed);
                    return Poll::Pending;
                }
            },
        };
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full { rest, .. } => SizeHint::with_exact(rest.len()),
            Self::Endless(_) => SizeHint::default(),
            Self::Torn { announced, .. } => SizeHint::with_exact(*announced),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full { rest, .. } => rest.len() == 0,
            Self::Endless(rest) => *rest == 0,
            Self::Torn { .. } => false,
        }
    }
}
