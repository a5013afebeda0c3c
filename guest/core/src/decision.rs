//! From the policy service's answer to a decision.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use crate::answer::{Answer, Fields, Flaw, open};
use crate::arguments::Arguments;
use crate::exchange::{Fault, Response};
use crate::json;
use crate::text::quote;
use crate::types::{Cause, Decision, Evidence, Hold, Session, ToolCall, Verdict};

/// What was asked: an answer that names something else is not an answer to it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// On whose behalf.
    pub session: &'a Session,
    /// Which call.
    pub call: &'a ToolCall,
    /// With which arguments.
    pub arguments: &'a Arguments,
    /// The question's own id, where it had one.
    pub request_id: Option<&'a str>,
}

/// Reads the answer to `POST /v1/enforce`. Total: what is not one well-formed, matching, recognised
/// answer is a block, and its cause says why.
#[must_use]
pub fn read(asked: Asked<'_>, exchanged: Result<Response, Fault>) -> Answer {
    match open(exchanged).and_then(|members| decide(asked, &members)) {
        Ok(decision) => Answer::decided(decision),
        Err(flaw) => flaw.into_answer(),
    }
}

fn decide(asked: Asked<'_>, members: &Map<String, Value>) -> Result<Decision, Flaw> {
    let fields = Fields(members);
    check_correlation(asked, fields)?;
    let word = strictest([
        word(fields, "decision")?,
        word(fields, "authorization_decision")?,
    ])
    .ok_or_else(|| Flaw::new(Cause::Decode, "the policy service's answer has no decision"))?;
    let evidence = evidence(fields)?;
    verdict(asked, fields, word, evidence)
}

/// A decision's verdict and reason, once it is known which decision it is.
pub(crate) fn verdict(
    asked: Asked<'_>,
    fields: Fields<'_>,
    word: Word,
    evidence: Evidence,
) -> Result<Decision, Flaw> {
    let reason = fields.full_text("reason")?;
    let modification_reason = fields.full_text("modification_reason")?;
    let defer_reason = fields.full_text("defer_reason")?;
    let defer_seconds = fields.seconds("defer_timeout_seconds")?;
    let step_up_seconds = fields.seconds("step_up_timeout_seconds")?;
    let token = fields.exact_text("hold_token")?;
    let approval_url = fields.full_text("approval_url")?;
    let modified = modified_arguments(fields, word)?;
    let (verdict, reason) = match word {
        Word::Allow => match modified {
            // An allowed call runs with its own arguments. Others beside it are a second reading.
            Some(other) if other.canonical() != asked.arguments.canonical() => {
                let reason = "the policy service allowed the call and modified it as well";
                return Err(Flaw::new(Cause::Ambiguous, reason));
            }
            _ => (Verdict::Allow, reason),
        },
        Word::Modify => {
            let modified = modified.ok_or_else(|| invalid_modify("they are missing or empty"))?;
            let arguments = modified.canonical().to_string();
            (Verdict::Modify(arguments), reason.or(modification_reason))
        }
        Word::StepUp => {
            let token = token.filter(|token| is_token(token)).ok_or_else(|| {
                let reason = "the policy service holds the call without a usable hold token";
                Flaw::new(Cause::InvalidHold, reason)
            })?;
            let hold = Hold {
                token,
                call_id: asked.call.call_id.clone(),
                digest: asked.arguments.digest(asked.session, asked.call),
                reason: reason.clone().unwrap_or_default(),
                timeout_seconds: step_up_seconds,
                approval_url,
                evidence: evidence.clone(),
            };
            (Verdict::StepUp(hold), reason)
        }
        Word::Defer => {
            let otherwise = || Some("deferred pending additional context".to_string());
            let reason = defer_reason.or(reason).or_else(otherwise);
            (Verdict::Defer(defer_seconds), reason)
        }
        Word::Block => (Verdict::Block(Cause::Policy), reason),
    };
    Ok(Decision {
        verdict,
        reason: reason.unwrap_or_default(),
        evidence,
    })
}

/// The decisions there are, the milder before the stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    Allow,
    Modify,
    StepUp,
    Defer,
    Block,
}

impl Word {
    /// Reads a decision in any case and with blanks around it, by each of its names.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace());
        match trimmed.to_ascii_uppercase().as_str() {
            "ALLOW" => Some(Self::Allow),
            "BLOCK" | "DENY" => Some(Self::Block),
            "STEP_UP" | "CHALLENGE" | "ESCALATE" | "REVIEW" => Some(Self::StepUp),
            "MODIFY" | "MODIFIED" | "TRANSFORM" => Some(Self::Modify),
            "DEFER" | "DEFERRED" | "HOLD" => Some(Self::Defer),
            _ => None,
        }
    }
}

/// The decision in a field, where the field is there at all.
pub(crate) fn word(fields: Fields<'_>, name: &str) -> Result<Option<Word>, Flaw> {
    let Some(text) = fields.text(name)? else {
        return Ok(None);
    };
    Word::parse(text).map(Some).ok_or_else(|| {
        let reason = format!("unsupported authorization decision `{}`", quote(text));
        Flaw::new(Cause::Decode, reason)
    })
}

/// Of several decisions about one call, the one that permits least.
pub(crate) fn strictest(words: impl IntoIterator<Item = Option<Word>>) -> Option<Word> {
    words.into_iter().flatten().max()
}

/// The arguments that replace the call's, where there are any. Whether they fit the tool's
/// parameters is for the one who knows those; here they must be a whole object within the profile.
fn modified_arguments(fields: Fields<'_>, word: Word) -> Result<Option<Arguments>, Flaw> {
    let Some(value) = fields.value("modified_tool_args") else {
        return Ok(None);
    };
    match (Arguments::from_value(value.clone()), word) {
        (Ok(arguments), _) if arguments.members().is_empty() => Ok(None),
        (Ok(arguments), _) => Ok(Some(arguments)),
        (Err(error), Word::Modify) => Err(invalid_modify(&error.to_string())),
        (Err(_), _) => {
            let reason =
                "the policy service's answer has a `modified_tool_args` that is not an object";
            Err(Flaw::new(Cause::Decode, reason))
        }
    }
}

fn invalid_modify(what: &str) -> Flaw {
    let reason = format!("the policy service modified the call without usable arguments: {what}");
    Flaw::new(Cause::InvalidModify, reason)
}

/// Whether a hold's token can name a hold, and go into a path without naming anything else.
pub(crate) fn is_token(token: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._:~-".contains(&byte);
    (1..=256).contains(&token.len())
        && token.bytes().all(known)
        && !token.bytes().all(|byte| byte == b'.')
}

/// Refuses an answer that names another call, trace, session, tool or caller than was asked about.
pub(crate) fn check_correlation(asked: Asked<'_>, fields: Fields<'_>) -> Result<(), Flaw> {
    let session = asked.session;
    let expected = [
        ("enforcement_trace_id", Some(session.trace())),
        ("action_attestation_id", Some(&*asked.call.call_id)),
        ("request_id", asked.request_id),
        ("session_id", Some(&*session.session_id)),
        ("tool_name", Some(&*asked.call.tool)),
        ("agent_id", Some(&*session.agent_id)),
        ("tenant_id", Some(&*session.tenant_id)),
    ];
    for (name, expected) in expected {
        let named = fields.text(name)?.filter(|text| !text.is_empty());
        if let (Some(named), Some(expected)) = (named, expected)
            && named != expected
        {
            let reason = format!(
                "the policy service's answer is for another call: its `{name}` is `{}`",
                quote(named)
            );
            return Err(Flaw::new(Cause::Mismatch, reason));
        }
    }
    Ok(())
}

impl Evidence {
    /// The grounds in an object with the names that an answer has for them; none if one is of a wrong type.
    #[must_use]
    pub fn from_members(members: &Map<String, Value>) -> Option<Self> {
        evidence(Fields(members)).ok()
    }
}

/// The grounds in an answer. All known fields are checked, also those that are not used: an answer
/// with one of the wrong type is not the answer it claims to be.
pub(crate) fn evidence(fields: Fields<'_>) -> Result<Evidence, Flaw> {
    for name in [
        "fastml_features",
        "score_components",
        "decision_evidence",
        "terminal_receipt",
    ] {
        fields.object(name)?;
    }
    fields.objects("top_contributors")?;
    let receipt = fields.object("receipt")?;
    Ok(Evidence {
        violation_id: fields.exact_text("violation_id")?,
        reason_code: fields.exact_text("decision_reason_code")?,
        classification: fields.exact_text("action_classification")?,
        pack_id: fields.exact_text("pack_id")?,
        pack_version: fields.exact_text("pack_version")?,
        rule_version: fields.integer("rule_version")?,
        risk_score: fields.number("risk_score")?,
        latency_ms: fields.number("latency_ms")?,
        regulatory_regimes: fields.texts("regulatory_regimes")?,
        matched_rule_ids: fields.texts("matched_rule_ids")?,
        matched_control_ids: fields.texts("matched_control_ids")?,
        policy_references: fields.texts("policy_references")?,
        model_signals: fields.texts("model_signals")?,
        receipt: receipt
            .filter(|receipt| !receipt.is_empty())
            .map(|receipt| json::canonical(&Value::Object(receipt.clone()))),
        envelope_version: fields.exact_text("decision_envelope_version")?,
    })
}
