//! What a governor that travels with its component is told by its environment: beyond where to ask,
//! also for whom, how long to wait for a human, and what an event that is not taken means.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::{Config, ConfigError, MAX_TIMEOUT};
use crate::duration::parse_duration;
use crate::request;
use crate::types::{Capture, Mode, Model, Session};

/// How long a human is waited for where nothing else is said.
pub const DEFAULT_STEP_UP_WAIT: Duration = Duration::from_secs(30);

/// The longest that a human is waited for.
pub const MAX_STEP_UP_WAIT: Duration = Duration::from_hours(1);

/// How long the body of a request may take to arrive where nothing else is said.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A portable governor's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the policy service is, and how to get in.
    pub config: Config,
    /// On whose behalf calls are made.
    pub session: Session,
    /// How long a call may wait for a human.
    pub step_up_wait: Duration,
    /// How long the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// Whether a call may run only once the policy service has the event that announces it.
    pub require_events: bool,
}

impl Settings {
    /// Reads what [`Config::from_vars`] reads, the identity (`THOTH_TENANT_ID`, `THOTH_AGENT_ID` and
    /// so on, as the SDKs name it), `THOTH_STEP_UP_WAIT`, `THOTH_BODY_TIMEOUT` and
    /// `THOTH_REQUIRE_EVENTS`. The session gets `fresh_id` where `THOTH_SESSION_ID` does not name it.
    ///
    /// # Errors
    /// A variable that is missing or unusable, or plain http to another machine.
    pub fn from_vars(vars: Vec<(String, String)>, fresh_id: String) -> Result<Self, ConfigError> {
        let session = session(&vars, fresh_id)?;
        let step_up_wait = step_up_wait(&vars)?;
        let body_timeout = body_timeout(&vars)?;
        let require_events = flag(&vars, "THOTH_REQUIRE_EVENTS")?;
        let config = Config::from_vars(vars)?;
        // A key, and every argument, would cross the network for anybody to read and to answer.
        if !config.origin.secure && !config.origin.is_loopback() {
            return Err(ConfigError::PlainHttp);
        }
        Ok(Self {
            config,
            session,
            step_up_wait,
            body_timeout,
            require_events,
        })
    }
}

fn session(vars: &[(String, String)], fresh_id: String) -> Result<Session, ConfigError> {
    let owned = |names: &[&str]| var(vars, names).map(ToOwned::to_owned);
    let text = |names: &[&str]| owned(names).unwrap_or_default();
    let object = |name: &'static str| {
        let given = owned(&[name]);
        match request::object(name, &given) {
            Ok(_) => Ok(given),
            Err(error) => Err(ConfigError::Object(error)),
        }
    };
    let scope = var(vars, &["THOTH_APPROVED_SCOPE"]).unwrap_or_default();
    let mode = var(vars, &["THOTH_ENFORCEMENT_MODE", "THOTH_ENFORCEMENT"]);
    let model = Model {
        name: owned(&["THOTH_MODEL_NAME"]),
        provider: owned(&["THOTH_MODEL_PROVIDER"]),
        artifact_id: owned(&["THOTH_MODEL_ARTIFACT_ID"]),
        artifact_version: owned(&["THOTH_MODEL_ARTIFACT_VERSION"]),
    };
    Ok(Session {
        session_id: owned(&["THOTH_SESSION_ID"]).unwrap_or(fresh_id),
        tenant_id: text(&["THOTH_TENANT_ID"]),
        agent_id: text(&["THOTH_AGENT_ID"]),
        user_id: text(&["THOTH_USER_ID"]),
        approved_scope: scope
            .split(',')
            .map(str::trim)
            .filter(|tool| !tool.is_empty())
            .map(ToOwned::to_owned)
            .collect(),
        mode: mode.map_or(Ok(Mode::Block), str::parse)?,
        environment: owned(&["THOTH_ENV", "THOTH_ENVIRONMENT"])
            .unwrap_or_else(|| "prod".to_owned()),
        trace_id: text(&["THOTH_ENFORCEMENT_TRACE_ID"]),
        intent: owned(&["THOTH_SESSION_INTENT"]),
        purpose: owned(&["THOTH_PURPOSE"]),
        data_classification: owned(&["THOTH_DATA_CLASSIFICATION"]),
        task_context: object("THOTH_TASK_CONTEXT_JSON")?,
        identity_binding: None,
        metadata: object("THOTH_REQUEST_METADATA_JSON")?,
        auth_context: object("THOTH_AUTH_CONTEXT_JSON")?,
        delegation_context: object("THOTH_DELEGATION_CONTEXT_JSON")?,
        mcp_runtime_identity: owned(&["THOTH_MCP_RUNTIME_IDENTITY"]),
        model: (model != Model::default()).then_some(model),
        capture: match var(vars, &["THOTH_CAPTURE"]) {
            None | Some("minimal") => Capture::Minimal,
            Some("full") => Capture::Full,
            Some(_) => return Err(ConfigError::Capture),
        },
        history: Vec::new(),
    })
}

fn step_up_wait(vars: &[(String, String)]) -> Result<Duration, ConfigError> {
    let Some(text) = var(vars, &["THOTH_STEP_UP_WAIT"]) else {
        return Ok(DEFAULT_STEP_UP_WAIT);
    };
    match parse_duration(text) {
        Ok(wait) if wait <= MAX_STEP_UP_WAIT => Ok(wait),
        Ok(_) => Err(ConfigError::StepUpWaitRange(text.to_owned())),
        Err(error) => Err(ConfigError::StepUpWait(error)),
    }
}

fn body_timeout(vars: &[(String, String)]) -> Result<Duration, ConfigError> {
    let Some(text) = var(vars, &["THOTH_BODY_TIMEOUT"]) else {
        return Ok(DEFAULT_BODY_TIMEOUT);
    };
    match parse_duration(text) {
        Ok(timeout) if !timeout.is_zero() && timeout <= MAX_TIMEOUT => Ok(timeout),
        Ok(_) => Err(ConfigError::BodyTimeoutRange(text.to_owned())),
        Err(error) => Err(ConfigError::BodyTimeout(error)),
    }
}

/// Only a clear word switches something, either way.
fn flag(vars: &[(String, String)], name: &'static str) -> Result<bool, ConfigError> {
    let Some(text) = var(vars, &[name]) else {
        return Ok(false);
    };
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" | "y" | "yes" | "on" => Ok(true),
        "0" | "f" | "false" | "n" | "no" | "off" => Ok(false),
        _ => Err(ConfigError::Flag(name)),
    }
}

/// The first of these variables that says something, without the blanks around it.
fn var<'a>(vars: &'a [(String, String)], names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| {
        vars.iter()
            .rev()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.trim())
            .find(|value| !value.is_empty())
    })
}
