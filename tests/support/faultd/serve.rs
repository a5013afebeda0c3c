//! Plays scripts on a connection.

use std::{io, time::Instant};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::{Reply, Request, Shared, Step};

/// A connection that can also be ended rudely.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Unpin + Send {
    fn reset_on_close(&mut self);
}

impl Connection for TcpStream {
    fn reset_on_close(&mut self) {
        let _ = self.set_zero_linger();
    }
}

impl Connection for TlsStream<TcpStream> {
    fn reset_on_close(&mut self) {
        let _ = self.get_mut().0.set_zero_linger();
    }
}

/// Whether the connection can carry another request.
enum Next {
    Request,
    Close,
    Reset,
}

/// Answers requests until the peer leaves or a script ends the connection.
pub(crate) async fn requests<C: Connection>(mut stream: C, shared: &Shared, goodbye: bool) {
    while let Ok(Some(request)) = Request::read(&mut stream).await {
        let last = request.header("connection") == Some("close");
        let next = match shared.reply_to(&request) {
            Reply::Complete(bytes) => match stream.write_all(&bytes).await {
                Ok(()) => Next::Request,
                Err(_) => Next::Close,
            },
            Reply::Steps(steps) => play(&mut stream, &steps, shared).await,
            Reply::Derived(_) => Next::Close,
        };
        match next {
            Next::Request if !last => {}
            Next::Request | Next::Close => break,
            Next::Reset => return,
        }
    }
    if goodbye {
        let _ = stream.shutdown().await;
    }
}

/// Plays steps on a fresh connection.
pub(crate) async fn steps(mut stream: TcpStream, steps: &[Step], shared: &Shared) {
    if let Next::Close | Next::Request = play(&mut stream, steps, shared).await {
        let _ = stream.shutdown().await;
    }
}

/// The steps, and afterwards the reset if there was one.
async fn play<C: Connection>(stream: &mut C, steps: &[Step], shared: &Shared) -> Next {
    let started = Instant::now();
    for step in steps {
        let done = match step {
            Step::Send(bytes) => stream.write_all(bytes).await.is_ok(),
            Step::Drip(bytes, pause) => {
                let mut alive = true;
                for byte in bytes {
                    alive = alive && pulse(stream, &[*byte], *pause).await.is_ok();
                }
                alive
            }
            Step::Forever(bytes, pause) => {
                while pulse(stream, bytes, *pause).await.is_ok() {}
                false
            }
            Step::Hold => until_gone(stream).await,
            Step::HalfClose => stream.shutdown().await.is_ok() && until_gone(stream).await,
            Step::Reset => {
                stream.reset_on_close();
                return Next::Reset;
            }
        };
        if !done {
            shared.waited(started.elapsed());
            return Next::Close;
        }
    }
    Next::Close
}

/// Sends after a pause; an error as soon as the peer has left.
async fn pulse<C: Connection>(
    stream: &mut C,
    bytes: &[u8],
    pause: std::time::Duration,
) -> io::Result<()> {
    if !pause.is_zero() {
        let mut byte = [0];
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            read = stream.read(&mut byte) => {
                if matches!(read, Ok(0) | Err(_)) {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
        }
    }
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Reads until the peer leaves. Gives `false`: nothing comes after that.
async fn until_gone<C: Connection>(stream: &mut C) -> bool {
    let mut sink = [0; 1024];
    while let Ok(1..) = stream.read(&mut sink).await {}
    false
}
