//! The one form in which a host, a path and the like are taken.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;

/// The longest tool or method name, in bytes.
const MAX_WORD: usize = 128;
/// The longest path of a file: what Linux opens.
const MAX_FILE_PATH: usize = 4096;
/// The deepest path of a file: each folder above it becomes an entity.
const MAX_FOLDERS: usize = 128;
/// The longest path or query of a URL.
const MAX_URL_PART: usize = 16 * 1024;

/// A tool's name, which is snake case at our host; another's is only text, but text of one line.
pub(super) fn is_tool(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_WORD && !text.chars().any(char::is_control)
}

/// A call's id; a caller may choose its own, so it need not be a UUID.
pub(super) fn is_call_id(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A token (RFC 9110 section 5.6.2). Methods are case-sensitive but servers are not always, so `post`
/// must not pass a rule about `POST`.
pub(super) fn is_method(text: &str) -> bool {
    is_token(text) && !text.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// A field name (RFC 9110 section 5.1) in lower case, as HTTP/2 sends it.
pub(super) fn is_header(text: &str) -> bool {
    is_token(text) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.len() <= MAX_WORD && text.bytes().all(fits)
}

pub(super) fn is_scheme(text: &str) -> bool {
    matches!(text, "http" | "https")
}

pub(super) fn is_mode(text: &str) -> bool {
    matches!(text, "read" | "write")
}

pub(super) fn is_sha256(text: &str) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(digit)
}

/// The address in `[::1]`; any other host as it is.
pub(super) fn without_brackets(host: &str) -> &str {
    let inside = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inside.unwrap_or(host)
}

/// A host name in lower case without a final dot, or an address as RFC 5952 writes it.
pub(super) fn is_host(text: &str) -> bool {
    if text.contains([':', '[', ']']) {
        // An IPv4 address in IPv6 clothes would pass the rules about the IPv4 address.
        let address = without_brackets(text);
        return address.parse::<IpAddr>().is_ok_and(|ip| {
            ip.is_ipv6() && ip.to_canonical().is_ipv6() && ip.to_string() == address
        });
    }
    let label = |label: &str| {
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(fits)
    };
    // What ends in a number is an IPv4 address to a URL parser, in one of many spellings
    // (<https://url.spec.whatwg.org/#ends-in-a-number-checker>).
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with(|c: char| c.is_ascii_digit())
        && (last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x"));
    if is_number {
        return text.parse::<IpAddr>().is_ok();
    }
    text.len() <= 253 && text.split('.').all(label)
}

/// A path in which nothing is left to be normalised (RFC 3986 section 6.2.2), and in which no server
/// can find more slashes or dot segments by decoding it.
pub(super) fn is_url_path(text: &str) -> bool {
    let Some(segments) = text.strip_prefix('/') else {
        return false;
    };
    let mut empty = segments.split('/').rev().map(str::is_empty);
    // Only the last segment may be empty.
    empty.next();
    is_url_part(text, b"\\?#")
        && !empty.any(|empty| empty)
        && !segments.split('/').any(is_dots)
        && escapes(text).all(|byte| byte.is_some_and(needs_escape))
}

/// An escaped byte that has no other spelling, and that nobody takes for a separator.
fn needs_escape(byte: u8) -> bool {
    !(byte.is_ascii_alphanumeric() || b"-._~/\\\0".contains(&byte))
}

/// What each `%` stands for; `None` for one without two hex digits.
fn escapes(text: &str) -> impl Iterator<Item = Option<u8>> {
    text.match_indices('%').map(|(at, _)| {
        let escape = text.get(at..at + 3)?;
        let mut bytes = percent_decode_str(escape);
        let decoded = bytes.next();
        decoded.filter(|_| bytes.next().is_none())
    })
}

pub(super) fn is_query(text: &str) -> bool {
    is_url_part(text, b"#")
}

/// Visible ASCII without some of it.
fn is_url_part(text: &str, without: &[u8]) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && !without.contains(&byte);
    text.len() <= MAX_URL_PART && text.bytes().all(fits)
}

/// A path from the root without anything that another path says as well.
pub(super) fn is_file_path(text: &str) -> bool {
    let Some(segments) = text.strip_prefix('/') else {
        return false;
    };
    let fits = |segment: &str| !segment.is_empty() && !is_dots(segment);
    text.len() <= MAX_FILE_PATH
        && !text.chars().any(char::is_control)
        && segments.split('/').count() <= MAX_FOLDERS
        && (segments.is_empty() || segments.split('/').all(fits))
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}
