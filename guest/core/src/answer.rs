//! From an HTTP exchange to one JSON object, or to the cause why there is none.
//!
//! Everything that two readers could see differently is refused here: redirects, other media types,
//! content encodings, excess, names that come twice or in a variant spelling.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::exchange::{Fault, FaultKind, MAX_ANSWER_BYTES, Response};
use crate::json::{self, JsonErrorKind};
use crate::text::{clean, quote};
use crate::types::{Cause, Decision, Evidence, Verdict};

/// The longest wait that a policy service can ask for with `Retry-After`, in seconds: one day.
pub const MAX_RETRY_AFTER: u32 = 86_400;

/// The names that decide. One of them in another spelling (`Decision`, `holdToken`) would be read
/// by some clients and not by others.
const DECIDING: [&str; 14] = [
    "decision",
    "authorization_decision",
    "modified_tool_args",
    "hold_token",
    "token",
    "resolved",
    "resolution",
    "enforcement_trace_id",
    "action_attestation_id",
    "request_id",
    "session_id",
    "tool_name",
    "agent_id",
    "tenant_id",
];

/// What an exchange came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The decision; a block where there was none.
    pub decision: Decision,
    /// How long the policy service asked to wait.
    pub retry_after_seconds: Option<u32>,
    /// Nobody has decided, and asking again may help: the policy service was away or busy. The
    /// decision is a block nevertheless. Said of a hold only.
    pub undecided: bool,
}

impl Answer {
    /// A decision that was read from an answer.
    pub(crate) fn decided(decision: Decision) -> Self {
        Self {
            decision,
            retry_after_seconds: None,
            undecided: false,
        }
    }
}

/// Why an answer is not a decision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flaw {
    pub(crate) cause: Cause,
    pub(crate) reason: String,
    pub(crate) reason_code: Option<String>,
    pub(crate) retry_after_seconds: Option<u32>,
    /// The HTTP status, where it was that.
    pub(crate) status: Option<u16>,
}

impl Flaw {
    pub(crate) fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self {
            cause,
            reason: reason.into(),
            reason_code: None,
            retry_after_seconds: None,
            status: None,
        }
    }

    /// Whether the policy service may just have been away or busy.
    pub(crate) fn may_pass(&self) -> bool {
        match self.cause {
            Cause::Unreachable | Cause::Timeout => true,
            Cause::Status => matches!(self.status, Some(408 | 429 | 500..=599)),
            _ => false,
        }
    }

    /// The one way from a failure to a decision.
    pub(crate) fn into_answer(self) -> Answer {
        Answer {
            decision: Decision {
                verdict: Verdict::Block(self.cause),
                reason: self.reason,
                evidence: Evidence {
                    reason_code: self.reason_code,
                    ..Evidence::default()
                },
            },
            retry_after_seconds: self.retry_after_seconds,
            undecided: false,
        }
    }
}

impl From<Fault> for Flaw {
    fn from(fault: Fault) -> Self {
        let (cause, what) = match fault.kind {
            FaultKind::Unreachable => (Cause::Unreachable, "the policy service is unreachable"),
            FaultKind::Timeout => (Cause::Timeout, "the policy service did not answer in time"),
            FaultKind::Tls => (
                Cause::Tls,
                "the connection to the policy service is not secure",
            ),
            FaultKind::Protocol => (Cause::Protocol, "the policy service's answer broke HTTP"),
            FaultKind::TooLarge => (Cause::TooLarge, "the policy service's answer was too large"),
        };
        let detail = clean(&fault.detail);
        if detail.is_empty() {
            Self::new(cause, what)
        } else {
            Self::new(cause, format!("{what}: {detail}"))
        }
    }
}

/// The one JSON object of an answer with status 200.
pub(crate) fn open(exchanged: Result<Response, Fault>) -> Result<Map<String, Value>, Flaw> {
    let response = exchanged?;
    match response.status {
        200 => {}
        300..=399 => {
            let reason = format!(
                "the policy service answered with a redirect (status {}), and redirects are not followed: correct THOTH_API_URL",
                response.status
            );
            return Err(Flaw::new(Cause::Redirect, reason));
        }
        _ => return Err(rejected(&response)),
    }
    check_headers(&response)?;
    if response.body.len() > MAX_ANSWER_BYTES {
        let reason = format!("the policy service's answer was over {MAX_ANSWER_BYTES} bytes");
        return Err(Flaw::new(Cause::TooLarge, reason));
    }
    let value = json::parse(&response.body).map_err(|error| {
        let cause = match error.kind {
            JsonErrorKind::DuplicateName(_) => Cause::Ambiguous,
            JsonErrorKind::TooLong | JsonErrorKind::TooDeep => Cause::TooLarge,
            JsonErrorKind::NulInName
            | JsonErrorKind::IntegerTooLarge
            | JsonErrorKind::NotCanonical
            | JsonErrorKind::NumberTooLarge
            | JsonErrorKind::NotUtf8
            | JsonErrorKind::Syntax(_) => Cause::Decode,
        };
        Flaw::new(
            cause,
            format!("the policy service's answer cannot be read: {error}"),
        )
    })?;
    let Value::Object(members) = value else {
        let kind = json::type_name(&value);
        let reason = format!("the policy service's answer is not a JSON object but {kind}");
        return Err(Flaw::new(Cause::Decode, reason));
    };
    check_names(&members)?;
    Ok(members)
}

fn check_headers(response: &Response) -> Result<(), Flaw> {
    for encoding in response.values("content-encoding") {
        if !encoding.trim_ascii().eq_ignore_ascii_case(b"identity") {
            let reason = "the policy service's answer has a content encoding, and none was offered";
            return Err(Flaw::new(Cause::Encoding, reason));
        }
    }
    for length in response.values("content-length") {
        let length = core::str::from_utf8(length)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        if length != Some(response.body.len()) {
            let reason = "the policy service's answer is not as long as it says";
            return Err(Flaw::new(Cause::Protocol, reason));
        }
    }
    // Where a host shows how the body was framed. Two ways at once are two answers to two readers.
    let has_length = response.values("content-length").next().is_some();
    let mut codings = response.values("transfer-encoding");
    if codings.any(|coding| has_length || !coding.trim_ascii().eq_ignore_ascii_case(b"chunked")) {
        let reason = "the policy service's answer is framed in more ways than one";
        return Err(Flaw::new(Cause::Protocol, reason));
    }
    let mut types = response.values("content-type");
    match (types.next(), types.next()) {
        (Some(media_type), None) if is_json(media_type) => Ok(()),
        _ => {
            let reason = "the policy service's answer is not marked as application/json";
            Err(Flaw::new(Cause::ContentType, reason))
        }
    }
}

/// `application/json`, perhaps with `charset=utf-8` and nothing else.
fn is_json(field: &[u8]) -> bool {
    if field == b"application/json" {
        return true;
    }
    let mut parts = field.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let media_type = parts.next().unwrap_or_default();
    media_type.eq_ignore_ascii_case(b"application/json")
        && parts.all(|parameter| {
            parameter.eq_ignore_ascii_case(b"charset=utf-8")
                || parameter.eq_ignore_ascii_case(b"charset=\"utf-8\"")
        })
}

/// Any status but 200 and the redirects. Its body decides nothing; it may say why.
fn rejected(response: &Response) -> Flaw {
    let status = response.status;
    let mut flaw = Flaw::new(
        Cause::Status,
        format!("the policy service answered with status {status}"),
    );
    flaw.status = Some(status);
    flaw.retry_after_seconds = retry_after(response);
    let value = json::parse(&response.body).unwrap_or_default();
    let detail = |name| {
        let text = value.get("error")?.get(name)?.as_str().map(clean)?;
        (!text.is_empty()).then_some(text)
    };
    let (kind, code, message) = (detail("type"), detail("code"), detail("message"));
    match (status, kind.as_deref(), message) {
        (402, Some("billing_error"), message) => {
            flaw.reason_code = code.map(|code| format!("billing_{code}"));
            flaw.reason = message.unwrap_or(flaw.reason);
        }
        (_, _, Some(message)) => flaw.reason = format!("{}: {message}", flaw.reason),
        (401 | 403, _, None) => flaw.reason.push_str(": check THOTH_API_KEY"),
        (_, _, None) => {}
    }
    flaw
}

/// `Retry-After` in seconds, at most [`MAX_RETRY_AFTER`]. A date, or two of them, say nothing.
pub(crate) fn retry_after(response: &Response) -> Option<u32> {
    let mut values = response.values("retry-after");
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let digits = core::str::from_utf8(value).ok()?.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Only a number beyond u32 does not parse now.
    Some(digits.parse().unwrap_or(u32::MAX).min(MAX_RETRY_AFTER))
}

/// Refuses names that some readers take for one another, where that could change a decision.
fn check_names(members: &Map<String, Value>) -> Result<(), Flaw> {
    let mut seen: Map<String, Value> = Map::new();
    for name in members.keys() {
        let folded = folded(name);
        let variant = |known: &&str| known != name && without_marks(known).eq(folded.bytes());
        let deciding = DECIDING.into_iter().find(variant);
        let earlier = seen.insert(folded.clone(), name.as_str().into());
        let earlier = earlier.as_ref().and_then(Value::as_str);
        if let Some(other) = deciding.or(earlier) {
            let reason = format!(
                "the policy service's answer can be read in two ways: `{}` is a variant of `{}`",
                quote(name),
                quote(other)
            );
            return Err(Flaw::new(Cause::Ambiguous, reason));
        }
    }
    Ok(())
}

/// A name without what lenient readers ignore: case and `_`. Go also takes the two letters beyond
/// ASCII that fold to ASCII ones.
fn folded(name: &str) -> String {
    if name.is_ascii() {
        let mut folded: Vec<u8> = without_marks(name).collect();
        folded.make_ascii_lowercase();
        return String::from_utf8(folded).unwrap_or_default();
    }
    let folded = name.chars().filter(|c| *c != '_').map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    });
    folded.collect()
}

fn without_marks(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|byte| *byte != b'_')
}

/// Reads the typed fields of an answer. `null` is the same as absent; another type is a flaw, as the
/// reference SDKs have it.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(crate) fn value(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn typed<T>(
        self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Flaw> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        read(value)
            .map(Some)
            .ok_or_else(|| wrong_type(name, expected))
    }

    pub(crate) fn text(self, name: &str) -> Result<Option<&'a str>, Flaw> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A string that says something.
    pub(crate) fn full_text(self, name: &str) -> Result<Option<String>, Flaw> {
        let text = self.text(name)?.map(clean);
        Ok(text.filter(|text| !text.is_empty()))
    }

    pub(crate) fn flag(self, name: &str) -> Result<Option<bool>, Flaw> {
        self.typed(name, "true or false", Value::as_bool)
    }

    pub(crate) fn number(self, name: &str) -> Result<Option<f64>, Flaw> {
        self.typed(name, "a number", Value::as_f64)
    }

    pub(crate) fn integer(self, name: &str) -> Result<Option<i64>, Flaw> {
        self.typed(name, "an integer", Value::as_i64)
    }

    /// A time in whole seconds. None for zero, which says nothing, and the most there is for more.
    pub(crate) fn seconds(self, name: &str) -> Result<Option<u32>, Flaw> {
        let seconds = self.typed(name, "a number of seconds", Value::as_u64)?;
        let seconds = seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
        Ok(seconds.filter(|seconds| *seconds > 0))
    }

    pub(crate) fn texts(self, name: &str) -> Result<Vec<String>, Flaw> {
        let texts = self.typed(name, "a list of strings", |value| {
            let items = value.as_array()?.iter();
            items
                .map(|item| item.as_str().map(ToOwned::to_owned))
                .collect()
        })?;
        Ok(texts.unwrap_or_default())
    }

    pub(crate) fn object(self, name: &str) -> Result<Option<&'a Map<String, Value>>, Flaw> {
        self.typed(name, "an object", Value::as_object)
    }

    pub(crate) fn objects(self, name: &str) -> Result<(), Flaw> {
        self.typed(name, "a list of objects", |value| {
            value.as_array()?.iter().all(Value::is_object).then_some(())
        })
        .map(|_| ())
    }

    /// A string as it was given.
    pub(crate) fn exact_text(self, name: &str) -> Result<Option<String>, Flaw> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        Ok(text.map(ToString::to_string))
    }
}

#[cold]
fn wrong_type(name: &str, expected: &str) -> Flaw {
    let reason = format!("the policy service's answer has a `{name}` that is not {expected}");
    Flaw::new(Cause::Decode, reason)
}
