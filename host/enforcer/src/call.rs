//! A call to decide about, read from the body of `POST /v1/enforce`.

use serde_json::{Map, Value};

/// What a client sends about one call. Fields that no policy can ask about are not read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) request_id: Option<String>,
    pub(crate) action_attestation_id: Option<String>,
    pub(crate) trace_id: Option<String>,
    pub(crate) agent_id: String,
    pub(crate) tenant_id: String,
    pub(crate) user_id: String,
    pub(crate) session_id: String,
    pub(crate) tool_name: String,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) approved_scope: Vec<String>,
    pub(crate) session_tool_calls: Vec<String>,
    pub(crate) mode: String,
    pub(crate) environment: String,
    pub(crate) intent: Option<String>,
    pub(crate) purpose: Option<String>,
    pub(crate) data_classification: Option<String>,
    pub(crate) task: Task,
    pub(crate) model: Model,
    /// The SHA-256 of the tool's component, where the host announces it. Such a host runs what an
    /// approval says and not what it asked for, which not every client does.
    pub(crate) component: Option<String>,
}

/// Where the task came from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Task {
    pub(crate) initiated_by: Option<String>,
    pub(crate) task_id: Option<String>,
    pub(crate) chain: Option<Vec<String>>,
}

/// The model that asked for the call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) name: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) artifact_id: Option<String>,
    pub(crate) artifact_version: Option<String>,
}

/// A body that does not describe a call.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the body must be a JSON object")]
    NotAnObject,
    #[error("field `{0}` is missing")]
    Missing(String),
    #[error("field `{0}` must be {1}")]
    Type(String, &'static str),
}

impl Call {
    /// Reads a call. A field that is known must have its type; `null` is the same as absent; unknown
    /// fields are ignored, as newer clients send more.
    pub(crate) fn from_json(body: &Value) -> Result<Self, CallError> {
        let fields = Fields(body.as_object().ok_or(CallError::NotAnObject)?);
        let empty = Map::new();
        let task = Fields(fields.object("task_context")?.unwrap_or(&empty));
        let of_task = |error| match error {
            CallError::Type(name, kind) => CallError::Type(format!("task_context.{name}"), kind),
            other => other,
        };
        // Conventional keys of a free object; the camel case ones come from older clients.
        let either = |snake, camel| match task.text(snake).map_err(of_task)? {
            Some(text) => Ok(Some(text)),
            None => task.text(camel).map_err(of_task),
        };
        Ok(Self {
            request_id: fields.text("request_id")?,
            action_attestation_id: fields.text("action_attestation_id")?,
            trace_id: fields.text("enforcement_trace_id")?,
            agent_id: fields.required_text("agent_id")?,
            tenant_id: fields.required_text("tenant_id")?,
            user_id: fields.required_text("user_id")?,
            session_id: fields.required_text("session_id")?,
            tool_name: fields.required_text("tool_name")?,
            arguments: fields.object("tool_args")?.cloned().unwrap_or_default(),
            approved_scope: fields.required_texts("approved_scope")?,
            session_tool_calls: fields.required_texts("session_tool_calls")?,
            mode: fields.required_text("enforcement_mode")?,
            environment: fields
                .text("environment")?
                .unwrap_or_else(|| "prod".to_owned()),
            intent: fields.text("session_intent")?,
            purpose: fields.text("purpose")?,
            data_classification: fields.text("data_classification")?,
            task: Task {
                initiated_by: either("initiated_by", "initiatedBy")?,
                task_id: either("task_id", "taskId")?,
                chain: task.texts("chain").map_err(of_task)?,
            },
            model: Model {
                name: fields.text("model_name")?,
                provider: fields.text("model_provider")?,
                artifact_id: fields.text("model_artifact_id")?,
                artifact_version: fields.text("model_artifact_version")?,
            },
            component: None,
        })
    }

    /// What the client says the call is for, by the names on the wire, each where it is there.
    pub(crate) fn context(&self) -> Map<String, Value> {
        let task = &self.task;
        let texts = [
            ("purpose", &self.purpose),
            ("session_intent", &self.intent),
            ("data_classification", &self.data_classification),
            ("initiated_by", &task.initiated_by),
            ("task_id", &task.task_id),
            ("model_name", &self.model.name),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(name, text)| Some((name.to_owned(), text.as_deref()?.into())));
        let mut context: Map<String, Value> = texts.collect();
        context.insert("environment".to_owned(), self.environment.as_str().into());
        if let Some(chain) = &task.chain {
            context.insert("delegation_chain".to_owned(), chain.clone().into());
        }
        context
    }
}

/// Typed access to the members of an object.
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn present(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, CallError> {
        self.present(name)
            .map(|value| value.as_str().map(str::to_owned))
            .map(|text| text.ok_or_else(|| CallError::Type(name.to_owned(), "text")))
            .transpose()
    }

    pub(crate) fn required_text(&self, name: &str) -> Result<String, CallError> {
        self.text(name)?
            .ok_or_else(|| CallError::Missing(name.to_owned()))
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>, CallError> {
        let wrong = || CallError::Type(name.to_owned(), "an array of texts");
        let Some(value) = self.present(name) else {
            return Ok(None);
        };
        let text = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(wrong);
        let items = value.as_array().ok_or_else(wrong)?;
        items.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    fn required_texts(&self, name: &str) -> Result<Vec<String>, CallError> {
        self.texts(name)?
            .ok_or_else(|| CallError::Missing(name.to_owned()))
    }

    fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, CallError> {
        self.present(name)
            .map(|value| value.as_object())
            .map(|object| object.ok_or_else(|| CallError::Type(name.to_owned(), "an object")))
            .transpose()
    }
}
