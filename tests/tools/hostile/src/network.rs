//! Requests, as no client library would send them.

use wasip2::{
    http::{
        outgoing_handler,
        types::{
            ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody,
            OutgoingRequest, RequestOptions, Scheme,
        },
    },
    io::streams::StreamError,
};

use crate::Request;

const CHUNK: u32 = 4096;

/// Sends a request with its body.
pub(crate) fn send(request: &Request) -> Result<u16, String> {
    let headers = request.headers.iter();
    let headers: Vec<(String, Vec<u8>)> = headers
        .map(|(name, value)| (name.clone(), value.as_bytes().to_vec()))
        .collect();
    let fields = Fields::from_list(&headers).map_err(|error| format!("headers: {error}"))?;
    let outgoing = make(request, fields)?;
    let body = outgoing.body().map_err(|()| "body")?;
    let answer = outgoing_handler::handle(outgoing, None).map_err(|error| error.to_string())?;
    write(&body, request.body);
    // A body that the host refused is no reason not to hear why.
    let _refused = OutgoingBody::finish(body, None);
    wait(&answer).map(|response| response.status())
}

/// Sends a GET request with many header fields.
pub(crate) fn send_headers(authority: String, count: u32) -> Result<u16, String> {
    let request = get(authority, "/v1/items.json".into());
    let fields = Fields::new();
    for number in 0..count {
        let name = format!("x-{number}");
        fields
            .append(&name, b"v")
            .map_err(|error| format!("header {number}: {error}"))?;
    }
    let outgoing = make(&request, fields)?;
    let answer = outgoing_handler::handle(outgoing, None).map_err(|error| error.to_string())?;
    wait(&answer).map(|response| response.status())
}

/// Sends many requests before it looks at any answer, and counts the answers.
pub(crate) fn send_at_once(authority: &str, count: u32) -> u32 {
    let request = get(authority.to_owned(), "/v1/items.json".into());
    let answers: Vec<FutureIncomingResponse> = (0..count)
        .filter_map(|_| {
            let outgoing = make(&request, Fields::new()).ok()?;
            outgoing_handler::handle(outgoing, None).ok()
        })
        .collect();
    answers.iter().filter(|answer| wait(answer).is_ok()).count() as u32
}

/// Sends a body until somebody minds.
pub(crate) fn send_without_end(authority: &str) -> Result<u16, String> {
    let mut request = get(authority.to_owned(), "/v1/silence".into());
    request.method = "POST".into();
    let outgoing = make(&request, Fields::new())?;
    let hour = Some(3_600_000_000_000);
    let options = RequestOptions::new();
    options
        .set_connect_timeout(hour)
        .map_err(|()| "connect time-out")?;
    options
        .set_first_byte_timeout(hour)
        .map_err(|()| "first byte time-out")?;
    options
        .set_between_bytes_timeout(hour)
        .map_err(|()| "between bytes time-out")?;
    let body = outgoing.body().map_err(|()| "body")?;
    let answer =
        outgoing_handler::handle(outgoing, Some(options)).map_err(|error| error.to_string())?;
    write(&body, u32::MAX);
    let _refused = OutgoingBody::finish(body, None);
    wait(&answer).map(|response| response.status())
}

/// Reads a body to its end.
pub(crate) fn get_all(authority: String, path: String) -> Result<u64, String> {
    let outgoing = make(&get(authority, path), Fields::new())?;
    let answer = outgoing_handler::handle(outgoing, None).map_err(|error| error.to_string())?;
    let response = wait(&answer)?;
    let body = response.consume().map_err(|()| "body")?;
    let stream = body.stream().map_err(|()| "stream")?;
    let mut bytes = 0;
    loop {
        match stream.blocking_read(u64::from(CHUNK)) {
            Ok(chunk) => bytes += chunk.len() as u64,
            Err(StreamError::Closed) => return Ok(bytes),
            Err(error) => return Err(format!("broke off after {bytes} bytes: {error}")),
        }
    }
}

fn get(authority: String, path: String) -> Request {
    Request {
        method: "GET".into(),
        scheme: "http".into(),
        authority,
        path,
        headers: Vec::new(),
        body: 0,
    }
}

fn make(request: &Request, fields: Fields) -> Result<OutgoingRequest, String> {
    let method = match request.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        other => Method::Other(other.into()),
    };
    let scheme = match request.scheme.as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.into()),
    };
    let outgoing = OutgoingRequest::new(fields);
    outgoing.set_method(&method).map_err(|()| "method")?;
    outgoing.set_scheme(Some(&scheme)).map_err(|()| "scheme")?;
    outgoing
        .set_authority(Some(&request.authority))
        .map_err(|()| "authority")?;
    outgoing
        .set_path_with_query(Some(&request.path))
        .map_err(|()| "path")?;
    Ok(outgoing)
}

/// Writes so many bytes, or what is taken of them.
fn write(body: &OutgoingBody, mut bytes: u32) {
    let Ok(stream) = body.write() else { return };
    while bytes > 0 {
        let chunk = vec![b'b'; bytes.min(CHUNK) as usize];
        if stream.blocking_write_and_flush(&chunk).is_err() {
            return;
        }
        bytes -= chunk.len() as u32;
    }
}

fn wait(answer: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(ErrorCode::InternalError(why)))) => Err(why.unwrap_or_default()),
        Some(Ok(Err(error))) => Err(error.to_string()),
        Some(Err(())) | None => Err("no answer".into()),
    }
}
