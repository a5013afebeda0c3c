//! The path of a URL in the one form in which paths are compared and sent.

use percent_encoding::percent_decode_str;

/// Why a path has no form that every server reads in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadPath {
    /// `*`, or a path without a root.
    #[error("does not begin with `/`")]
    Relative,
    /// `//`: servers differ on whether it is one slash.
    #[error("has an empty segment (`//`)")]
    EmptySegment,
    /// `.` or `..`, also encoded or with a parameter (`..;a`).
    #[error("has a dot segment (`.` or `..`): write the path that is meant")]
    DotSegment,
    /// `%2F`, `%5C` or `\`: a slash to some servers and none to others. Also encoded twice.
    #[error("has a backslash or an encoded slash, which servers read differently")]
    HiddenSlash,
    /// A control character, also an encoded one; NUL, CR and LF among them.
    #[error("has a control character")]
    Control,
    /// `%` without two hexadecimal digits.
    #[error("has a `%` that is not followed by two hexadecimal digits")]
    Escape,
    /// Bytes beyond ASCII that were not encoded, or that are not UTF-8 when decoded.
    #[error("has bytes that are not percent-encoded UTF-8")]
    NotUtf8,
}

/// The path with its unreserved characters decoded and every other escape in upper case (RFC 3986
/// section 6.2.2). Characters that RFC 3986 does not allow are encoded. What servers are known to
/// read in different ways is refused and never repaired: a repaired path is not what was asked for.
///
/// INVARIANT: applied to its own result, it changes nothing.
pub(crate) fn normalise(path: &str) -> Result<String, BadPath> {
    let rest = path.strip_prefix('/').ok_or(BadPath::Relative)?;
    let mut segments = rest.split('/').peekable();
    let mut normal = String::with_capacity(path.len());
    while let Some(segment) = segments.next() {
        // The last one is empty where the path ends with a slash.
        if segment.is_empty() && segments.peek().is_some() {
            return Err(BadPath::EmptySegment);
        }
        normal.push('/');
        push_segment(&mut normal, segment)?;
    }
    Ok(normal)
}

fn push_segment(normal: &mut String, segment: &str) -> Result<(), BadPath> {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let escape = (bytes.next(), bytes.next());
                let (Some(high), Some(low)) = (escape.0.and_then(hex), escape.1.and_then(hex))
                else {
                    return Err(BadPath::Escape);
                };
                push_escaped(normal, high << 4 | low)?;
            }
            b'\\' => return Err(BadPath::HiddenSlash),
            0..=0x1f | 0x7f => return Err(BadPath::Control),
            0x80.. => return Err(BadPath::NotUtf8),
            byte if is_unreserved(byte) || b"!$&'()*+,;=:@".contains(&byte) => {
                normal.push(char::from(byte));
            }
            byte => push_escape(normal, byte),
        }
    }
    let decoded = percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| BadPath::NotUtf8)?;
    // Some servers cut `;…` off before they resolve dots.
    if matches!(decoded.split(';').next(), Some("." | "..")) {
        return Err(BadPath::DotSegment);
    }
    // A server that decodes twice must not see more than we do.
    let twice = percent_decode_str(&decoded).collect::<Vec<u8>>();
    if twice.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
        return Err(BadPath::HiddenSlash);
    }
    if twice.iter().any(u8::is_ascii_control) {
        return Err(BadPath::Control);
    }
    match twice.split(|byte| *byte == b';').next() {
        Some(b"." | b"..") => Err(BadPath::DotSegment),
        _ => Ok(()),
    }
}

fn push_escaped(normal: &mut String, byte: u8) -> Result<(), BadPath> {
    match byte {
        b'/' | b'\\' => Err(BadPath::HiddenSlash),
        0..=0x1f | 0x7f => Err(BadPath::Control),
        byte if is_unreserved(byte) => {
            normal.push(char::from(byte));
            Ok(())
        }
        byte => {
            push_escape(normal, byte);
            Ok(())
        }
    }
}

fn push_escape(normal: &mut String, byte: u8) {
    normal.push_str(percent_encoding::percent_encode_byte(byte));
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_paths_have_one_form() {
        for (path, normal) in [
            ("/", "/"),
            ("/v1/", "/v1/"),
            ("/%7euser/%41", "/~user/A"),
            ("/a%2cb,c", "/a%2Cb,c"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/{id}|x", "/%7Bid%7D%7Cx"),
            ("/...", "/..."),
            ("/a;b=1/c", "/a;b=1/c"),
            ("/100%25", "/100%25"),
        ] {
            assert_eq!(normalise(path).as_deref(), Ok(normal), "{path}");
            assert_eq!(normalise(normal).as_deref(), Ok(normal), "{path} again");
        }
    }

    #[test]
    fn what_servers_read_differently_is_refused() {
        for (path, reason) in [
            ("", BadPath::Relative),
            ("*", BadPath::Relative),
            ("//", BadPath::EmptySegment),
            ("//a", BadPath::EmptySegment),
            ("/a//b", BadPath::EmptySegment),
            ("/.", BadPath::DotSegment),
            ("/v1/../admin", BadPath::DotSegment),
            ("/v1/%2e%2E/admin", BadPath::DotSegment),
            ("/v1/.%2e", BadPath::DotSegment),
            ("/v1/..;/admin", BadPath::DotSegment),
            ("/v1/..%3bx/admin", BadPath::DotSegment),
            ("/v1/%252e%252e/admin", BadPath::DotSegment),
            ("/v1/..%253b/admin", BadPath::DotSegment),
            ("/v1/a%2fb", BadPath::HiddenSlash),
            ("/v1/a%5Cb", BadPath::HiddenSlash),
            ("/v1/a\\b", BadPath::HiddenSlash),
            ("/v1/a%252Fb", BadPath::HiddenSlash),
            ("/a%00", BadPath::Control),
            ("/a%2500", BadPath::Control),
            ("/a%0d%0aHost:", BadPath::Control),
            ("/a\nb", BadPath::Control),
            ("/a%7f", BadPath::Control),
            ("/a%", BadPath::Escape),
            ("/a%4", BadPath::Escape),
            ("/a%zz", BadPath::Escape),
            ("/a%+1", BadPath::Escape),
            ("/%c0%af", BadPath::NotUtf8),
            ("/%c0%ae%c0%ae/", BadPath::NotUtf8),
            ("/é", BadPath::NotUtf8),
        ] {
            assert_eq!(normalise(path), Err(reason), "{path}");
        }
    }
}
