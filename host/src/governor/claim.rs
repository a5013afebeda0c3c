//! What the host says about a call besides what its governor says: which component it would run, and,
//! when it asks about a hold, what an approval would be used for. An enforcer that knows these headers
//! gives an approval to that run and to no other; one that does not, as the SDKs do not, ignores them.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use thoth_core::json::{canonical, digest};
use thoth_core::{Session, ToolCall};

const COMPONENT: HeaderName = HeaderName::from_static("thoth-component");
const CLAIM: HeaderName = HeaderName::from_static("thoth-claim");

/// One use of an approval: of this call, by this process, for this component.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    component: String,
    /// Random. Two that come back to one hold are two, whatever else is the same.
    id: String,
}

impl Use {
    /// A use that nobody else has.
    pub(crate) fn new(component: &str) -> Self {
        Self {
            component: component.to_owned(),
            id: uuid::Uuid::new_v4().simple().to_string(),
        }
    }

    /// For the question whether a call may run.
    pub(crate) fn announce(&self) -> Claim {
        Claim(COMPONENT, self.component.clone())
    }

    /// For the question what became of its hold.
    pub(crate) fn claim(&self, session: &Session, call: &ToolCall) -> Claim {
        let caller = json!([session.tenant_id, session.agent_id, session.user_id]);
        // They were read within the profile before, or nobody was asked.
        let arguments = thoth_core::json::parse(call.arguments.as_bytes()).unwrap_or_default();
        let parts = [
            ("caller", digest(&canonical(&caller))),
            ("session", digest(&session.session_id)),
            ("tool", digest(&call.tool)),
            ("component", self.component.clone()),
            ("arguments", digest(&canonical(&arguments))),
            ("use", self.id.clone()),
        ];
        let parts = parts.map(|(name, value)| format!("{name}={value}"));
        Claim(CLAIM, parts.join(","))
    }
}

/// A header of the questions about one call.
#[derive(Clone, Debug)]
pub(crate) struct Claim(HeaderName, String);

impl Claim {
    /// The SHA-256 of the component that would run, where that is what is announced.
    pub(super) fn component(&self) -> Option<&str> {
        (self.0 == COMPONENT).then_some(&self.1)
    }

    /// The SHA-256 of it, which tells one use from another and gives none away.
    pub(crate) fn digest(&self) -> String {
        digest(&self.1)
    }

    pub(super) fn put(&self, headers: &mut HeaderMap) {
        // A guest has no say in these.
        headers.remove(COMPONENT);
        headers.remove(CLAIM);
        if let Ok(value) = HeaderValue::from_str(&self.1) {
            headers.insert(self.0.clone(), value);
        }
    }
}
