//! The sources that read frames, and what must hold of them.

#[path = "../../../../src/mcp/frame.rs"]
mod frame;
#[path = "../../../../src/mcp/in_flight.rs"]
mod in_flight;
#[path = "../../../../src/mcp/lines.rs"]
mod lines;

use std::pin::Pin;
use std::task::{Context, Poll};

use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::Transport as _;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio_util::sync::CancellationToken;

/// One line: a message that is the same when it is written and read again, or an error that says so.
pub fn read(line: &[u8]) {
    match frame::read(line) {
        Ok(None) => {}
        Ok(Some(message)) => {
            let text = serde_json::to_vec(&message).expect("a message is JSON");
            assert!(!text.contains(&b'\n'), "it is one line");
            let again: ClientJsonRpcMessage =
                serde_json::from_slice(&text).expect("what was written is a message");
            let again = serde_json::to_vec(&again).expect("a message is JSON");
            assert_eq!(text, again);
        }
        Err(frame::Refused(error)) => refused(&serde_json::to_string(&*error).expect("JSON")),
    }
}

/// What is answered to something that is no message.
fn refused(line: &str) {
    assert!(
        line.len() < 4_096 && !line.contains(char::is_control),
        "{line}"
    );
    let value: Value = serde_json::from_str(line).expect("it is JSON");
    assert!(value["error"]["code"].is_i64(), "{line}");
}

/// All of it, in pieces: whatever comes is answered at most once, by lines that are messages.
pub fn serve(bytes: &[u8], pieces: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let reader = Pieces {
            bytes: bytes.to_vec(),
            at: 0,
            pieces: pieces.to_vec(),
            turn: 0,
        };
        let (mut answers, writer) = tokio::io::duplex(1 << 16);
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            answers
                .read_to_string(&mut text)
                .await
                .expect("it is UTF-8");
            text
        });
        let gone = CancellationToken::new();
        let mut lines = lines::Lines::new(reader, writer, gone.clone());
        let mut asked = Vec::new();
        while let Some(message) = lines.receive().await {
            if let JsonRpcMessage::Request(request) = &message {
                // No two of them are under way under one id: every second one is answered.
                if asked.len() % 2 == 0 {
                    let result = rmcp::model::ServerResult::empty(());
                    let answer = ServerJsonRpcMessage::response(result, request.id.clone());
                    lines.send(answer).await.expect("it is written");
                }
                asked.push(request.id.clone());
            }
        }
        assert!(gone.is_cancelled(), "the end is known to all");
        lines.close().await.expect("it closes");
        drop(lines);
        let text = reading.await.expect("no panic");
        let count = bytes.split(|&byte| byte == b'\n').count();
        assert!(text.lines().count() <= count, "more answers than lines");
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).expect("each line is JSON");
            assert_eq!(value["jsonrpc"], "2.0", "{line}");
        }
    });
}

/// Bytes that come in pieces of these sizes, over and over.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    pieces: Vec<u8>,
    turn: usize,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let size = match self.pieces.len() {
            0 => usize::MAX,
            count => usize::from(self.pieces[self.turn % count]) + 1,
        };
        let end = self.bytes.len();
        let size = size.min(buffer.remaining()).min(end - self.at);
        buffer.put_slice(&self.bytes[self.at..self.at + size]);
        self.at += size;
        self.turn += 1;
        Poll::Ready(Ok(()))
    }
}
