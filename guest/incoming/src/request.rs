//! Requests.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use wasip2::http::types::{Headers, IncomingRequest, Method, Scheme};
use wasip2::io::streams::{OutputStream, StreamError};

use crate::bindings::Component;
use crate::bindings::exports::thoth::incoming::resources::{
    self, GuestIncomingRequest, IncomingBody, InputStreamBorrow,
};
use crate::body::{After, Body};
use crate::streams::{self, Input};

/// Fields that tell of the bytes of a body what no longer holds when others stand for it.
const OF_THE_BYTES: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

/// A request.
pub(crate) struct Request {
    host: IncomingRequest,
    read: Option<Read>,
}

/// A body that was read.
struct Read {
    length: usize,
    /// Gone once somebody has it.
    bytes: RefCell<Option<Vec<u8>>>,
}

impl Request {
    pub(crate) fn unread(host: IncomingRequest) -> Self {
        Self { host, read: None }
    }

    pub(crate) fn with_body(host: IncomingRequest, body: Vec<u8>) -> Self {
        let read = Read {
            length: body.len(),
            bytes: RefCell::new(Some(body)),
        };
        let read = Some(read);
        Self { host, read }
    }
}

impl GuestIncomingRequest for Request {
    fn method(&self) -> Method {
        self.host.method()
    }

    fn path_with_query(&self) -> Option<String> {
        self.host.path_with_query()
    }

    fn scheme(&self) -> Option<Scheme> {
        self.host.scheme()
    }

    fn authority(&self) -> Option<String> {
        self.host.authority()
    }

    fn headers(&self) -> Headers {
        let headers = self.host.headers();
        let Some(read) = &self.read else {
            return headers;
        };
        let length = read.length.to_string().into_bytes();
        let said = headers.get("content-length");
        if said.is_empty() || said == [length.clone()] {
            return headers;
        }
        let ours = headers.clone();
        let _set = ours.set("content-length", &[length]);
        for name in OF_THE_BYTES {
            let _gone = ours.delete(name);
        }
        ours
    }

    fn consume(&self) -> Result<IncomingBody, ()> {
        let body = match &self.read {
            None => Body::Host(self.host.consume()?),
            Some(read) => Body::of_bytes(read.bytes.take().ok_or(())?),
        };
        Ok(IncomingBody::new(body))
    }
}

impl resources::Guest for Component {
    type InputStream = Input;
    type IncomingRequest = Request;
    type IncomingBody = Body;
    type FutureTrailers = After;

    fn output_stream_splice(
        output: &OutputStream,
        input: InputStreamBorrow<'_>,
        len: u64,
    ) -> Result<u64, StreamError> {
        streams::splice(output, input.get(), len)
    }

    fn output_stream_blocking_splice(
        output: &OutputStream,
        input: InputStreamBorrow<'_>,
        len: u64,
    ) -> Result<u64, StreamError> {
        streams::blocking_splice(output, input.get(), len)
    }

    fn incoming_response_consume(
        response: &wasip2::http::types::IncomingResponse,
    ) -> Result<IncomingBody, ()> {
        Ok(IncomingBody::new(Body::Host(response.consume()?)))
    }
}
