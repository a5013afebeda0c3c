//! Bodies, and what comes after them.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use wasip2::http::types::{ErrorCode, FutureTrailers, IncomingBody, Trailers};
use wasip2::io::poll::Pollable;

use crate::bindings::exports::thoth::incoming::resources::{
    self, GuestFutureTrailers, GuestIncomingBody,
};
use crate::streams::{Bytes, Input, at_once};

/// A body.
pub(crate) enum Body {
    /// The host's.
    Host(IncomingBody),
    /// One that was read; gone once somebody has its stream.
    Bytes(RefCell<Option<Vec<u8>>>),
}

impl Body {
    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self::Bytes(RefCell::new(Some(bytes)))
    }
}

impl GuestIncomingBody for Body {
    fn stream(&self) -> Result<resources::InputStream, ()> {
        let input = match self {
            Self::Host(host) => Input::Host(host.stream()?),
            Self::Bytes(bytes) => Input::Bytes(Bytes::new(bytes.take().ok_or(())?)),
        };
        Ok(resources::InputStream::new(input))
    }

    fn finish(this: resources::IncomingBody) -> resources::FutureTrailers {
        resources::FutureTrailers::new(match this.into_inner() {
            Self::Host(host) => After::Host(IncomingBody::finish(host)),
            Self::Bytes(_) => After::Nothing(Cell::new(false)),
        })
    }
}

/// What comes after a body.
pub(crate) enum After {
    /// What the host has.
    Host(FutureTrailers),
    /// No trailers; whether somebody was told.
    Nothing(Cell<bool>),
}

impl GuestFutureTrailers for After {
    fn subscribe(&self) -> Pollable {
        match self {
            Self::Host(host) => host.subscribe(),
            Self::Nothing(_) => at_once(),
        }
    }

    fn get(&self) -> Option<Result<Result<Option<Trailers>, ErrorCode>, ()>> {
        match self {
            Self::Host(host) => host.get(),
            Self::Nothing(told) if told.replace(true) => Some(Err(())),
            Self::Nothing(_) => Some(Ok(Ok(None))),
        }
    }
}
