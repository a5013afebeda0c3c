//! The Cedar request for a call: who calls what, and the context that `schema.cedarschema` describes.

use std::collections::HashSet;

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, Response,
    RestrictedExpression,
};

use super::Policy;
use super::arguments::Projected;
use super::effect::Effect;
use crate::call::Call;

/// What is decided about.
pub(super) enum Subject<'a> {
    Call(Projected),
    Effect(Effect<'a>),
}

/// Why a call could not be evaluated. The cause stays out of what the caller is told: Cedar's words
/// may quote the arguments.
pub(super) struct Unevaluated;

impl Policy {
    /// Has Cedar evaluate every policy for a call.
    pub(super) fn ask_cedar(
        &self,
        call: &Call,
        subject: &Subject<'_>,
    ) -> Result<Response, Unevaluated> {
        let names = &self.vocabulary;
        let tenant = uid(&names.tenant, &call.tenant_id);
        let user = uid(&names.user, &call.user_id);
        let agent = uid(&names.agent, &call.agent_id);
        let attributes = [
            ("id", text(&call.agent_id)),
            ("tenant", text(&call.tenant_id)),
            ("user", text(&call.user_id)),
        ];
        let agent_parents = HashSet::from([tenant.clone(), user.clone()]);
        let (action, resource) = names.asked(call, subject)?;
        let resource_uid = resource.uid();
        let entities = Entities::from_entities(
            [
                Entity::with_uid(tenant.clone()),
                entity(user, [], HashSet::from([tenant]))?,
                entity(agent.clone(), attributes, agent_parents)?,
                resource,
            ],
            None,
        )
        .map_err(|_| Unevaluated)?;

        let context = context(call, subject)?;
        let schema = Some(&self.schema);
        let request = Request::new(agent, action.clone(), resource_uid, context, schema)
            .map_err(|_| Unevaluated)?;
        Ok(Authorizer::new().is_authorized(&request, &self.policies, &entities))
    }
}

pub(super) fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

pub(super) fn entity<const N: usize>(
    uid: EntityUid,
    attributes: [(&str, RestrictedExpression); N],
    parents: HashSet<EntityUid>,
) -> Result<Entity, Unevaluated> {
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value));
    Entity::new(uid, attributes.into(), parents).map_err(|_| Unevaluated)
}

fn context(call: &Call, subject: &Subject<'_>) -> Result<Context, Unevaluated> {
    let calls = i64::try_from(call.session_tool_calls.len()).map_err(|_| Unevaluated)?;
    let session = record([
        ("id", Some(text(&call.session_id))),
        ("calls", Some(texts(&call.session_tool_calls))),
        ("call_count", Some(RestrictedExpression::new_long(calls))),
    ])?;
    let task = record([
        ("initiated_by", call.task.initiated_by.as_deref().map(text)),
        ("task_id", call.task.task_id.as_deref().map(text)),
        ("chain", call.task.chain.as_deref().map(texts)),
    ])?;
    let model = record([
        ("name", call.model.name.as_deref().map(text)),
        ("provider", call.model.provider.as_deref().map(text)),
        ("artifact_id", call.model.artifact_id.as_deref().map(text)),
        (
            "artifact_version",
            call.model.artifact_version.as_deref().map(text),
        ),
    ])?;
    let (tool, arguments, undeclared, effect) = match subject {
        Subject::Call(Projected {
            arguments,
            undeclared,
        }) => {
            let undeclared = texts(undeclared);
            (call.tool_name.as_str(), arguments.clone(), undeclared, None)
        }
        Subject::Effect(effect) => {
            let (arguments, undeclared) = (record([])?, texts::<&str>([]));
            let tool = effect.origin().tool;
            (tool, arguments, undeclared, Some(effect_record(effect)?))
        }
    };
    let in_scope = call.approved_scope.iter().any(|name| name == tool);
    let trace_id = call.trace_id.as_deref().unwrap_or(&call.session_id);
    let pairs = present([
        ("arguments", Some(arguments)),
        ("undeclared", Some(undeclared)),
        ("effect", effect),
        ("session", Some(session)),
        ("approved_scope", Some(texts(&call.approved_scope))),
        ("in_scope", Some(RestrictedExpression::new_bool(in_scope))),
        ("mode", Some(text(&call.mode))),
        ("environment", Some(text(&call.environment))),
        ("trace_id", Some(text(trace_id))),
        ("intent", call.intent.as_deref().map(text)),
        ("purpose", call.purpose.as_deref().map(text)),
        (
            "data_classification",
            call.data_classification.as_deref().map(text),
        ),
        ("task", Some(task)),
        ("model", Some(model)),
    ]);
    Context::from_pairs(pairs).map_err(|_| Unevaluated)
}

/// The value of `context.effect`.
fn effect_record(effect: &Effect<'_>) -> Result<RestrictedExpression, Unevaluated> {
    let long = RestrictedExpression::new_long;
    let boolean = RestrictedExpression::new_bool;
    let origin = effect.origin();
    let whose = [
        ("tool", Some(text(origin.tool))),
        ("parent_call_id", Some(text(origin.parent_call_id))),
        ("number", Some(long(origin.number))),
    ];
    let what = match effect {
        Effect::Http(http) => vec![
            ("method", Some(text(http.method))),
            ("path", Some(text(http.path))),
            ("query", http.query.map(text)),
            ("headers", Some(texts(&http.headers))),
            ("body_bytes", Some(long(http.body_bytes))),
            ("body_sha256", Some(text(http.body_sha256))),
        ],
        Effect::File(file) => vec![
            ("path", Some(text(file.path))),
            ("mode", Some(text(file.mode))),
            ("create", Some(boolean(file.create))),
            ("truncate", Some(boolean(file.truncate))),
        ],
    };
    record(whose.into_iter().chain(what))
}

fn present<'a>(
    fields: impl IntoIterator<Item = (&'a str, Option<RestrictedExpression>)>,
) -> impl Iterator<Item = (String, RestrictedExpression)> {
    fields
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
}

fn record<'a>(
    fields: impl IntoIterator<Item = (&'a str, Option<RestrictedExpression>)>,
) -> Result<RestrictedExpression, Unevaluated> {
    RestrictedExpression::new_record(present(fields)).map_err(|_| Unevaluated)
}

pub(super) fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn texts<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> RestrictedExpression {
    RestrictedExpression::new_set(items.into_iter().map(|item| text(item.as_ref())))
}
