//! One connection, and one exchange on it at a time.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use crate::dial::{describe, tls_problem};
use crate::stream::{Carrier, Signals, Stream};
use crate::{Allowance, Fault, Options, Stage};

/// The smallest buffer that the HTTP library takes.
const MIN_BUFFER: usize = 8 * 1024;

/// An HTTP/1.1 connection that is driven by whoever uses it: no task runs in the background, so
/// that dropping it closes the socket at once.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<Stream>, Full<Bytes>>,
    /// The driver has ended and must not be polled again.
    ended: bool,
    signals: Arc<Signals>,
}

/// Why an exchange failed, before it is known what the stream has seen.
enum Failure {
    Http(hyper::Error),
    Framing(&'static str),
    TooLarge(&'static str),
}

impl Connection {
    pub(crate) async fn new(carrier: Carrier, options: &Options) -> Result<Self, Fault> {
        let (stream, signals) = Stream::new(carrier);
        let (sender, driver) = http1::Builder::new()
            .max_headers(options.max_headers)
            .max_header_size(options.max_head)
            .max_buf_size(options.max_head.max(MIN_BUFFER))
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Fault::Protocol(error.to_string()))?;
        Ok(Self {
            sender,
            driver,
            ended: false,
            signals,
        })
    }

    /// Sends a request and collects the whole response.
    ///
    /// # Cancel safety
    ///
    /// Not to be continued after a drop: the connection must be dropped with it.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        allowance: &Allowance,
    ) -> Result<Response<Bytes>, Fault> {
        self.signals.reset();
        let answer = self.sender.send_request(request);
        let mut answer = pin!(async {
            let response = answer.await.map_err(Failure::Http)?;
            check_framing(response.headers())?;
            collect(response, allowance).await
        });
        let result = poll_fn(|cx| {
            // The driver first: what it reads is there for the answer in the same turn.
            if !self.ended {
                self.ended = Pin::new(&mut self.driver).poll(cx).is_ready();
            }
            answer.as_mut().poll(cx)
        })
        .await;
        result.map_err(|failure| self.judge(failure))
    }

    /// Whether another request can be sent: nothing is under way, the server has not closed, and it
    /// has said nothing that was not asked for.
    pub(crate) async fn is_ready(&mut self) -> bool {
        poll_fn(|cx| {
            if !self.ended {
                self.ended = Pin::new(&mut self.driver).poll(cx).is_ready();
            }
            Poll::Ready(!self.ended && self.sender.is_ready())
        })
        .await
    }

    /// Whether the last exchange got as far as the first byte of a response.
    pub(crate) fn was_heard(&self) -> bool {
        self.signals.heard()
    }

    fn judge(&self, failure: Failure) -> Fault {
        let error = match failure {
            Failure::TooLarge(what) => return Fault::TooLarge(what),
            Failure::Framing(what) => return Fault::Protocol(what.to_owned()),
            Failure::Http(error) => error,
        };
        let cause = error
            .source()
            .and_then(|source| source.downcast_ref::<io::Error>());
        if let Some(problem) = cause.and_then(tls_problem) {
            return Fault::Tls(problem);
        }
        if !self.signals.heard() {
            let why = match cause {
                Some(cause) => format!("it gave no answer ({})", describe(cause)),
                None => "it closed the connection without an answer".to_owned(),
            };
            return Fault::Unreachable(Stage::Exchange, why);
        }
        if self.signals.cut() {
            return Fault::Tls("the stream was cut off without `close_notify`".to_owned());
        }
        if error.is_parse_too_large() {
            return Fault::TooLarge("the response's head");
        }
        Fault::Protocol(match cause {
            Some(cause) => format!("{error} ({})", describe(cause)),
            None => error.to_string(),
        })
    }
}

/// Refuses a response whose end two readers could see in different places (RFC 9112, section 6.3).
fn check_framing(headers: &HeaderMap) -> Result<(), Failure> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    match (codings.next(), lengths.next()) {
        (None, None) => {}
        (Some(_), Some(_)) => {
            return Err(Failure::Framing(
                "both `content-length` and `transfer-encoding`",
            ));
        }
        (Some(coding), None) => {
            if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(Failure::Framing(
                    "a `transfer-encoding` other than `chunked`",
                ));
            }
        }
        (None, Some(length)) => {
            if lengths.next().is_some() || !length.as_bytes().iter().all(u8::is_ascii_digit) {
                return Err(Failure::Framing("more than one `content-length`"));
            }
        }
    }
    Ok(())
}

/// Reads the body to its end. Trailers are dropped: nothing here may come after a body.
async fn collect(
    response: Response<Incoming>,
    allowance: &Allowance,
) -> Result<Response<Bytes>, Failure> {
    const TOO_LARGE: Failure = Failure::TooLarge("the response's body");
    let (head, mut body) = response.into_parts();
    let announced = body.size_hint().lower();
    if announced > u64::try_from(allowance.left()).unwrap_or(u64::MAX) {
        return Err(TOO_LARGE);
    }
    let mut whole = Chunks::None;
    while let Some(frame) = body.frame().await {
        if let Ok(chunk) = frame.map_err(Failure::Http)?.into_data() {
            if !allowance.take(chunk.len()) {
                return Err(TOO_LARGE);
            }
            whole.push(chunk);
        }
    }
    Ok(Response::from_parts(head, whole.into_bytes()))
}

/// A body as it comes in; the usual one is a single chunk and is not copied.
enum Chunks {
    None,
    One(Bytes),
    Many(BytesMut),
}

impl Chunks {
    fn push(&mut self, chunk: Bytes) {
        *self = match std::mem::replace(self, Self::None) {
            Self::None => Self::One(chunk),
            Self::One(first) => {
                let mut bytes = BytesMut::from(first);
                bytes.extend_from_slice(&chunk);
                Self::Many(bytes)
            }
            Self::Many(mut bytes) => {
                bytes.extend_from_slice(&chunk);
                Self::Many(bytes)
            }
        };
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes.freeze(),
        }
    }
}
