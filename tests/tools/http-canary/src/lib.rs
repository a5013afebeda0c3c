//! An HTTP service that says when it was reached, and hands a body on as it comes.
//!
//! Whatever it is asked, it answers with its song; after that come the bytes of the request, each as
//! soon as it is there. Whoever asks for `/env` is told the variables of its environment before, and for
//! `/stdin` how much its standard input has, and for `/file` what is in `/note.txt`.

use std::io::Read as _;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{InputStream, OutputStream};

struct Service;

wasip2::http::proxy::export!(Service);

/// What nobody but this service says.
const SONG: &str = "canary-sang-41c7f0\n";

impl Guest for Service {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(response_out, Ok(response));
        if let Ok(out) = body.write() {
            let _left = sing(&request, &out);
        }
        let _left = OutgoingBody::finish(body, None);
    }
}

fn sing(request: &IncomingRequest, out: &OutputStream) -> Option<()> {
    out.blocking_write_and_flush(SONG.as_bytes()).ok()?;
    if request.path_with_query().as_deref() == Some("/env") {
        for (name, value) in std::env::vars() {
            let line = format!("{name}={value}\n");
            out.blocking_write_and_flush(line.as_bytes()).ok()?;
        }
    }
    if request.path_with_query().as_deref() == Some("/stdin") {
        let mut input = Vec::new();
        std::io::stdin().read_to_end(&mut input).ok()?;
        let line = format!("stdin has {} bytes\n", input.len());
        out.blocking_write_and_flush(line.as_bytes()).ok()?;
    }
    if request.path_with_query().as_deref() == Some("/file") {
        let note = std::fs::read("/note.txt").ok()?;
        out.blocking_write_and_flush(&note).ok()?;
    }
    let body = request.consume().ok()?;
    let stream: InputStream = body.stream().ok()?;
    loop {
        let chunk = stream.blocking_read(4096).ok()?;
        out.blocking_write_and_flush(&chunk).ok()?;
    }
}
