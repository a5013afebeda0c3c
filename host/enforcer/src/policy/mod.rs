//! A checked set of Cedar policies with their annotations.

mod arguments;
mod decide;
mod effect;
mod limits;
mod literals;
mod merge_patch;
mod problem;
mod request;
mod resource;
mod rule;
mod schema;

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::Path;

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator};
use sha2::{Digest, Sha256};

pub(crate) use decide::{Decision, Verdict};
pub use problem::{PolicyError, Problem};

use arguments::ArgumentTypes;

use problem::Source;
use resource::Vocabulary;
use rule::Rule;

/// Stack for parsing and validating a text within those limits.
const LOAD_STACK: usize = 64 * 1024 * 1024;

/// A set of policies that passed Cedar's strict validation against the built-in schema.
///
/// A policy file may begin with lines that declare the tools' arguments, as Cedar schema types:
///
/// ```
/// let policy = thoth_enforcer::Policy::parse(
///     "bank.cedar",
///     r#"
/// //! type Arguments = { amount_cents?: Long };
/// @id("small-transfers")
/// permit (principal, action == Action::"call", resource == Tool::"transfer")
/// when { context.arguments has amount_cents && context.arguments.amount_cents < 100000 };
/// "#,
/// )
/// .unwrap();
/// assert_eq!(policy.check().policies, 1);
/// ```
///
/// # Annotations
///
/// They say what Cedar has no word for: `@id`, `@decision`, `@reason`, `@reason_code`,
/// `@classification`, `@rule_version`, `@step_up_seconds`, `@defer_seconds` and `@modify` (a JSON merge
/// patch, RFC 7396). A permit decides ALLOW, MODIFY, STEP_UP or DEFER; a forbid BLOCK or DEFER. A
/// matching forbid wins over every permit, and the strictest of several wins. Patches apply in the order
/// of the file. A block is also what comes of a call that no policy matches, of any policy that cannot
/// be evaluated, and of STEP_UP together with MODIFY where the client is not known to run what is
/// approved and not what it asked for.
///
/// # Arguments
///
/// Cedar has 64-bit integers and decimals of four digits, and neither doubles nor null. So:
///
/// | declared | takes |
/// |---|---|
/// | `Long` | a number without a fraction, within 64 bits; `5.0` and `5e3` as well, within ±(2^53−1) |
/// | `decimal` | a number whose shortest decimal form has at most four fraction digits, or such text |
/// | `String`, `Bool` | text; true or false |
/// | `ipaddr`, `datetime`, `duration` | text that Cedar reads as one |
/// | `Set<T>`, record | an array; an object |
///
/// `null` is the same as absent. A declared argument that does not fit its type is a block with the code
/// `argument_type`. One that is not declared has no value for policies, whatever number it is; its path is
/// in `context.undeclared`. The rest of what policies can ask is in `schema.cedarschema`.
///
/// # Effects
///
/// What a running tool reaches for, where its grant is governed, comes as a call named `effect:http` or
/// `effect:file`. It is an action of that name, on a `Host` (in its `Domain`s) or a `File` (in its
/// `Folder`s), with `context.effect`:
///
/// ```
/// let policy = r#"
/// permit (principal, action == Action::"effect:http", resource in Domain::"example.com")
/// when { resource.scheme == "https" && context.effect.method == "GET" && context.effect.path like "/v1/*" };
/// permit (principal, action == Action::"effect:file", resource in Folder::"/docs")
/// when { context.effect.mode == "read" };
/// "#;
/// assert!(thoth_enforcer::Policy::parse("effects.cedar", policy).is_ok());
/// ```
///
/// A policy with `action == Action::"call"` never matches an effect, and the other way round. One that
/// names no action speaks for both: `permit (principal, action, resource)` permits every effect.
///
/// All annotations work, but what a tool reaches for cannot be changed: MODIFY is an error in a policy
/// that names only effects, and a block (`policy_conflict`) where another one matches an effect. An
/// effect that lacks an argument, has one too many, or one that is not in its one normal form (a path
/// with `..`, a host in capitals) is a block with the code `effect_arguments`; any other name that begins
/// with `effect:` is one with `effect_unknown`.
#[derive(Debug)]
pub struct Policy {
    id: String,
    version: String,
    schema: Schema,
    policies: PolicySet,
    rules: HashMap<PolicyId, Rule>,
    arguments: ArgumentTypes,
    vocabulary: Vocabulary,
    /// How much stack an evaluation may need.
    stack: usize,
    warnings: Vec<Problem>,
}

/// What a policy file holds, for a person who checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The policy pack's name, from the file's.
    pub pack_id: String,
    /// The first twelve hex digits of the text's SHA-256.
    pub pack_version: String,
    /// How many policies there are.
    pub policies: usize,
    /// How many of them decide what, by the decision's name on the wire.
    pub by_decision: BTreeMap<&'static str, usize>,
    /// What the validator found odd but not wrong, such as a policy that can never match.
    pub warnings: Vec<Problem>,
}

/// The most of a policy file that is read, in bytes: more than [`Policy::parse`] takes.
const TEXT_READ: u64 = 512 << 10;

impl Policy {
    /// Reads and checks a policy file of at most 256 KiB.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or for whatever [`Policy::parse`] refuses.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let read_error = |source| PolicyError::Read {
            path: path.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        // One byte more than is taken, so that a file that is too long is told from one that fits.
        std::fs::File::open(path)
            .and_then(|file| file.take(TEXT_READ).read_to_end(&mut bytes))
            .map_err(read_error)?;
        let text = String::from_utf8(bytes)
            .map_err(|error| read_error(std::io::Error::other(error.utf8_error())))?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Checks a policy text; `name` is what messages call it, and its file stem names the pack.
    ///
    /// # Errors
    ///
    /// For a text beyond 256 KiB or a policy beyond 8 KiB, one that does not parse, has a template, an unknown or unfit annotation or
    /// two policies of one `@id`, or fails strict validation. All problems of the first stage that has
    /// any are told, each with its place.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        stacker::grow(LOAD_STACK, || parse(&Source { name, text })).map_err(PolicyError::Invalid)
    }

    /// Counts what the file holds, with the validator's warnings.
    pub fn check(&self) -> Check {
        let mut by_decision = BTreeMap::new();
        for rule in self.rules.values() {
            *by_decision.entry(rule.outcome.name()).or_default() += 1;
        }
        Check {
            pack_id: self.id.clone(),
            pack_version: self.version.clone(),
            policies: self.rules.len(),
            by_decision,
            warnings: self.warnings.clone(),
        }
    }

    /// The policy pack's name and version, as they go on the wire.
    pub(crate) fn pack(&self) -> (&str, &str) {
        (&self.id, &self.version)
    }
}

fn parse(source: &Source<'_>) -> Result<Policy, Vec<Problem>> {
    limits::refuse_extremes(source)?;
    let (schema, arguments) = schema::read(source)?;
    let policies: PolicySet = source
        .text
        .parse()
        .map_err(|error| source.all_diagnosed(&error))?;
    refuse_templates(source, &policies)?;
    let levels = limits::refuse_deep(source, &policies)?;
    literals::refuse_unmatched(source, &policies)?;
    let rules = rules(source, &policies)?;

    let result = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
    // Cedar names policies by number; the place says more.
    let located = |diagnostic: &dyn miette::Diagnostic, id: &PolicyId| {
        let problem = source.diagnosed(diagnostic);
        let message = problem.message.replace(&format!("for policy `{id}`, "), "");
        Problem {
            help: name_the_action(&message)
                .or(problem.help)
                .or_else(|| declare(&message)),
            message,
            ..problem
        }
    };
    let mut errors: Vec<Problem> = result
        .validation_errors()
        .map(|error| located(error, error.policy_id()))
        .collect();
    if !errors.is_empty() {
        // One mistake is found once for each action that the policy speaks for; said once, for calls
        // where it is about them.
        errors.sort_by_key(|problem| {
            let is_other = !problem.message.contains("Action::\"call\"");
            (problem.line, problem.column, is_other)
        });
        errors.dedup_by_key(|problem| {
            let words = problem.message.split(' ');
            let but_action: String = words.filter(|word| !word.contains("Action::\"")).collect();
            (problem.line, problem.column, but_action)
        });
        return Err(errors);
    }
    let warnings = result
        .validation_warnings()
        .map(|warning| located(warning, warning.policy_id()))
        .collect();

    let digest = Sha256::digest(source.text.as_bytes());
    Ok(Policy {
        id: Path::new(source.name)
            .file_stem()
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
        version: digest.iter().take(6).map(|b| format!("{b:02x}")).collect(),
        schema,
        policies,
        rules,
        arguments,
        vocabulary: Vocabulary::new().map_err(|error| source.all_diagnosed(&*error))?,
        stack: limits::stack(levels),
        warnings,
    })
}

/// What to do about `context.effect` in a policy that speaks for calls as well. Cedar's own guess is a
/// field whose name looks alike.
fn name_the_action(message: &str) -> Option<String> {
    let about_calls = message.starts_with("attribute `effect` in context for Action::\"call\"");
    about_calls.then(|| {
        "only effects have it: name the action, such as `action == Action::\"effect:http\"`"
            .to_owned()
    })
}

/// What to do about an argument that Cedar does not find in the schema.
fn declare(message: &str) -> Option<String> {
    let path = message.strip_prefix("attribute `arguments.")?;
    let name = path.split(['.', '`']).next()?;
    Some(format!(
        "declare it above the policies: `//! type Arguments = {{ {name}?: … }};`"
    ))
}

/// Templates have slots that nothing here would fill: they would never match.
fn refuse_templates(source: &Source<'_>, policies: &PolicySet) -> Result<(), Vec<Problem>> {
    let problems: Vec<Problem> = policies
        .templates()
        .map(|template| {
            let offset = template.as_ref().loc().map_or(0, |loc| loc.start());
            source.problem(
                offset,
                "a policy template cannot be used: replace its slots",
            )
        })
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

fn rules(
    source: &Source<'_>,
    policies: &PolicySet,
) -> Result<HashMap<PolicyId, Rule>, Vec<Problem>> {
    let mut rules: HashMap<PolicyId, Rule> = HashMap::new();
    let mut ids = HashMap::new();
    let mut problems = Vec::new();
    for policy in policies.policies() {
        match rule::read(source, policy) {
            Ok(rule) => {
                if let Some(other) = ids.insert(rule.id.clone(), rule.offset) {
                    let message = format!("@id `{}` is used twice", rule.id);
                    problems.push(source.problem(rule.offset.max(other), message));
                }
                rules.insert(policy.id().clone(), rule);
            }
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() {
        return Ok(rules);
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    Err(problems)
}

#[cfg(test)]
mod tests;
