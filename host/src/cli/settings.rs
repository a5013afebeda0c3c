//! Flags and `THOTH_*` variables that several commands share. A flag wins over its variable.

use std::env;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use clap::builder::TypedValueParser as _;
use thoth_core::parse_duration;
use thoth_host::grants::{Private, Settings};
use thoth_host::{
    Builder, Capture, Identity, Jail, Mode, Model, Runtime, Secret, default_cache_dir,
};
use thoth_transport::{Client, Origin};
use tokio::time::Instant;
use uuid::Uuid;

use super::Usage;
use super::grants::ConfigArgs;

/// Who decides, and how long that may take.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Policy")]
pub(super) struct PolicyArgs {
    /// Decide by this policy file, in this process.
    #[arg(long, value_name = "FILE", conflicts_with = "enforcer_url")]
    policy: Option<PathBuf>,
    /// Decide at this enforcer: https, or http to a loopback address [env: THOTH_API_URL]. The API
    /// key comes from THOTH_API_KEY or `--api-key-file`.
    #[arg(long, value_name = "URL")]
    enforcer_url: Option<String>,
    /// Read the API key from this file.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Trust the certificate authorities in this PEM file as well.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Total deadline of one policy call, for instance 500ms [default: 5s].
    #[arg(long, value_name = "DURATION", value_parser = deadline)]
    timeout: Option<Duration>,
}

/// Where events, holds and keys are kept.
#[derive(Debug, clap::Args)]
pub(super) struct StateArgs {
    /// Keep events and holds in this folder [default: $XDG_STATE_HOME/thoth].
    #[arg(long, value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

impl StateArgs {
    /// The folder.
    pub(super) fn dir(&self, settings: &Settings) -> Result<PathBuf> {
        Ok(match self.named(settings) {
            Some(dir) => dir.to_owned(),
            None => thoth_host::default_state_dir()?,
        })
    }

    /// The folder, if it is not the usual one.
    pub(super) fn named<'a>(&'a self, settings: &'a Settings) -> Option<&'a Path> {
        self.state_dir.as_deref().or(settings.state_dir.as_deref())
    }
}

/// The word that makes this program the compiler of another one of itself.
pub(crate) const COMPILE: &str = "__compile";

/// Components are compiled by this program, started again under limits.
pub(super) fn jail() -> Result<Jail> {
    let program = env::current_exe().context("cannot find this program again, to compile with")?;
    Ok(Jail::Command {
        program,
        args: vec![COMPILE.into()],
    })
}

impl PolicyArgs {
    /// A builder with these settings.
    pub(super) fn builder(&self, settings: &Settings) -> Result<Builder> {
        let mut builder = self.keyless(settings)?;
        if let Some(key) = self.api_key(settings)? {
            builder = builder.api_key(key);
        }
        if let Some(token) = var("THOTH_EVENT_INGEST_TOKEN") {
            builder = builder.ingest_token(secret("THOTH_EVENT_INGEST_TOKEN", &token)?);
        }
        Ok(builder)
    }

    /// A builder with these settings, but for the credentials.
    pub(super) fn keyless(&self, settings: &Settings) -> Result<Builder> {
        refuse_fail_open()?;
        let mut builder = Runtime::builder().compiler(jail()?);
        if let Some(timeout) = self.timeout.or(settings.timeout) {
            builder = builder.timeout(timeout);
        }
        if let Some(cache) = default_cache_dir() {
            builder = builder.cache_dir(cache);
        }
        // A flag wins over a variable, so a policy file on the command line is enough to say that
        // THOTH_API_URL is not meant.
        if let Some(file) = &self.policy {
            builder = builder.policy_file(file);
        } else if let Some(url) = self.enforcer_url.clone().or_else(|| var("THOTH_API_URL")) {
            builder = builder.enforcer_url(url);
        } else if let Some(file) = &settings.policy {
            builder = builder.policy_file(file);
        } else if let Some(url) = &settings.enforcer_url {
            builder = builder.enforcer_url(url);
        }
        if let Some(file) = self.ca_file.as_ref().or(settings.ca_file.as_ref()) {
            builder = builder.ca_file(file);
        }
        Ok(builder)
    }

    /// Whether there is an API key.
    pub(super) fn has_key(&self, settings: &Settings) -> Result<bool> {
        Ok(self.api_key(settings)?.is_some())
    }

    /// What the enforcer's clock says, if it answers at all.
    pub(super) async fn date(&self, settings: &Settings) -> Option<SystemTime> {
        let url = self.enforcer_url.clone().or_else(|| var("THOTH_API_URL"));
        let origin = Origin::parse(&url.or_else(|| settings.enforcer_url.clone())?).ok()?;
        let options = thoth_transport::Options {
            ca_file: self.ca_file.as_ref().or(settings.ca_file.as_ref()).cloned(),
            ..Default::default()
        };
        let client = Client::new(origin, options).ok()?;
        let request = http::Request::get("/healthz").body(Bytes::new()).ok()?;
        let deadline = Instant::now() + self.timeout.unwrap_or(thoth_host::TIMEOUT);
        let response = client.send(request, deadline).await.ok()?;
        let date = response.headers().get(http::header::DATE)?;
        httpdate::parse_http_date(date.to_str().ok()?).ok()
    }

    /// Whether this process decides by itself.
    pub(super) fn is_embedded(&self, settings: &Settings) -> bool {
        let is_remote = self.enforcer_url.is_some() || var("THOTH_API_URL").is_some();
        self.policy.is_some() || (!is_remote && settings.policy.is_some())
    }

    /// The policy file that a flag names.
    pub(super) fn policy_file(&self) -> Option<&Path> {
        self.policy.as_deref()
    }

    /// Adds what of this is no tool's: the key, the policy, and whose certificates are trusted.
    pub(super) fn private(&self, settings: &Settings, private: &mut Private) {
        let policy = self.policy_file().or(settings.policy.as_deref());
        for path in policy.into_iter().chain(self.api_key_file.as_deref()) {
            private.unseen(path);
        }
        if let Some(path) = &self.ca_file {
            private.unchanged(path);
        }
    }

    fn api_key(&self, settings: &Settings) -> Result<Option<Secret>> {
        if let Some(file) = &self.api_key_file {
            return key_file(file).map(Some);
        }
        if let Some(key) = var("THOTH_API_KEY") {
            return secret("THOTH_API_KEY", key.trim()).map(Some);
        }
        settings.api_key_file.as_deref().map(key_file).transpose()
    }
}

/// The longest file that is read for a key, in bytes.
const KEY_FILE_MAX: u64 = 64 << 10;

fn key_file(file: &Path) -> Result<Secret> {
    secret("the API key file", key_text(file)?.trim())
}

/// What stands in a file for a key.
pub(super) fn key_text(file: &Path) -> Result<String> {
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(KEY_FILE_MAX).read_to_string(&mut text))
        .with_context(|| format!("cannot read the API key from `{}`", file.display()))?;
    Ok(text)
}

fn secret(what: &str, text: &str) -> Result<Secret> {
    Secret::new(text).map_err(|error| Usage(format!("{what}: {error}")).into())
}

/// There is no fail-open here. Who asks for it must hear that, and not believe to have it.
pub(super) fn refuse_fail_open() -> Result<()> {
    let Some(value) = var("THOTH_FAIL_OPEN") else {
        return Ok(());
    };
    match value.trim().to_ascii_lowercase().as_str() {
        "0" | "f" | "false" | "n" | "no" | "off" => Ok(()),
        _ => Err(Usage(format!(
            "THOTH_FAIL_OPEN=`{value}` is refused: an outage of the enforcer blocks calls here, and \
             nothing can change that; unset the variable"
        ))
        .into()),
    }
}

/// Who calls, for whom and why.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Identity (flag or variable, as in the Thoth SDKs)")]
pub(super) struct IdentityArgs {
    /// Tenant [env: THOTH_TENANT_ID].
    #[arg(long, value_name = "ID")]
    tenant_id: Option<String>,
    /// Agent [env: THOTH_AGENT_ID].
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// User for whom the agent works [env: THOTH_USER_ID].
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// Session [default: a fresh UUID].
    #[arg(long, value_name = "ID")]
    session_id: Option<String>,
    /// Tools that the agent was approved for, comma-separated [env: THOTH_APPROVED_SCOPE].
    #[arg(long, value_name = "TOOLS")]
    scope: Option<String>,
    /// observe, step_up, block or progressive [env: THOTH_ENFORCEMENT_MODE, THOTH_ENFORCEMENT]
    /// [default: block]. In observe mode calls run whatever the enforcer says.
    #[arg(long, value_name = "MODE", value_parser = mode())]
    mode: Option<Mode>,
    /// Deployment environment [env: THOTH_ENV, THOTH_ENVIRONMENT] [default: prod].
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Correlation id [env: THOTH_ENFORCEMENT_TRACE_ID] [default: the session's id].
    #[arg(long, value_name = "ID")]
    trace_id: Option<String>,
    /// Declared intent of the session [env: THOTH_SESSION_INTENT].
    #[arg(long, value_name = "TEXT")]
    intent: Option<String>,
    /// Why data is processed [env: THOTH_PURPOSE].
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// Class of the data [env: THOTH_DATA_CLASSIFICATION].
    #[arg(long, value_name = "TEXT")]
    data_classification: Option<String>,
    /// What events tell: minimal (names, codes, sizes) or full (arguments too)
    /// [default: minimal].
    #[arg(long, value_name = "HOW", value_parser = capture())]
    capture: Option<Capture>,
}

impl IdentityArgs {
    /// The identity, from flags and variables.
    pub(super) fn identity(&self, settings: &Settings) -> Result<Identity> {
        let pick = |flag: &Option<String>, names: &[&str]| {
            flag.clone()
                .or_else(|| names.iter().find_map(|name| var(name)))
        };
        let text = |flag, names, setting: &Option<String>| {
            let said = pick(flag, names).or_else(|| setting.clone());
            said.unwrap_or_default()
        };
        let mut identity = Identity::new(
            text(&self.tenant_id, &["THOTH_TENANT_ID"], &settings.tenant),
            text(&self.agent_id, &["THOTH_AGENT_ID"], &settings.agent),
        )
        .user(text(&self.user_id, &["THOTH_USER_ID"], &settings.user));
        identity = match pick(&self.scope, &["THOTH_APPROVED_SCOPE"]) {
            Some(scope) => identity.scope(
                scope
                    .split(',')
                    .map(str::trim)
                    .filter(|tool| !tool.is_empty()),
            ),
            None => identity.scope(settings.scope.iter().flatten().map(String::as_str)),
        };
        if let Some(id) = &self.session_id {
            if id.trim().is_empty() {
                return Err(Usage(
                    "`--session-id` is empty: name the session or leave it out".into(),
                )
                .into());
            }
            identity.session_id.clone_from(id);
        }
        identity.mode = match (
            self.mode,
            pick(&None, &["THOTH_ENFORCEMENT_MODE", "THOTH_ENFORCEMENT"]),
        ) {
            (Some(mode), _) => mode,
            (None, Some(mode)) => mode.parse().map_err(|error| Usage(format!("{error}")))?,
            (None, None) => settings.mode.unwrap_or(Mode::Block),
        };
        let environment = pick(&self.environment, &["THOTH_ENV", "THOTH_ENVIRONMENT"]);
        if let Some(environment) = environment.or_else(|| settings.environment.clone()) {
            identity.environment = environment;
        }
        identity.trace_id = pick(&self.trace_id, &["THOTH_ENFORCEMENT_TRACE_ID"]);
        identity.intent = pick(&self.intent, &["THOTH_SESSION_INTENT"]);
        identity.purpose = pick(&self.purpose, &["THOTH_PURPOSE"]);
        identity.data_classification =
            pick(&self.data_classification, &["THOTH_DATA_CLASSIFICATION"]);
        identity.capture = self.capture.unwrap_or_default();
        identity.task_context = json_object("THOTH_TASK_CONTEXT_JSON")?;
        identity.auth_context = json_object("THOTH_AUTH_CONTEXT_JSON")?;
        identity.delegation_context = json_object("THOTH_DELEGATION_CONTEXT_JSON")?;
        identity.metadata = json_object("THOTH_REQUEST_METADATA_JSON")?;
        identity.mcp_runtime_identity = var("THOTH_MCP_RUNTIME_IDENTITY");
        let model = Model {
            name: var("THOTH_MODEL_NAME"),
            provider: var("THOTH_MODEL_PROVIDER"),
            artifact_id: var("THOTH_MODEL_ARTIFACT_ID"),
            artifact_version: var("THOTH_MODEL_ARTIFACT_VERSION"),
        };
        identity.model = (model != Model::default()).then_some(model);
        Ok(identity)
    }
}

/// The call's id: THOTH_ACTION_ATTESTATION_ID, else a fresh UUID.
pub(super) fn call_id() -> String {
    var("THOTH_ACTION_ATTESTATION_ID").unwrap_or_else(|| Uuid::new_v4().to_string())
}

/// A JSON object in a variable. The SDKs ignore a broken one; a policy that hangs on it would not.
fn json_object(name: &str) -> Result<Option<String>> {
    let Some(text) = var(name) else {
        return Ok(None);
    };
    match thoth_core::json::parse(text.as_bytes()) {
        Ok(serde_json::Value::Object(_)) => Ok(Some(text)),
        Ok(_) => Err(Usage(format!("{name} is not a JSON object")).into()),
        Err(error) => Err(Usage(format!("{name} is not a JSON object: {error}")).into()),
    }
}

/// A variable that says something, without the space around it, which a file that was read into it leaves
/// there. What is not UTF-8 in it cannot be meant, but says something.
pub(super) fn var(name: &str) -> Option<String> {
    let value = env::var_os(name)?;
    let value = value.to_string_lossy();
    Some(value.trim())
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// A deadline that a governor keeps: more than nothing, and at most ten minutes.
fn deadline(text: &str) -> Result<Duration, String> {
    let deadline = duration(text)?;
    if deadline.is_zero() || deadline > Duration::from_secs(600) {
        return Err(format!("`{text}` is not between 1ms and 10m"));
    }
    Ok(deadline)
}

fn mode() -> impl clap::builder::TypedValueParser<Value = Mode> {
    clap::builder::StringValueParser::new().try_map(|text| text.parse::<Mode>())
}

fn capture() -> impl clap::builder::TypedValueParser<Value = Capture> {
    clap::builder::PossibleValuesParser::new(["minimal", "full"]).map(|text| {
        if text == "full" {
            Capture::Full
        } else {
            Capture::Minimal
        }
    })
}
