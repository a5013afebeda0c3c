//! Hosts and files that policies name: in the one form in which effects tell them, or a rule about them would
//! never match, and a forbid that never matches forbids nothing.

use cedar_policy::PolicySet;
use serde_json::Value;

use super::effect;
use super::problem::{Problem, Source};

/// Refuses policies that name a host or a file in another form.
pub(super) fn refuse_unmatched(
    source: &Source<'_>,
    policies: &PolicySet,
) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for policy in policies.policies() {
        let offset = policy.as_ref().loc().map_or(0, |loc| loc.start());
        // One that has no JSON form was refused before.
        let json = policy.to_json().unwrap_or_default();
        problems.extend(entities(&json).into_iter().filter_map(|(kind, id)| {
            let form = effect::other_form(kind, id)?;
            let message = format!("`{kind}::\"{id}\"` can never match: {form}");
            Some(source.problem(offset, message))
        }));
    }
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    Err(problems)
}

/// The type and the id of every entity in Cedar's JSON form of a policy.
fn entities(json: &Value) -> Vec<(&str, &str)> {
    match json {
        Value::Array(items) => items.iter().flat_map(entities).collect(),
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            let own = text("type").zip(text("id"));
            let inner = members.values().flat_map(entities);
            own.into_iter().chain(inner).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
