//! A small HTTP client that sends exactly what it is told, for talking to a service of ours.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

/// An answer that has not come by then is not coming.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer: status, headers with names in lower case, body.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
}

impl Response {
    /// The first header with this name, which is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON, after checking the status.
    ///
    /// # Panics
    ///
    /// If the status is another or the body is not JSON.
    #[must_use]
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// `POST`s JSON to a path of the service at `base`, an `http://` URL.
///
/// # Panics
///
/// If there is no answer.
#[must_use]
pub fn post(base: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
    let headers = [&[("content-type", "application/json")], headers].concat();
    request(base, "POST", path, &headers, body.to_string().as_bytes())
}

/// `GET`s a path of the service at `base`.
///
/// # Panics
///
/// If there is no answer.
#[must_use]
pub fn get(base: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    request(base, "GET", path, headers, b"")
}

/// Sends one request and reads the answer to the end of the connection.
///
/// # Panics
///
/// If there is no answer.
#[must_use]
pub fn request(
    base: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let authority = base
        .strip_prefix("http://")
        .expect("a base URL with http")
        .trim_end_matches('/');
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        head.push_str(&format!("host: {authority}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    let answer = exchange(authority, &[head.as_bytes(), b"\r\n", body].concat());
    parse(&answer).unwrap_or_else(|| panic!("not HTTP: {}", String::from_utf8_lossy(&answer)))
}

/// Sends bytes and reads to the end of the connection.
///
/// # Panics
///
/// If nobody listens.
#[must_use]
pub fn exchange(authority: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(authority).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    // A service may answer and hang up before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn parse(answer: &[u8]) -> Option<Response> {
    let (head, body) = split(answer, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
    let body = if chunked {
        unchunk(body)?
    } else {
        body.to_vec()
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Response {
        status,
        headers,
        body,
    })
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let (size, after) = split(rest, b"\r\n")?;
        let size = std::str::from_utf8(size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend(after.get(..size)?);
        rest = after.get(size + 2..)?;
    }
}

/// What is before and after the first of these bytes.
fn split<'a>(bytes: &'a [u8], by: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(by.len()).position(|window| window == by)?;
    Some((bytes.get(..at)?, bytes.get(at + by.len()..)?))
}
