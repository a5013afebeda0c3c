//! The rows of the fault matrix.

mod answers;
mod transport;

use std::time::Duration;

use thoth_tests::Reply;

pub(crate) use answers::{allowed, resolutions};

pub(crate) const ALLOW: &str = r#"{"decision":"ALLOW"}"#;
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/// Instead of causes: as an answer for a hold, this leaves the hold as it was.
pub(crate) const UNDECIDED: &[&str] = &["undecided"];

/// An answer that must not run the tool.
pub(crate) struct Row {
    id: &'static str,
    fault: String,
    /// What the service sends.
    pub(crate) reply: Reply,
    /// The causes that a refusal may name where this is the decision.
    pub(crate) causes: &'static [&'static str],
    /// The same where this is the answer for a hold; none where the row says nothing there.
    pub(crate) hold_causes: &'static [&'static str],
}

impl Row {
    /// Id and fault.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.id, self.fault)
    }

    fn on_hold(mut self, causes: &'static [&'static str]) -> Self {
        self.hold_causes = causes;
        self
    }

    fn not_on_hold(self) -> Self {
        self.on_hold(&[])
    }
}

fn row(
    id: &'static str,
    fault: impl Into<String>,
    reply: impl Into<Reply>,
    causes: &'static [&'static str],
) -> Row {
    Row {
        id,
        fault: fault.into(),
        reply: reply.into(),
        causes,
        hold_causes: causes,
    }
}

/// A complete `application/json` answer with status 200 and this body.
fn body(body: impl AsRef<str>) -> Reply {
    Reply::json(200, body.as_ref())
}

/// The pause of a drip.
pub(crate) fn slowly() -> Duration {
    Duration::from_millis(50)
}

/// Every answer that must not run the tool.
pub(crate) fn replies() -> Vec<Row> {
    let mut rows = transport::broken_http();
    rows.extend(transport::slow());
    rows.extend(transport::statuses());
    rows.extend(answers::bodies());
    rows.extend(answers::ambiguous());
    rows.extend(answers::decisions());
    rows.extend(transport::media());
    rows.extend(answers::modifications());
    rows.extend(answers::holds());
    rows.extend(answers::mismatches());
    rows
}
