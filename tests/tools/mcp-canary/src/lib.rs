//! An MCP server over Streamable HTTP, without sessions: it says when a tool of it ran.
//!
//! It reads messages as carelessly as parsers may: the case of names does not count, and of two that are
//! the same the last one does. Whatever is not to run must not get here.

use serde_json::{Value, json};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::StreamError;

struct Server;

wasip2::http::proxy::export!(Server);

/// What nobody but a tool of this server says.
const SONG: &str = "mcp-sang-9e04c7";
/// What is said to those who only listen.
const LISTENING: &str = ": mcp-listens-51d0aa\n\n";

impl Guest for Server {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let (status, kind, text) = match request.method() {
            Method::Get => (200, "text/event-stream", LISTENING.to_owned()),
            _ => answer(&body(&request)),
        };
        let fields = [("content-type".to_owned(), kind.as_bytes().to_vec())];
        let Ok(fields) = Fields::from_list(&fields) else {
            return;
        };
        let response = OutgoingResponse::new(fields);
        let (Ok(()), Ok(out)) = (response.set_status_code(status), response.body()) else {
            return;
        };
        ResponseOutparam::set(response_out, Ok(response));
        if let Ok(stream) = out.write() {
            for part in text.as_bytes().chunks(4096) {
                let _left = stream.blocking_write_and_flush(part);
            }
        }
        let _left = OutgoingBody::finish(out, None);
    }
}

/// What the header says that the body is, and what it is.
fn body(request: &IncomingRequest) -> Vec<u8> {
    let length = request.headers().get("content-length");
    let length: Option<usize> = length
        .first()
        .and_then(|said| String::from_utf8_lossy(said).parse().ok());
    let Ok(incoming) = request.consume() else {
        return Vec::new();
    };
    let mut body = Vec::new();
    if let Ok(stream) = incoming.stream() {
        loop {
            match stream.blocking_read(7) {
                Ok(chunk) => body.extend(chunk),
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(_)) => return Vec::new(),
            }
        }
    }
    match length {
        Some(length) if length != body.len() => Vec::new(),
        _ => body,
    }
}

fn answer(body: &[u8]) -> (u16, &'static str, String) {
    let answer = match serde_json::from_slice(body) {
        Ok(Value::Array(messages)) => {
            let answers: Vec<Value> = messages.iter().filter_map(respond).collect();
            (!answers.is_empty()).then(|| Value::Array(answers))
        }
        Ok(message) => respond(&message),
        Err(_) => return (400, "text/plain", "not JSON".to_owned()),
    };
    match answer {
        Some(answer) => (200, "application/json", answer.to_string()),
        None => (202, "application/json", String::new()),
    }
}

/// A member by its name in any case; the last one of several.
fn member<'a>(object: &'a Value, name: &str) -> &'a Value {
    let members = object.as_object().into_iter().flatten();
    let members = members.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    members.last().map_or(&Value::Null, |(_, value)| value)
}

fn respond(message: &Value) -> Option<Value> {
    let params = member(message, "params");
    let method = member(message, "method").as_str().unwrap_or_default();
    let result = match method.trim().to_ascii_lowercase().as_str() {
        "initialize" => json!({
            "protocolVersion": "2025-06-18",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "mcp-canary", "version": "1" },
        }),
        "tools/list" => json!({ "tools": [tool("sing"), tool("wipe")] }),
        "tools/call" => {
            let name = member(params, "name").as_str().unwrap_or_default();
            let note = member(member(params, "arguments"), "note")
                .as_str()
                .unwrap_or_default();
            let text = format!("{SONG}:{name}:{note}");
            json!({ "content": [{ "type": "text", "text": text }] })
        }
        _ => json!({}),
    };
    let id = member(message, "id");
    (!id.is_null()).then(|| json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn tool(name: &str) -> Value {
    json!({
        "name": name,
        "inputSchema": { "type": "object", "properties": { "note": { "type": "string" } } },
    })
}
