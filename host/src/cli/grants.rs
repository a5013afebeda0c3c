//! What a tool is granted and what it may use: `thoth.toml`, a wassette policy, flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use thoth_host::grants::{
    Config, FileGrant, Grants, LimitSettings, NetworkRule, Private, SecretFlag, SecretName,
    environment_name, wassette,
};
use thoth_host::toolbox::{LOCK_NAME, Toolbox};
use thoth_host::{Grant, Limits, Secrets, Tool, inert};

use super::Usage;
use super::settings::{PolicyArgs, StateArgs, duration, var};

/// The configuration file.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigArgs {
    /// Read settings, secrets and grants from this file [env: THOTH_CONFIG] [default:
    /// $XDG_CONFIG_HOME/thoth/thoth.toml, if it is there]. Flags and variables win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigArgs {
    /// What the file says; nothing where there is none.
    pub(super) fn read(&self) -> Result<Config> {
        match self.file() {
            None => Ok(Config::default()),
            Some(path) => Config::read(&path).map_err(|error| Usage(chain(&error)).into()),
        }
    }

    /// The file that is read, if there is one.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let usual = thoth_host::default_config_file().filter(|path| path.exists());
        self.named().or(usual)
    }

    /// The file that somebody names. Never one of the current folder: that may be anybody's, and a
    /// grant is the operator's word.
    fn named(&self) -> Option<PathBuf> {
        let variable = || var("THOTH_CONFIG").map(PathBuf::from);
        self.config.clone().or_else(variable)
    }

    /// Where the lock of the tools is: beside the configuration, or where that would be.
    pub(super) fn lock(&self) -> Option<PathBuf> {
        let config = self.named().or_else(thoth_host::default_config_file)?;
        // By its true name, as its paths are.
        let config = config.canonicalize().unwrap_or(config);
        Some(config.with_file_name(LOCK_NAME))
    }

    /// The components of the configuration, with its lock.
    pub(super) fn toolbox(&self, config: Config) -> Toolbox {
        let toolbox = Toolbox::new(config);
        match self.lock() {
            Some(path) => toolbox.lock(path),
            None => toolbox,
        }
    }
}

/// What the tool is granted.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Grants (without any, a tool reaches nothing)")]
pub(super) struct GrantArgs {
    /// Let requests to this URL out: `https://api.example.com/v1/* GET,POST` in quotes. Words may follow:
    /// `govern` (the enforcer decides about each), `allow-private`, `header=authorization`.
    #[arg(long, value_name = "RULE", value_parser = rule)]
    allow_net: Vec<NetworkRule>,
    /// Show this folder: './docs:/docs:ro', or `rw`; `,govern` asks the enforcer about each file.
    #[arg(long, value_name = "HOST:GUEST:MODE", value_parser = folder)]
    allow_dir: Vec<FileGrant>,
    /// Show this environment variable of the host's.
    #[arg(long, value_name = "NAME", value_parser = variable)]
    allow_env: Vec<String>,
    /// Let the tool name this secret in a header, as {{secret:NAME}}; its value stays in the host:
    /// NAME=file:PATH, NAME=command:PROGRAM, or NAME where the configuration has it.
    #[arg(long, value_name = "NAME[=SOURCE]")]
    allow_secret: Vec<String>,
    /// Grant what this wassette policy (policy.yaml) permits.
    #[arg(long, value_name = "FILE")]
    wassette_policy: Option<PathBuf>,
}

fn rule(text: &str) -> Result<NetworkRule, String> {
    NetworkRule::from_flag(text).map_err(|error| chain(&error))
}

fn folder(text: &str) -> Result<FileGrant, String> {
    FileGrant::from_flag(text).map_err(|error| chain(&error))
}

fn variable(text: &str) -> Result<String, String> {
    environment_name(text).map_err(|error| chain(&error))
}

/// What one tool call may use.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Wall-clock time of one tool call [default: 30s].
    #[arg(long, value_name = "DURATION", value_parser = time)]
    tool_timeout: Option<Duration>,
    /// Linear memory of one tool call in MiB, at most 1024 [default: 256].
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=1024))]
    max_memory: Option<u32>,
    /// Fuel of one tool call, about one unit an instruction [default: 20000000000].
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u64).range(1..))]
    fuel: Option<u64>,
    /// Outgoing requests of one tool call [default: 32].
    #[arg(long, value_name = "COUNT")]
    max_requests: Option<u32>,
    /// Any limit by its name in thoth.toml: `response_bytes=1MiB`, `open_files=16`.
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
}

/// More than nothing, as in `thoth.toml`.
fn time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(format!("`{text}` is no time to run in")),
        time => Ok(time),
    }
}

impl LimitArgs {
    fn settings(&self) -> Result<LimitSettings> {
        for flag in &self.limit {
            // By itself first: of several the message names the one that is wrong.
            LimitSettings::from_flags(std::slice::from_ref(flag))
                .map_err(|error| Usage(format!("--limit `{}`: {error}", inert(flag, 80))))?;
        }
        let named = LimitSettings::from_flags(&self.limit)
            .map_err(|error| Usage(format!("--limit: {error}")))?;
        Ok(named.overridden_by(LimitSettings {
            time: self.tool_timeout,
            fuel: self.fuel,
            memory: self
                .max_memory
                .map(|mib| thoth_host::grants::Bytes(u64::from(mib) << 20)),
            requests: self.max_requests,
            ..LimitSettings::default()
        }))
    }
}

/// A tool's grant, and what an operator should know about it.
pub(super) struct Granted {
    pub(super) grant: Grant,
    pub(super) warnings: Vec<String>,
    sha256: Option<[u8; 32]>,
}

impl GrantArgs {
    /// Whether any of these flags is there.
    pub(super) fn is_given(&self) -> bool {
        !self.allow_net.is_empty()
            || !self.allow_dir.is_empty()
            || !self.allow_env.is_empty()
            || !self.allow_secret.is_empty()
            || self.wassette_policy.is_some()
    }

    /// Puts together what the configuration, a wassette policy and the flags grant a component.
    /// `private` is what is not the tool's, in whatever folder; `secrets` those of the configuration, which
    /// all components share, so that what one has used is masked in what another says.
    pub(super) fn granted(
        &self,
        config: &Config,
        limits: &LimitArgs,
        component: &Path,
        private: &Private,
        secrets: &Arc<Secrets>,
    ) -> Result<Granted> {
        let mut private = private.clone();
        private.unchanged(component);
        if let Some(policy) = &self.wassette_policy {
            private.unchanged(policy);
        }
        let usage = |error: &dyn std::error::Error| Usage(chain(error));
        let configured = component
            .canonicalize()
            .ok()
            .and_then(|path| config.tool(&path));
        let mut grants = configured
            .map(|tool| tool.grants.clone())
            .unwrap_or_default();
        let mut settings = configured
            .map(|tool| tool.limits.clone())
            .unwrap_or_default();
        let mut warnings = Vec::new();
        if let Some(path) = &self.wassette_policy {
            let policy = wassette::read(path).map_err(|error| usage(&error))?;
            for warning in policy.warnings {
                warnings.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    warning.line,
                    warning.message
                ));
            }
            merge(&mut grants, policy.grants).map_err(|error| usage(&error))?;
            settings = settings.overridden_by(policy.limits);
        }
        let mut sources = BTreeMap::new();
        let mut flags = Grants {
            network: self.allow_net.clone(),
            files: self.allow_dir.clone(),
            environment: self.allow_env.clone(),
            secrets: Vec::new(),
        };
        for text in &self.allow_secret {
            if text.contains('=') {
                let flag: SecretFlag = text.parse().map_err(|error| usage(&error))?;
                private.source(&flag.source);
                sources.insert(flag.name.clone(), flag.source);
                flags.secrets.push(flag.name);
            } else {
                let name: SecretName = text.parse().map_err(|error| usage(&error))?;
                if !sources.contains_key(&name) && !config.secrets.contains_key(&name) {
                    let why = format!(
                        "there is no secret `{name}`: write `--allow-secret {name}=file:PATH`, or \
                         give it a source in thoth.toml"
                    );
                    return Err(Usage(why).into());
                }
                flags.secrets.push(name);
            }
        }
        merge(&mut grants, flags).map_err(|error| usage(&error))?;
        for folder in &grants.files {
            if let Some(exposed) = private.exposed_by(folder) {
                return Err(Usage(exposed.to_string()).into());
            }
        }
        let settings = settings.overridden_by(limits.settings()?);
        Ok(Granted {
            grant: Grant {
                grants,
                limits: Limits::default().with(&settings),
                keep: configured.map(|tool| tool.keep).unwrap_or_default(),
                secrets: Some(match sources.is_empty() {
                    true => Arc::clone(secrets),
                    // Those of flags are for one component, and there is no other.
                    false => {
                        let all = config.secrets.clone().into_iter().chain(sources);
                        Arc::new(Secrets::new(all))
                    }
                }),
                prefix: configured.and_then(|tool| tool.prefix.clone()),
                annotations: configured
                    .map(|tool| tool.annotations.clone())
                    .unwrap_or_default(),
                private,
            },
            warnings,
            sha256: configured.and_then(|tool| tool.sha256),
        })
    }
}

fn merge(into: &mut Grants, more: Grants) -> Result<(), thoth_host::grants::Conflict> {
    for rule in more.network {
        into.add_network(rule)?;
    }
    for folder in more.files {
        into.add_files(folder)?;
    }
    for name in &more.environment {
        into.add_environment(name)?;
    }
    for name in more.secrets {
        into.add_secret(name)?;
    }
    Ok(())
}

impl Granted {
    /// Checks what was loaded against what was meant, and tells what is odd about the grant.
    pub(super) fn check(&self, tool: &Tool) -> Result<()> {
        let expected = self.sha256.map(|digest| {
            digest
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        });
        if let Some(expected) = expected.filter(|expected| expected != tool.sha256()) {
            return Err(thoth_host::Error::Digest {
                name: tool.name().into(),
                is: tool.sha256().into(),
                expected,
            }
            .into());
        }
        let imports: Vec<&str> = tool.imports().iter().map(String::as_str).collect();
        let unused = self.grant.grants.unused(&imports);
        let unused = unused
            .iter()
            .map(|unused| format!("{}: {unused}", tool.name()));
        for warning in self.warnings.iter().cloned().chain(unused) {
            say!("thoth: {}", inert(&warning, 500));
        }
        Ok(())
    }
}

/// The secrets of a configuration, for all components.
pub(super) fn secrets(config: &Config) -> Arc<Secrets> {
    Arc::new(Secrets::new(config.secrets.clone()))
}

/// What is no tool's: state, compiled code, keys, and what decides, grants and runs.
pub(super) fn private(config: &Config, state: &StateArgs, policy: &PolicyArgs) -> Result<Private> {
    let mut private = config.private();
    private.unseen(state.dir(&config.settings)?);
    if let Some(cache) = thoth_host::default_cache_dir() {
        private.unseen(cache);
    }
    if let Ok(program) = std::env::current_exe() {
        private.unchanged(program);
    }
    policy.private(&config.settings, &mut private);
    for path in [state.config.file(), state.config.lock()]
        .into_iter()
        .flatten()
    {
        private.unchanged(path);
    }
    Ok(private)
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
