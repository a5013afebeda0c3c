//! The stdio transport: one message a line, both ways.
//!
//! It is our own so that a line is read strictly and bounded, that what is under way is bounded, and that
//! a client that goes away takes what it asked for with it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, GetExtensions as _, JsonRpcMessage,
    ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::frame::{self, FRAME_MAX, Refused};
use super::in_flight::InFlight;

/// Answers to what was no message that wait to be written; after that nothing is read.
const REFUSALS_MAX: usize = 16;

/// How long a client may read nothing while answers wait, before it is taken for gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long requests under way may take once the client has closed its end.
const GRACE: Duration = Duration::from_secs(1);

pub(super) struct Lines<R, W> {
    reader: BufReader<R>,
    line: Vec<u8>,
    /// Whether the rest of a line that is too long is being passed over.
    passing: bool,
    /// Since when the client has nothing more to say.
    ended: Option<Instant>,
    /// Whether a request has come: nothing else means anything before.
    begun: bool,
    writer: Arc<Mutex<W>>,
    in_flight: InFlight,
    /// What is to be answered to a message that was none.
    refused: Option<Refused>,
    refusals: Arc<Semaphore>,
    gone: CancellationToken,
}

enum Line {
    Whole,
    TooLong,
    End,
}

impl<R: AsyncRead + Unpin + Send, W: AsyncWrite + Unpin + Send + 'static> Lines<R, W> {
    /// `gone` is cancelled when the client is.
    pub(super) fn new(reader: R, writer: W, gone: CancellationToken) -> Self {
        Self {
            reader: BufReader::new(reader),
            line: Vec::new(),
            passing: false,
            ended: None,
            begun: false,
            writer: Arc::new(Mutex::new(writer)),
            in_flight: InFlight::default(),
            refused: None,
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
            gone,
        }
    }

    /// Reads up to the end of a line.
    ///
    /// # Cancel safety
    /// What was read of a line stays in `self.line`.
    async fn read_line(&mut self) -> io::Result<Line> {
        loop {
            let ready = self.reader.fill_buf().await?;
            if ready.is_empty() {
                return Ok(Line::End);
            }
            let end = ready.iter().position(|&byte| byte == b'\n');
            let (piece, ends) = match end.and_then(|end| ready.get(..end)) {
                Some(piece) => (piece, true),
                None => (ready, false),
            };
            let fits = self.line.len() + piece.len() <= FRAME_MAX;
            if fits && !self.passing {
                self.line.extend_from_slice(piece);
            } else {
                self.passing = true;
            }
            let taken = piece.len() + usize::from(ends);
            self.reader.consume(taken);
            if ends {
                return Ok(if std::mem::take(&mut self.passing) {
                    Line::TooLong
                } else {
                    Line::Whole
                });
            }
        }
    }

    /// Notes what a message means for what is under way.
    fn admit(&mut self, message: &mut ClientJsonRpcMessage) -> Result<(), Refused> {
        match message {
            JsonRpcMessage::Request(request) => {
                let id = request.id.clone();
                let ticket = self.in_flight.admit(&id);
                let ticket = ticket.map_err(|why| Refused::unwelcome(id, why))?;
                request.request.extensions_mut().insert(ticket);
                Ok(())
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.in_flight.cancelled(id);
                }
                Ok(())
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => Ok(()),
        }
    }

    /// Answers what was no message. Others write at the same time, and this future may be dropped at any
    /// point, which a line that is being written must not be.
    async fn answer_refused(&mut self) {
        if self.refused.is_none() {
            return;
        }
        let permit = Arc::clone(&self.refusals).acquire_owned();
        let Ok(permit) = tokio::time::timeout(PATIENCE, permit).await else {
            // It reads nothing of what it is answered, and may be gone: that shows only where it is read from.
            self.gone.cancel();
            return;
        };
        if let Some(Refused(error)) = self.refused.take() {
            let (writer, gone) = (Arc::clone(&self.writer), self.gone.clone());
            tokio::spawn(async move {
                if write(&writer, &ServerJsonRpcMessage::Error(*error))
                    .await
                    .is_err()
                {
                    gone.cancel();
                }
                drop(permit);
            });
        }
    }

    /// Lets what is under way come to its end, for a while.
    async fn last_answers(&mut self) {
        let ended = *self.ended.get_or_insert_with(Instant::now);
        let _elapsed = tokio::time::timeout_at(ended + GRACE, self.in_flight.all_done()).await;
        self.gone.cancel();
    }
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let writer = Arc::clone(&self.writer);
        let in_flight = self.in_flight.clone();
        let gone = self.gone.clone();
        async move {
            let answered = match &message {
                JsonRpcMessage::Response(response) => Some(&response.id),
                JsonRpcMessage::Error(error) => error.id.as_ref(),
                JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
            };
            let written = write(&writer, &message).await;
            if let Some(id) = answered {
                in_flight.answered(id);
            }
            if written.is_err() {
                // Nobody reads what is answered.
                gone.cancel();
            }
            written
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            self.answer_refused().await;
            let line = match self.ended {
                None => self.read_line().await,
                Some(_) => Ok(Line::End),
            };
            let read = match line {
                Ok(Line::Whole) => {
                    let line = self.line.trim_ascii();
                    let read = if line.is_empty() {
                        Ok(None)
                    } else {
                        frame::read(line)
                    };
                    self.line.clear();
                    read
                }
                Ok(Line::TooLong) => {
                    self.line.clear();
                    Err(Refused::too_long())
                }
                Ok(Line::End) | Err(_) => {
                    self.last_answers().await;
                    return None;
                }
            };
            let admitted = read.and_then(|message| match message {
                Some(mut message) => self.admit(&mut message).map(|()| Some(message)),
                None => Ok(None),
            });
            match admitted {
                Ok(Some(message)) => {
                    self.begun |= matches!(message, JsonRpcMessage::Request(_));
                    if self.begun {
                        return Some(message);
                    }
                }
                Ok(None) => {}
                Err(refused) => self.refused = Some(refused),
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.gone.cancel();
        // A client that reads nothing any more must not keep this process.
        let closed = async { self.writer.lock().await.shutdown().await };
        tokio::time::timeout(GRACE, closed).await.unwrap_or(Ok(()))
    }
}

/// Writes one message as one line.
async fn write<W: AsyncWrite + Unpin>(
    writer: &Mutex<W>,
    message: &impl Serialize,
) -> io::Result<()> {
    // JSON has no line break but in a string, and there it is escaped.
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut writer = writer.lock().await;
    writer.write_all(&line).await?;
    writer.flush().await
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;

    const LIST: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    const PING: &[u8] = br#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
    const CANCEL: &[u8] =
        br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;

    #[tokio::test]
    async fn a_cancelled_request_has_its_place_as_long_as_somebody_is_at_it() {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let (reader, writer) = tokio::io::split(server);
        let mut lines = Lines::new(reader, writer, CancellationToken::new());
        client
            .write_all(&[LIST, CANCEL, LIST, PING, b""].join(&b'\n'))
            .await
            .unwrap();
        let id = |message: &Option<ClientJsonRpcMessage>| match message {
            Some(JsonRpcMessage::Request(request)) => Some(request.id.to_string()),
            _ => None,
        };
        let at_it = lines.receive().await;
        assert_eq!(id(&at_it).as_deref(), Some("1"));
        assert_eq!(id(&lines.receive().await), None, "the cancellation");
        let next = lines.receive().await;
        assert_eq!(id(&next).as_deref(), Some("2"), "the same id is refused");
        let under_way = |lines: &Lines<_, _>| lines.in_flight.count();
        assert_eq!(under_way(&lines), 2);
        drop(at_it);
        assert_eq!(under_way(&lines), 1);
        // One that was not cancelled is still to be answered.
        drop(next);
        assert_eq!(under_way(&lines), 1);
        client.write_all(&[LIST, b""].join(&b'\n')).await.unwrap();
        assert_eq!(id(&lines.receive().await).as_deref(), Some("1"));
    }
}
