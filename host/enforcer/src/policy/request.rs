//! The Cedar request for a call: who calls what, and the context that `schema.cedarschema` describes.

use std::collections::HashSet;

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, ParseErrors,
    Request, Response, RestrictedExpression,
};

use super::Policy;
use super::arguments::Projected;
use crate::call::Call;

/// The schema's names, parsed once.
#[derive(Debug)]
pub(super) struct Vocabulary {
    tenant: EntityTypeName,
    user: EntityTypeName,
    agent: EntityTypeName,
    tool: EntityTypeName,
    call: EntityUid,
}

impl Vocabulary {
    pub(super) fn new() -> Result<Self, Box<ParseErrors>> {
        Ok(Self {
            tenant: "Tenant".parse()?,
            user: "User".parse()?,
            agent: "Agent".parse()?,
            tool: "Tool".parse()?,
            call: "Action::\"call\"".parse()?,
        })
    }
}

/// Why a call could not be evaluated. The cause stays out of what the caller is told: Cedar's words
/// may quote the arguments.
pub(super) struct Unevaluated;

impl Policy {
    /// Has Cedar evaluate every policy for a call.
    pub(super) fn ask_cedar(
        &self,
        call: &Call,
        projected: Projected,
    ) -> Result<Response, Unevaluated> {
        let names = &self.vocabulary;
        let uid = |kind: &EntityTypeName, id: &str| {
            EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
        };
        let tenant = uid(&names.tenant, &call.tenant_id);
        let user = uid(&names.user, &call.user_id);
        let agent = uid(&names.agent, &call.agent_id);
        let tool = uid(&names.tool, &call.tool_name);

        let attributes = [
            ("id", &call.agent_id),
            ("tenant", &call.tenant_id),
            ("user", &call.user_id),
        ]
        .map(|(name, value)| (name.to_owned(), text(value)));
        let name = [("name".to_owned(), text(&call.tool_name))];
        let agent_parents = HashSet::from([tenant.clone(), user.clone()]);
        let entity = |uid, attributes: Vec<_>, parents| {
            Entity::new(uid, attributes.into_iter().collect(), parents).map_err(|_| Unevaluated)
        };
        let entities = Entities::from_entities(
            [
                Entity::with_uid(tenant.clone()),
                entity(user, Vec::new(), HashSet::from([tenant]))?,
                entity(agent.clone(), attributes.into(), agent_parents)?,
                entity(tool.clone(), name.into(), HashSet::new())?,
            ],
            None,
        )
        .map_err(|_| Unevaluated)?;

        let context = context(call, projected)?;
        let schema = Some(&self.schema);
        let request = Request::new(agent, names.call.clone(), tool, context, schema)
            .map_err(|_| Unevaluated)?;
        Ok(Authorizer::new().is_authorized(&request, &self.policies, &entities))
    }
}

fn context(call: &Call, projected: Projected) -> Result<Context, Unevaluated> {
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
    let in_scope = call.approved_scope.contains(&call.tool_name);
    let undeclared: Vec<String> = projected.undeclared.into_iter().collect();
    let trace_id = call.trace_id.as_deref().unwrap_or(&call.session_id);
    let pairs = present([
        ("arguments", Some(projected.arguments)),
        ("undeclared", Some(texts(&undeclared))),
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

fn present<const N: usize>(
    fields: [(&str, Option<RestrictedExpression>); N],
) -> impl Iterator<Item = (String, RestrictedExpression)> {
    fields
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
}

fn record<const N: usize>(
    fields: [(&str, Option<RestrictedExpression>); N],
) -> Result<RestrictedExpression, Unevaluated> {
    RestrictedExpression::new_record(present(fields)).map_err(|_| Unevaluated)
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn texts(items: &[String]) -> RestrictedExpression {
    RestrictedExpression::new_set(items.iter().map(|item| text(item)))
}
