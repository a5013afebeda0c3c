//! Deciding about one call: evaluates the policies and folds those that match into one verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cedar_policy::{AuthorizationError, Response};
use serde_json::{Map, Value};

use super::Policy;
use super::effect::Effect;
use super::merge_patch;
use super::request::{Subject, Unevaluated};
use super::rule::{Outcome, Rule};
use crate::call::Call;

/// What to do with a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    Allow,
    /// Run it with these arguments instead; never empty.
    Modify(Map<String, Value>),
    /// Ask a human, for so many seconds; what runs then are these arguments, where there are any.
    StepUp {
        seconds: u32,
        modified: Option<Map<String, Value>>,
    },
    /// Not now; come back after so many seconds.
    Defer {
        seconds: Option<u32>,
    },
    Block,
}

impl Decision {
    /// The word for it on the wire.
    pub(crate) fn wire_name(&self) -> &'static str {
        match self {
            Self::Allow => "ALLOW",
            Self::Modify(_) => "MODIFY",
            Self::StepUp { .. } => "STEP_UP",
            Self::Defer { .. } => "DEFER",
            Self::Block => "BLOCK",
        }
    }
}

/// A decision with its grounds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) decision: Decision,
    pub(crate) reason: String,
    pub(crate) reason_code: String,
    pub(crate) classification: Option<String>,
    /// The `@id`s of the policies that matched, in the order of the file.
    pub(crate) matched: Vec<String>,
    pub(crate) rule_version: Option<u32>,
}

impl Verdict {
    /// A block that no policy asked for.
    pub(crate) fn block(reason_code: &str, reason: impl Into<String>) -> Self {
        Self {
            decision: Decision::Block,
            reason: reason.into(),
            reason_code: reason_code.to_owned(),
            classification: None,
            matched: Vec::new(),
            rule_version: None,
        }
    }
}

impl Policy {
    /// Decides about a call. Total: what cannot be evaluated is a block.
    pub(crate) fn decide(&self, call: &Call) -> Verdict {
        // Stays on this stack if there is enough left of it, as there is for policies of usual size.
        let decide = || stacker::maybe_grow(self.stack, self.stack, || self.evaluate(call));
        // A bug in an evaluator must not become an outage, which a client may be set to let through.
        catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|_| {
            Verdict::block("policy_error", "the policies could not be evaluated")
        })
    }

    fn evaluate(&self, call: &Call) -> Verdict {
        let subject = match self.subject(call) {
            Ok(subject) => subject,
            Err(block) => return *block,
        };
        match self.ask_cedar(call, &subject) {
            Ok(response) => self.fold(&response, call, &subject),
            Err(Unevaluated) => {
                Verdict::block("policy_error", "the call does not fit the policies' schema")
            }
        }
    }

    /// What is to be decided about, or the block that comes of arguments that nobody can judge.
    fn subject<'a>(&self, call: &'a Call) -> Result<Subject<'a>, Box<Verdict>> {
        match Effect::read(&call.tool_name, &call.arguments) {
            Ok(Some(effect)) => Ok(Subject::Effect(effect)),
            Ok(None) => match self.arguments.project(&call.arguments) {
                Ok(projected) => Ok(Subject::Call(projected)),
                Err(unfit) => Err(Verdict::block("argument_type", unfit.to_string()).into()),
            },
            Err(malformed) => {
                Err(Verdict::block(malformed.reason_code(), malformed.to_string()).into())
            }
        }
    }

    fn fold(&self, response: &Response, call: &Call, subject: &Subject<'_>) -> Verdict {
        let errors: Vec<String> = response
            .diagnostics()
            .errors()
            .map(|AuthorizationError::PolicyEvaluationError(error)| error.policy_id())
            .map(|id| format!("`{}`", self.rules.get(id).map_or("?", |rule| &rule.id)))
            .collect();
        // INVARIANT: Cedar skips a policy that errs, so a forbid would be as if it were not there.
        if !errors.is_empty() {
            let reason = format!("policy {} could not be evaluated", errors.join(", "));
            return Verdict::block("policy_error", reason);
        }
        let mut matched: Vec<&Rule> = response
            .diagnostics()
            .reason()
            .filter_map(|id| self.rules.get(id))
            .collect();
        matched.sort_by_key(|rule| rule.offset);
        // The first of the strictest speaks for all.
        let strictness = |rule: &&Rule| rule.outcome.strictness();
        let Some(leading) = matched.iter().rev().copied().max_by_key(strictness) else {
            let reason = match subject {
                Subject::Call(_) => "no policy allows this call",
                Subject::Effect(_) => "no policy allows this effect",
            };
            return Verdict::block("no_policy_matched", reason);
        };
        let modifies = |rule: &&Rule| matches!(rule.outcome, Outcome::Modify { .. });
        let verdict = |decision, reason: &str| Verdict {
            decision,
            reason: leading.reason.clone().unwrap_or_else(|| reason.to_owned()),
            reason_code: leading.reason_code.clone().unwrap_or_else(|| {
                format!("policy_{}", leading.outcome.name().to_ascii_lowercase())
            }),
            classification: std::iter::once(leading)
                .chain(matched.iter().copied())
                .find_map(|rule| rule.classification.clone()),
            matched: matched.iter().map(|rule| rule.id.clone()).collect(),
            rule_version: Some(leading.version),
        };
        let conflict = |why: &str| Verdict {
            matched: matched.iter().map(|rule| rule.id.clone()).collect(),
            ..Verdict::block("policy_conflict", why)
        };
        match &leading.outcome {
            Outcome::Allow => verdict(Decision::Allow, "allowed by policy"),
            Outcome::Block => verdict(Decision::Block, "forbidden by policy"),
            Outcome::Defer { seconds } => {
                verdict(Decision::Defer { seconds: *seconds }, "deferred by policy")
            }
            // Not every client can take changed arguments out of an approval, and a human must not
            // approve other arguments than those that run.
            Outcome::StepUp { .. }
                if matched.iter().any(modifies)
                    && (call.component.is_none() || matches!(subject, Subject::Effect(_))) =>
            {
                conflict("one policy asks for an approval and another changes the arguments")
            }
            Outcome::StepUp { seconds } => {
                let modified = matched
                    .iter()
                    .any(modifies)
                    .then(|| patched(call, &matched));
                if modified.as_ref().is_some_and(Map::is_empty) {
                    return conflict(NO_ARGUMENTS);
                }
                verdict(
                    Decision::StepUp {
                        seconds: *seconds,
                        modified,
                    },
                    "policy asks for an approval",
                )
            }
            Outcome::Modify { .. } if matches!(subject, Subject::Effect(_)) => {
                conflict("a policy changes the arguments, and those of an effect cannot be changed")
            }
            Outcome::Modify { .. } => {
                let arguments = patched(call, &matched);
                // Clients take an empty object for "no change" and would run the original arguments.
                if arguments.is_empty() {
                    return conflict(NO_ARGUMENTS);
                }
                if call.component.is_none() && is_lost_on_an_sdk(&call.arguments, &arguments) {
                    return conflict(
                        "a policy changes arguments by name, and the client passed them by position",
                    );
                }
                verdict(Decision::Modify(arguments), "arguments changed by policy")
            }
        }
    }
}

const NO_ARGUMENTS: &str = "the policy leaves no arguments";

/// The call's arguments with the patches of those that matched, in the order of the file.
fn patched(call: &Call, matched: &[&Rule]) -> Map<String, Value> {
    let mut arguments = call.arguments.clone();
    for rule in matched {
        if let Outcome::Modify { patch } = &rule.outcome {
            merge_patch::apply(&mut arguments, patch);
        }
    }
    arguments
}

/// Whether a client of another kind than ours would run the arguments that it has. Those that were passed by
/// position come as `args`, as `arg0` and so on, or as `input`, and an SDK takes back only what has that name.
fn is_lost_on_an_sdk(given: &Map<String, Value>, changed: &Map<String, Value>) -> bool {
    let by_position = |name: &str| {
        let nth = name.strip_prefix("arg");
        name == "args"
            || name == "input"
            || nth.is_some_and(|nth| {
                !nth.is_empty() && nth.bytes().all(|digit| digit.is_ascii_digit())
            })
    };
    let came_by_position = given.get("args").is_some_and(Value::is_array)
        || given.contains_key("arg0")
        || (given.len() == 1 && given.contains_key("input"));
    let mut names = given.keys().chain(changed.keys());
    came_by_position && names.any(|name| !by_position(name) && given.get(name) != changed.get(name))
}
