//! What to send back: exact bytes, and what to do with the connection.

use std::{fmt, sync::Arc, time::Duration};

use super::Request;

/// One thing to do with a connection.
#[derive(Clone)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends bytes one at a time, each after a pause.
    Drip(Vec<u8>, Duration),
    /// Sends the same bytes again and again, each time after a pause, until the peer leaves.
    Forever(Vec<u8>, Duration),
    /// Sends nothing, and waits until the peer leaves.
    Hold,
    /// Ends the connection with a reset.
    Reset,
    /// Ends the sending half and waits until the peer leaves.
    HalfClose,
}

impl Step {
    /// Sends a text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Send(text.into().into_bytes())
    }
}

/// The answer to one request.
#[derive(Clone)]
pub enum Reply {
    /// A complete response; the connection stays open.
    Complete(Vec<u8>),
    /// Steps, after which the connection is closed.
    Steps(Vec<Step>),
    /// What a function makes of the request.
    Derived(Arc<dyn Fn(&Request) -> Reply + Send + Sync>),
}

impl Reply {
    /// A complete response with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: &str) -> Self {
        Self::Complete(response(
            status,
            &[("content-type", "application/json")],
            body.as_bytes(),
        ))
    }

    /// A complete response with headers of one's own.
    #[must_use]
    pub fn with_headers(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        Self::Complete(response(status, headers, body.as_ref()))
    }

    /// Exactly these bytes, and then the end of the connection.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Steps(vec![Step::Send(bytes.into())])
    }

    /// What a function makes of the request.
    #[must_use]
    pub fn derived<R: Into<Self>>(make: impl Fn(&Request) -> R + Send + Sync + 'static) -> Self {
        Self::Derived(Arc::new(move |request| make(request).into()))
    }

    pub(crate) fn for_request(self, request: &Request) -> Self {
        match self {
            Self::Derived(make) => make(request).for_request(request),
            reply @ (Self::Complete(_) | Self::Steps(_)) => reply,
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        matches!(self, Self::Complete(bytes) if bytes.starts_with(b"HTTP/1.1 2"))
    }
}

impl From<Vec<Step>> for Reply {
    fn from(steps: Vec<Step>) -> Self {
        Self::Steps(steps)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete(bytes) => write!(f, "Complete({} bytes)", bytes.len()),
            Self::Steps(steps) => write!(f, "Steps({})", steps.len()),
            Self::Derived(_) => f.write_str("Derived"),
        }
    }
}

/// A response with a `content-length`; the reason phrase says nothing, as HTTP allows.
#[must_use]
pub fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} -\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if status != 204 && status != 304 {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// A body in chunks, with the last one if `ended`.
#[must_use]
pub fn chunked(parts: &[&str], ended: bool) -> Vec<u8> {
    let mut out = String::from(
        "HTTP/1.1 200 -\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for part in parts {
        out.push_str(&format!("{:x}\r\n{part}\r\n", part.len()));
    }
    if ended {
        out.push_str("0\r\n\r\n");
    }
    out.into_bytes()
}
