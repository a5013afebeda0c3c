//! From the policy service's answer about a hold to a decision.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::answer::{Answer, Fields, Flaw, open};
use crate::decision::{Asked, Word, check_correlation, evidence, strictest, verdict, word};
use crate::exchange::{Fault, Response};
use crate::types::{Cause, Decision, Evidence, Hold, Verdict};

/// Reads the answer to one poll of a hold.
///
/// `StepUp` with the same hold means that nobody has decided yet. Only an answer that says so in
/// words is an `Allow` or a `Modify`. Where the policy service was away or busy, the answer is a
/// block like any other failure, marked [`Answer::undecided`]: the hold is as it was, and whoever
/// keeps it may ask again.
#[must_use]
pub fn read(asked: Asked<'_>, hold: &Hold, exchanged: Result<Response, Fault>) -> Answer {
    let known = match &exchanged {
        Ok(response) => special_status(hold, response.status),
        Err(_) => None,
    };
    let decided = match known {
        Some(known) => known,
        None => open(exchanged).and_then(|members| decide(asked, hold, &members)),
    };
    match decided {
        Ok(mut decision) => {
            back_fill(&mut decision.evidence, &hold.evidence);
            Answer::decided(decision)
        }
        Err(flaw) => {
            let undecided = flaw.may_pass();
            let mut answer = flaw.into_answer();
            let code = answer.decision.evidence.reason_code.take();
            back_fill(&mut answer.decision.evidence, &hold.evidence);
            // The code of the decision to hold is not the reason for this failure.
            answer.decision.evidence.reason_code = code;
            answer.undecided = undecided;
            answer
        }
    }
}

/// The statuses that mean something about a hold.
fn special_status(hold: &Hold, status: u16) -> Option<Result<Decision, Flaw>> {
    match status {
        202 => Some(Ok(pending(hold))),
        404 => Some(Err(Flaw::new(
            Cause::InvalidHold,
            "the policy service does not know this hold",
        ))),
        410 => Some(Err(Flaw::new(
            Cause::Expired,
            "the hold expired before anyone decided",
        ))),
        _ => None,
    }
}

fn pending(hold: &Hold) -> Decision {
    Decision {
        reason: hold.reason.clone(),
        verdict: Verdict::StepUp(hold.clone()),
        evidence: hold.evidence.clone(),
    }
}

fn decide(asked: Asked<'_>, hold: &Hold, members: &Map<String, Value>) -> Result<Decision, Flaw> {
    let fields = Fields(members);
    check_correlation(asked, fields)?;
    for name in ["token", "hold_token"] {
        if fields
            .exact_text(name)?
            .is_some_and(|token| token != hold.token)
        {
            let reason = "the policy service's answer is for another hold";
            return Err(Flaw::new(Cause::InvalidHold, reason));
        }
    }
    let evidence = evidence(fields)?;
    let direct = strictest([
        word(fields, "decision")?,
        word(fields, "authorization_decision")?,
    ]);
    match resolution(fields, direct)? {
        None => Ok(pending(hold)),
        Some(word) => {
            let mut decision = verdict(asked, fields, word, evidence)?;
            if matches!(decision.verdict, Verdict::Block(_)) {
                decision.verdict = Verdict::Block(denial(&decision.reason));
            }
            Ok(decision)
        }
    }
}

/// What the hold was resolved to; none while it waits.
fn resolution(fields: Fields<'_>, direct: Option<Word>) -> Result<Option<Word>, Flaw> {
    let nothing = |reason: &str| Err(Flaw::new(Cause::Decode, reason));
    match fields.flag("resolved")? {
        // Whatever else it says is about the time after.
        Some(false) => fields.text("resolution").map(|_| None),
        Some(true) => {
            // A step-up beside a resolution is the decision that made the hold, not a new one.
            let direct = direct.filter(|word| *word != Word::StepUp);
            match strictest([word(fields, "resolution")?, direct]) {
                Some(Word::StepUp) | None => {
                    nothing("the policy service resolved the hold without a decision")
                }
                resolved => Ok(resolved),
            }
        }
        None => {
            let resolution = word(fields, "resolution")?;
            match strictest([direct, resolution]) {
                Some(Word::StepUp) => Ok(None),
                // SDKs take a decision in place of a resolution, but not the other way round.
                Some(strictest) if direct.is_some() => Ok(Some(strictest)),
                _ => {
                    nothing("the policy service's answer does not say whether the hold is resolved")
                }
            }
        }
    }
}

/// A hold that nobody decided in time is resolved as a block, and only its reason tells.
fn denial(reason: &str) -> Cause {
    let says = |phrase: &str| {
        let mut windows = reason.as_bytes().windows(phrase.len());
        windows.any(|window| window.eq_ignore_ascii_case(phrase.as_bytes()))
    };
    if says("timeout") || says("timed out") || says("expired") {
        Cause::Expired
    } else {
        Cause::Denied
    }
}

/// What an answer leaves open is as it was when the call was held.
fn back_fill(found: &mut Evidence, held: &Evidence) {
    fn one<T: Clone>(found: &mut Option<T>, held: &Option<T>) {
        if found.is_none() {
            found.clone_from(held);
        }
    }
    fn list(found: &mut Vec<String>, held: &[String]) {
        if found.is_empty() {
            *found = held.to_vec();
        }
    }
    one(&mut found.violation_id, &held.violation_id);
    one(&mut found.reason_code, &held.reason_code);
    one(&mut found.classification, &held.classification);
    one(&mut found.pack_id, &held.pack_id);
    one(&mut found.pack_version, &held.pack_version);
    one(&mut found.rule_version, &held.rule_version);
    one(&mut found.risk_score, &held.risk_score);
    one(&mut found.latency_ms, &held.latency_ms);
    list(&mut found.regulatory_regimes, &held.regulatory_regimes);
    list(&mut found.matched_rule_ids, &held.matched_rule_ids);
    list(&mut found.matched_control_ids, &held.matched_control_ids);
    list(&mut found.policy_references, &held.policy_references);
    list(&mut found.model_signals, &held.model_signals);
    one(&mut found.receipt, &held.receipt);
    one(&mut found.envelope_version, &held.envelope_version);
}
