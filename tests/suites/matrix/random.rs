//! Replies put together at random: each part is as it should be or one of many that are not, and the
//! whole is an ALLOW only if every part is right.

use fastrand::Rng;
use thoth_tests::faultd::response;

/// A reply on the wire, and whether a host may take it for an ALLOW.
pub(crate) struct Generated {
    pub(crate) wire: Vec<u8>,
    pub(crate) allows: bool,
}

/// One part of a reply: right in five cases of six.
fn part<T: Clone>(rng: &mut Rng, right: &[T], wrong: &[T]) -> (T, bool) {
    let is_right = rng.u8(0..6) > 0;
    let from = if is_right { right } else { wrong };
    (from[rng.usize(0..from.len())].clone(), is_right)
}

const STATUSES: [u16; 20] = [
    201, 202, 203, 204, 205, 206, 226, 300, 301, 302, 307, 400, 401, 403, 404, 409, 429, 500, 502,
    503,
];

const TYPES: [&str; 3] = [
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
];

const WRONG_TYPES: [&str; 5] = [
    "text/html",
    "text/plain",
    "application/octet-stream",
    "application/jsonx",
    "",
];

const BODIES: [&str; 5] = [
    r#"{"decision":"ALLOW"}"#,
    r#"{"authorization_decision":"ALLOW"}"#,
    r#"{ "decision" : " allow " , "reason" : "fine" }"#,
    r#"{"decision":"ALLOW","authorization_decision":"ALLOW","risk_score":0.1}"#,
    "\r\n{\"decision\":\"ALLOW\"}\n",
];

const WRONG_BODIES: [&str; 22] = [
    "",
    "null",
    "true",
    "\"ALLOW\"",
    r#"["ALLOW"]"#,
    r#"[{"decision":"ALLOW"}]"#,
    r#"{"decision":"BLOCK"}"#,
    r#"{"decision":"PERMIT"}"#,
    r#"{"decision":"ALLOW\u0000"}"#,
    r#"{"decision":true}"#,
    r#"{"decision":["ALLOW"]}"#,
    r#"{"decision":{"decision":"ALLOW"}}"#,
    r#"{"Decision":"ALLOW"}"#,
    r#"{"decision":"ALLOW","decision":"BLOCK"}"#,
    r#"{"decision":"BLOCK","\u0064ecision":"ALLOW"}"#,
    r#"{"decision":"ALLOW","Decision":"BLOCK"}"#,
    r#"{"decision":"ALLOW","authorization_decision":"BLOCK"}"#,
    r#"{"decision":"ALLOW"}{"decision":"ALLOW"}"#,
    r#"{"decision":"ALLOW"} x"#,
    r#"{"decision":"ALLOW""#,
    "\u{feff}{\"decision\":\"ALLOW\"}",
    r#"{"decision":"ΑLLOW"}"#,
];

const ENCODINGS: [&str; 4] = ["gzip", "br", "zstd", "deflate"];

/// The next reply.
pub(crate) fn generate(rng: &mut Rng) -> Generated {
    let (status, right_status) = part(rng, &[200], &STATUSES);
    let (kind, right_kind) = part(rng, &TYPES, &WRONG_TYPES);
    let (body, right_body) = part(rng, &BODIES, &WRONG_BODIES);
    let mut framed = right_status && right_kind;
    let mut body = body.as_bytes().to_vec();
    let mut headers = Vec::new();
    if !kind.is_empty() {
        headers.push(("content-type", kind));
    }
    if rng.u8(0..8) == 0 {
        headers.push(("content-encoding", ENCODINGS[rng.usize(0..ENCODINGS.len())]));
        framed = false;
    }
    if rng.u8(0..8) == 0 && !body.is_empty() {
        // A flipped bit anywhere. What it leaves may be an ALLOW or not, so the frame must be wrong.
        let at = rng.usize(0..body.len());
        body[at] ^= 1 << rng.u8(0..8);
        if framed {
            return generate(rng);
        }
    }
    let mut allows = framed && right_body;
    let mut wire = response(status, &headers, &body);
    if rng.u8(0..8) == 0 {
        // Cut anywhere but at the end, and the connection closed.
        wire.truncate(rng.usize(0..wire.len()));
        allows = false;
    }
    Generated { wire, allows }
}
