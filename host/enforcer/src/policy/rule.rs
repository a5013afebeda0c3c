//! What a policy's annotations say: the words that Cedar itself has none for.

use std::collections::BTreeMap;

use cedar_policy::{ActionConstraint, Effect, EntityUid, Policy as CedarPolicy};
use serde_json::{Map, Value};

use super::effect::{FILE, HTTP};
use super::problem::{Problem, Source};

/// How long a hold waits for a human unless the policy says otherwise.
const DEFAULT_STEP_UP_SECONDS: u32 = 900;
/// No hold and no deferral is longer than thirty days.
const MAX_SECONDS: u32 = 30 * 24 * 60 * 60;
const ANNOTATIONS: &str = "@id, @decision, @reason, @reason_code, @classification, @rule_version, \
                           @step_up_seconds, @defer_seconds, @modify";

/// What a matching policy decides, mildest first.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Allow,
    Modify { patch: Map<String, Value> },
    StepUp { seconds: u32 },
    Defer { seconds: Option<u32> },
    Block,
}

impl Outcome {
    /// The wire's name for it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Allow => "ALLOW",
            Self::Modify { .. } => "MODIFY",
            Self::StepUp { .. } => "STEP_UP",
            Self::Defer { .. } => "DEFER",
            Self::Block => "BLOCK",
        }
    }

    /// Orders decisions; the strictest of those that match wins.
    pub(super) fn strictness(&self) -> u8 {
        match self {
            Self::Allow => 0,
            Self::Modify { .. } => 1,
            Self::StepUp { .. } => 2,
            Self::Defer { .. } => 3,
            Self::Block => 4,
        }
    }
}

/// One policy of a file, as far as Cedar does not look at it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// `@id`, or the line it begins on.
    pub(super) id: String,
    /// Where it stands in the file, in bytes: the order in which patches apply.
    pub(super) offset: usize,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
    pub(super) reason_code: Option<String>,
    pub(super) classification: Option<String>,
    /// `@rule_version`, 1 unless given.
    pub(super) version: u32,
}

/// Annotations that were not asked for yet; what is left at the end is a mistake.
struct Annotations<'a> {
    source: &'a Source<'a>,
    /// The value and the offset of each.
    left: BTreeMap<String, (String, usize)>,
    policy_offset: usize,
    problems: Vec<Problem>,
}

impl Annotations<'_> {
    /// Takes an annotation's text; blank is a problem.
    fn text(&mut self, name: &str) -> Option<(String, usize)> {
        let (text, offset) = self.left.remove(name)?;
        if text.trim().is_empty() {
            self.problem(offset, format!("@{name} needs a text"));
            return None;
        }
        Some((text, offset))
    }

    /// Takes an identifier: it goes on the wire and into logs as it is.
    fn word(&mut self, name: &str) -> Option<String> {
        let (text, offset) = self.text(name)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
        if text.len() <= 128 && text.chars().all(fits) {
            return Some(text);
        }
        let rule = "takes up to 128 letters, digits and `_-.:/`";
        self.problem(offset, format!("@{name} `{text}` {rule}"));
        None
    }

    /// Takes a whole number from 1 to `max`.
    fn number(&mut self, name: &str, max: u32) -> Option<u32> {
        let (text, offset) = self.text(name)?;
        let number = text
            .parse()
            .ok()
            .filter(|number| (1..=max).contains(number));
        if number.is_none() {
            let rule = format!("takes a whole number from 1 to {max}");
            self.problem(offset, format!("@{name} `{text}` {rule}"));
        }
        number
    }

    fn problem(&mut self, offset: usize, message: String) {
        let problem = self.source.problem(offset, message);
        self.problems.push(problem);
    }
}

/// Reads one policy's annotations.
pub(super) fn read(source: &Source<'_>, policy: &CedarPolicy) -> Result<Rule, Vec<Problem>> {
    // Only Cedar's inner representation knows where things stand.
    let inner = policy.as_ref();
    let policy_offset = inner.loc().map_or(0, |loc| loc.start());
    let left = inner.annotations().map(|(name, annotation)| {
        let offset = annotation
            .loc
            .as_ref()
            .map_or(policy_offset, |loc| loc.start());
        (name.to_string(), (annotation.val.to_string(), offset))
    });
    let mut annotations = Annotations {
        source,
        left: left.collect(),
        policy_offset,
        problems: Vec::new(),
    };
    let rule = Rule {
        id: annotations
            .word("id")
            .unwrap_or_else(|| format!("line-{}", source.problem(policy_offset, "").line)),
        offset: policy_offset,
        outcome: outcome(&mut annotations, policy.effect()),
        reason: annotations.text("reason").map(|(text, _)| text),
        reason_code: annotations.word("reason_code"),
        classification: annotations.word("classification"),
        version: annotations.number("rule_version", u32::MAX).unwrap_or(1),
    };
    refuse_the_rest(&mut annotations, &rule.outcome);
    if matches!(rule.outcome, Outcome::Modify { .. }) && names_only_effects(policy) {
        let message = "@decision `MODIFY` does not go with an effect, which cannot be changed: use \
                       ALLOW, STEP_UP or DEFER";
        annotations.problem(policy_offset, message.to_owned());
    }
    if annotations.problems.is_empty() {
        Ok(rule)
    } else {
        Err(annotations.problems)
    }
}

/// Whether a policy names actions, and all of them are effects.
fn names_only_effects(policy: &CedarPolicy) -> bool {
    let is_effect = |action: &EntityUid| [HTTP, FILE].contains(&action.id().unescaped());
    match policy.action_constraint() {
        ActionConstraint::Any => false,
        ActionConstraint::Eq(action) => is_effect(&action),
        ActionConstraint::In(actions) => !actions.is_empty() && actions.iter().all(is_effect),
    }
}

/// Reads `@decision` and what belongs to it. After a problem the value does not matter any more.
fn outcome(annotations: &mut Annotations<'_>, effect: Effect) -> Outcome {
    let default = match effect {
        Effect::Permit => "ALLOW",
        Effect::Forbid => "BLOCK",
    };
    let (decision, offset) = annotations
        .text("decision")
        .unwrap_or_else(|| (default.to_owned(), annotations.policy_offset));
    match (effect, decision.as_str()) {
        (Effect::Permit, "ALLOW") => Outcome::Allow,
        (Effect::Permit, "MODIFY") => Outcome::Modify {
            patch: patch(annotations, offset),
        },
        (Effect::Permit, "STEP_UP") => Outcome::StepUp {
            seconds: annotations
                .number("step_up_seconds", MAX_SECONDS)
                .unwrap_or(DEFAULT_STEP_UP_SECONDS),
        },
        (Effect::Permit | Effect::Forbid, "DEFER") => Outcome::Defer {
            seconds: annotations.number("defer_seconds", MAX_SECONDS),
        },
        (Effect::Forbid, "BLOCK") => Outcome::Block,
        (effect, other) => {
            let (word, choice) = match effect {
                Effect::Permit => ("permit", "ALLOW, MODIFY, STEP_UP or DEFER"),
                Effect::Forbid => ("forbid", "BLOCK or DEFER"),
            };
            let message = format!("@decision `{other}` does not go with {word}: use {choice}");
            annotations.problem(offset, message);
            Outcome::Block
        }
    }
}

/// Reads `@modify`, a JSON merge patch (RFC 7396) on the arguments.
fn patch(annotations: &mut Annotations<'_>, decision_offset: usize) -> Map<String, Value> {
    let Some((text, offset)) = annotations.text("modify") else {
        let message = "@decision `MODIFY` needs @modify with the JSON object to merge in";
        annotations.problem(decision_offset, message.to_owned());
        return Map::new();
    };
    match thoth_core::json::parse(&text) {
        Ok(Value::Object(patch)) if !patch.is_empty() => patch,
        Ok(_) => {
            let message = "@modify takes a JSON object with at least one member";
            annotations.problem(offset, message.to_owned());
            Map::new()
        }
        Err(error) => {
            annotations.problem(offset, format!("@modify is not JSON: {error}"));
            Map::new()
        }
    }
}

/// An annotation that would do nothing is a typing mistake or a wrong idea: both should be seen.
fn refuse_the_rest(annotations: &mut Annotations<'_>, outcome: &Outcome) {
    for (name, (_, offset)) in std::mem::take(&mut annotations.left) {
        let belongs_to = match name.as_str() {
            "step_up_seconds" => "STEP_UP",
            "defer_seconds" => "DEFER",
            "modify" => "MODIFY",
            _ => {
                let message = format!("unknown annotation @{name}: known are {ANNOTATIONS}");
                annotations.problem(offset, message);
                continue;
            }
        };
        let message = format!(
            "@{name} goes with @decision(\"{belongs_to}\"), this policy decides {}",
            outcome.name()
        );
        annotations.problem(offset, message);
    }
}
