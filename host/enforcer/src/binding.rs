//! What an approval is for: one call, by one agent for one user in one session, of one tool with one
//! set of arguments, under one state of the policies.

use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};
use thoth_core::json::{canonical, digest};

use crate::call::Call;
use crate::store::Approval;

/// The header of a question about a call in which a host says which component it would run, by its
/// SHA-256 in lower-case hex. Such a host takes changed arguments out of an approval, and uses it only
/// with a claim.
const COMPONENT_HEADER: &str = "thoth-component";

/// The header of a question about a hold in which a host says what it is about to run.
///
/// `name=value` pairs with commas between. All but `use` are SHA-256 digests in lower-case hex, so that
/// any text can be named in a header. A client that does not know it, as the SDKs do not, leaves it out.
const CLAIM_HEADER: &str = "thoth-claim";

/// The longest claim that is read, in bytes.
const MAX_CLAIM: usize = 1024;

/// What a hold is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) tenant_id: String,
    pub(crate) agent_id: String,
    pub(crate) user_id: String,
    pub(crate) session_id: String,
    pub(crate) tool_name: String,
    /// The SHA-256 of the tool's component, where the client said so.
    pub(crate) component: Option<String>,
    /// What runs if it is approved, as canonical JSON: after a modification.
    pub(crate) arguments: String,
    /// What the agent asked for, as canonical JSON.
    pub(crate) asked: String,
    /// The policies' revision.
    pub(crate) policy: String,
    /// Random: two holds of the same call are two.
    pub(crate) nonce: String,
}

impl Binding {
    /// What a hold of this call is bound to.
    pub(crate) fn new(call: &Call, policy: &str, nonce: String) -> Self {
        let asked = canonical(&Value::Object(call.arguments.clone()));
        Self {
            tenant_id: call.tenant_id.clone(),
            agent_id: call.agent_id.clone(),
            user_id: call.user_id.clone(),
            session_id: call.session_id.clone(),
            tool_name: call.tool_name.clone(),
            component: call.component.clone(),
            arguments: asked.clone(),
            asked,
            policy: policy.to_owned(),
            nonce,
        }
    }

    /// The SHA-256, in hex, over the canonical JSON (RFC 8785) of all of it.
    pub(crate) fn digest(&self) -> String {
        let arguments = raw(&self.arguments);
        let asked = (self.asked != self.arguments).then(|| raw(&self.asked));
        let action = json!({
            "v": 1,
            "tenant": self.tenant_id,
            "agent": self.agent_id,
            "user": self.user_id,
            "session": self.session_id,
            "tool": self.tool_name,
            "component": self.component,
            "arguments": arguments,
            "asked": asked,
            "policy": self.policy,
            "nonce": self.nonce,
        });
        digest_of(&action)
    }
}

/// How a claim is for something else than the hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mismatch {
    #[error("the approval is for another tenant, agent or user")]
    Caller,
    #[error("the approval is for another session")]
    Session,
    #[error("the approval is for another tool")]
    Tool,
    #[error("the approval is for another version of the tool")]
    Component,
    #[error("the approval is for other arguments")]
    Arguments,
    #[error("the policies have changed since a human was asked: ask again")]
    Policy,
    #[error("the hold was opened for a host that names what it runs, and this request does not")]
    Unclaimed,
    #[error("the approval was used already: it is for one run")]
    Used,
    #[error("the approval was not used in time: ask again")]
    Late,
}

impl Mismatch {
    /// The code on the wire.
    pub(crate) fn reason_code(self) -> &'static str {
        match self {
            Self::Caller => "hold_other_caller",
            Self::Session => "hold_other_session",
            Self::Tool => "hold_other_tool",
            Self::Component => "hold_other_component",
            Self::Arguments => "hold_other_arguments",
            Self::Policy => "hold_other_policy",
            Self::Unclaimed => "hold_unclaimed",
            Self::Used => "hold_used",
            Self::Late => "hold_late",
        }
    }
}

/// What a host says that it is about to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    caller: String,
    session: String,
    tool: String,
    component: String,
    arguments: String,
    /// Random, of the host's for one call: whoever uses an approval first is the only one to.
    pub(crate) use_id: String,
}

/// A claim that is not one. It is refused, since to ignore it would be to check less than was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header `{0}` does not say what would run")]
pub(crate) struct NoClaim(&'static str);

/// The component that a request announces, where it does.
pub(crate) fn announced(headers: &HeaderMap) -> Result<Option<String>, NoClaim> {
    let wrong = NoClaim(COMPONENT_HEADER);
    let mut values = headers.get_all(COMPONENT_HEADER).iter();
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) if text.len() == 64 && is_hex(text) => Ok(Some(text.to_owned())),
        (Some(_), _) => Err(wrong),
    }
}

fn is_hex(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Claim {
    /// Reads the claim of a request, where there is one.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, NoClaim> {
        let wrong = NoClaim(CLAIM_HEADER);
        let mut values = headers.get_all(CLAIM_HEADER).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let text = value.to_str().map_err(|_| wrong)?;
        if values.next().is_some() || text.len() > MAX_CLAIM {
            return Err(wrong);
        }
        let mut parts = Map::new();
        for pair in text.split(',') {
            let (name, value) = pair.trim().split_once('=').ok_or(wrong)?;
            if !is_hex(value) || parts.insert(name.to_owned(), value.into()).is_some() {
                return Err(wrong);
            }
        }
        let mut take = |name: &str, length: usize| match parts.remove(name) {
            Some(Value::String(value)) if value.len() == length => Ok(value),
            _ => Err(wrong),
        };
        Ok(Some(Self {
            caller: take("caller", 64)?,
            session: take("session", 64)?,
            tool: take("tool", 64)?,
            component: take("component", 64)?,
            arguments: take("arguments", 64)?,
            use_id: take("use", 32)?,
        }))
    }

    /// The claim of a host that is about to make this call.
    #[cfg(test)]
    pub(crate) fn for_test(binding: &Binding, use_id: String) -> Self {
        let caller = [&binding.tenant_id, &binding.agent_id, &binding.user_id];
        Self {
            caller: digest_of(&json!(caller)),
            session: digest(&binding.session_id),
            tool: digest(&binding.tool_name),
            component: binding.component.clone().unwrap_or_default(),
            arguments: digest(&binding.asked),
            use_id,
        }
    }

    /// Checks that the approval is for the very call that is claimed.
    pub(crate) fn fits(&self, approval: &Approval) -> Result<(), Mismatch> {
        let caller = [
            &*approval.tenant_id,
            &*approval.agent_id,
            &*approval.user_id,
        ];
        let asked = approval.asked_arguments.as_ref();
        let asked = asked.unwrap_or(&approval.arguments);
        let component = approval.component.as_deref().unwrap_or_default();
        let parts = [
            (&self.caller, &*digest_of(&json!(caller)), Mismatch::Caller),
            (
                &self.session,
                &*digest(&approval.session_id),
                Mismatch::Session,
            ),
            (&self.tool, &*digest(&approval.tool_name), Mismatch::Tool),
            (&self.component, component, Mismatch::Component),
            (&self.arguments, &*digest(asked), Mismatch::Arguments),
        ];
        for (claimed, bound, mismatch) in parts {
            if claimed != bound {
                return Err(mismatch);
            }
        }
        Ok(())
    }
}

fn digest_of(value: &Value) -> String {
    digest(&canonical(value))
}

/// Canonical JSON of this process's own making; text is the honest form if it is not.
fn raw(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
