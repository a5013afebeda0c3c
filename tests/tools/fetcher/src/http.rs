//! One GET request.

use url::{Position, Url};
use wasip2::{
    http::{
        outgoing_handler,
        types::{Fields, IncomingResponse, OutgoingRequest, Scheme},
    },
    io::streams::StreamError,
};

const CHUNK: u64 = 64 << 10;

/// The status and the whole body of what is at a URL.
pub(crate) fn get(url: &str) -> Result<(u16, Vec<u8>), String> {
    let parsed = Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
    let scheme = match parsed.scheme() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(format!("{url}: not an http or https URL")),
    };
    let accept = ("accept".to_owned(), b"application/json".to_vec());
    let fields = Fields::from_list(&[accept]).map_err(|error| error.to_string())?;
    let request = OutgoingRequest::new(fields);
    let target = &parsed[Position::BeforePath..Position::AfterQuery];
    request
        .set_scheme(Some(&scheme))
        .and_then(|()| request.set_authority(Some(parsed.authority())))
        .and_then(|()| request.set_path_with_query(Some(target)))
        .map_err(|()| format!("{url}: no request can be made of it"))?;
    let no_answer = |why: String| format!("no answer from {url}: {why}");
    let pending =
        outgoing_handler::handle(request, None).map_err(|error| no_answer(error.to_string()))?;
    pending.subscribe().block();
    match pending.get() {
        Some(Ok(Ok(response))) => Ok((response.status(), body(&response)?)),
        Some(Ok(Err(error))) => Err(no_answer(error.to_string())),
        Some(Err(())) | None => Err(no_answer("it is not there".into())),
    }
}

fn body(response: &IncomingResponse) -> Result<Vec<u8>, String> {
    let broken = || "the answer broke off".to_owned();
    let incoming = response.consume().map_err(|()| broken())?;
    let stream = incoming.stream().map_err(|()| broken())?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(bytes) => body.extend(bytes),
            Err(StreamError::Closed) => return Ok(body),
            Err(StreamError::LastOperationFailed(_)) => return Err(broken()),
        }
    }
}
