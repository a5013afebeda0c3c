//! A request as it came off the wire.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

/// More than any request of ours has.
const MAX_HEAD: usize = 64 << 10;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// `POST /v1/enforce`
    Enforce,
    /// `GET /v1/enforce/hold/{token}`
    Hold,
    /// `POST /v1/events/batch`
    Events,
    /// Anything else.
    Other,
}

/// A request: the line, the headers in their order, and the body without its transfer encoding.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The target, exactly as it was sent.
    pub path: String,
    /// Names in lower case, values as sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// What the request is for; a second slash at the start is tolerated, as a service has to.
    #[must_use]
    pub fn site(&self) -> Site {
        let path = format!("/{}", self.path.trim_start_matches('/'));
        match (self.method.as_str(), path.as_str()) {
            ("POST", "/v1/enforce") => Site::Enforce,
            ("GET", path) if path.starts_with("/v1/enforce/hold/") => Site::Hold,
            ("POST", "/v1/events/batch") => Site::Events,
            _ => Site::Other,
        }
    }

    /// The value of the only header with this name, which is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "header `{name}` came twice");
        value
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in body: {text}"))
    }

    /// The events in the body: an array, or an object that holds one.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Array(events)) => events,
            Ok(Value::Object(mut object)) => match object.remove("events") {
                Some(Value::Array(events)) => events,
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Reads the next request; `None` where the peer left before it began one.
    pub(crate) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Self>> {
        let Some(head) = read_head(stream).await? else {
            return Ok(None);
        };
        let mut lines = head.split("\r\n");
        let line: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let [method, path, _version] = line[..] else {
            return Err(broken("request line"));
        };
        let headers = lines
            .filter(|line| !line.is_empty())
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut request = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers,
            body: Vec::new(),
        };
        request.body = match (
            request.header("transfer-encoding"),
            request.header("content-length"),
        ) {
            (Some(_), _) => read_chunks(stream).await?,
            (None, Some(length)) => {
                let mut body = vec![0; length.parse().map_err(|_| broken("content-length"))?];
                stream.read_exact(&mut body).await?;
                body
            }
            (None, None) => Vec::new(),
        };
        Ok(Some(request))
    }
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return if head.is_empty() {
                Ok(None)
            } else {
                Err(broken("end inside a head"))
            };
        }
        head.push(byte[0]);
        if head.len() > MAX_HEAD {
            return Err(broken("head"));
        }
    }
    String::from_utf8(head)
        .map(Some)
        .map_err(|_| broken("head"))
}

async fn read_chunks<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(stream.read_u8().await?);
        }
        let size = String::from_utf8_lossy(&line);
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| broken("chunk size"))?;
        let start = body.len();
        body.resize(start + size + 2, 0);
        stream.read_exact(&mut body[start..]).await?;
        body.truncate(start + size);
        if size == 0 {
            return Ok(body);
        }
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the peer sent a broken {what}"),
    )
}
