//! The bodies of both ways, which say when a request is under way: from when it was heard whole until its answer
//! is told.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::places::{Busy, Place};

/// A request under way, once it was heard whole.
pub(crate) type UnderWay = Arc<OnceLock<Busy>>;

/// The body of a request. Until all of it has come, its connection is as idle as one that says nothing, and
/// may have to make room.
pub struct Heard {
    body: Incoming,
    place: Arc<Place>,
    under_way: UnderWay,
}

impl Heard {
    /// With what is set once all of it was heard, which is now for a request without a body. None if the
    /// place is given away already: the connection is about to end, and the request with it.
    pub(crate) fn new(body: Incoming, place: Arc<Place>) -> Option<(Self, UnderWay)> {
        let under_way = UnderWay::default();
        let heard = Self {
            body,
            place,
            under_way: Arc::clone(&under_way),
        };
        let goes_on = !heard.body.is_end_stream() || heard.begin();
        goes_on.then_some((heard, under_way))
    }

    /// Whether it is under way from here on.
    fn begin(&self) -> bool {
        if self.under_way.get().is_some() {
            return true;
        }
        let busy = self.place.begin();
        busy.is_some_and(|busy| self.under_way.set(busy).is_ok())
    }
}

impl Body for Heard {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) && !self.begin() {
            // The place is given away, so what waits for this is dropped.
            return Poll::Pending;
        }
        frame
    }
}

/// The body of an answer.
pub(crate) struct Told<B> {
    pub(crate) body: B,
    pub(crate) _until_then: UnderWay,
}

impl<B: Body + Unpin> Body for Told<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
