//! wassette's `policy.yaml`, version 1, so that its users can bring theirs.
//!
//! What it allows is granted as far as our grants can say it, and never wider; what they cannot say
//! is left out, with a [`Warning`]. An entry under `deny` is an error, for to leave that out would
//! widen. Unknown keys are errors.
//!
//! | `policy.yaml` | granted |
//! |---|---|
//! | `storage` `fs://data`, `fs://data/**` | the folder `data` beside the file, as `/data` |
//! | `storage` `fs:///srv/data` | the folder `/srv/data`, as `/srv/data` |
//! | `storage` with `*` elsewhere, of a single file, or `write` without `read` | nothing |
//! | `network` `host: api.example.com` | https at port 443, every path, the usual methods |
//! | `network` `host: "https://api.example.com:8443"` | https at port 8443, likewise |
//! | `network` `host: "http://localhost:8080"` | plain http, to this machine only |
//! | `network` `cidr`, `defaults` | nothing |
//! | `environment` `key: LANG` | the variable |
//! | `resources.limits.memory: 512Mi` | the limit, at most 1 GiB; a bare number is MiB, as there |
//! | `resources` `cpu`, `io`, `runtime`, `ipc` | nothing |
//!
//! wassette itself lets a host without a scheme be reached by http as well, and at every port.

use std::path::Path;

use http::Method;

use crate::bytes::Bytes;
use crate::document::{Node, Table, Value};
use crate::error::{self, ConfigError, Problem, Warning};
use crate::files::{Access, BadFolder, FileGrant};
use crate::grants::{Conflict, Grants};
use crate::limits::{LimitSettings, MEMORY_MAX};
use crate::network::{HostPattern, NetworkRule, Scheme};
use crate::rule::BadRule;
use crate::words::{shown, suggestion};
use crate::yaml_tree;

/// What "any method" means here: those of RFC 9110 and RFC 5789 that a server answers about a
/// resource.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// What a `policy.yaml` says, in our terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// What the component is granted.
    pub grants: Grants,
    /// What a call may use.
    pub limits: LimitSettings,
    /// What was left out or narrowed.
    pub warnings: Vec<Warning>,
}

/// Reads a file. Relative paths in it are relative to its folder, where wassette keeps the component
/// too.
///
/// # Errors
///
/// As [`crate::Config::read`].
pub fn read(path: &Path) -> Result<Policy, ConfigError> {
    let text = error::read(path)?;
    let base = error::folder_of(path)?;
    parse(&text, &base).map_err(|error| error.in_file(path))
}

/// Reads a text. Relative paths in it are relative to `base`.
///
/// # Errors
///
/// [`ConfigError::At`] with the first thing that is wrong.
pub fn parse(text: &str, base: &Path) -> Result<Policy, ConfigError> {
    let mut policy = Policy::default();
    policy.document(&yaml_tree::parse(text)?, base)?;
    Ok(policy)
}

impl Policy {
    fn warn(&mut self, node: &Node, message: impl Into<String>) {
        self.warnings.push(Warning {
            line: node.at.line,
            message: message.into(),
        });
    }

    fn document(&mut self, node: &Node, base: &Path) -> Result<(), Problem> {
        let table = node.table(&["$schema", "version", "description", "permissions"])?;
        let version = table.required("version")?;
        let major = version.text()?.split('.').next();
        if major != Some("1") {
            return Err(version.problem("only version 1 is known: write `version: \"1.0\"`"));
        }
        let Some(permissions) = table.get("permissions") else {
            return Ok(());
        };
        let permissions = permissions.table(&[
            "storage",
            "network",
            "environment",
            "resources",
            "runtime",
            "ipc",
        ])?;
        self.storage(&permissions, base)?;
        self.network(&permissions)?;
        if let Some(node) = permissions.get("environment") {
            for item in node.table(&["allow"])?.items("allow")? {
                let key = item.table(&["key"])?.required("key")?;
                match self.grants.add_environment(key.text()?) {
                    Ok(()) | Err(Conflict::Twice(_)) => {}
                    Err(conflict) => return Err(key.problem(conflict)),
                }
            }
        }
        if let Some(node) = permissions.get("resources") {
            self.resources(node)?;
        }
        for key in ["runtime", "ipc"] {
            if let Some(node) = permissions.get(key) {
                self.warn(node, format!("`{key}` grants nothing here"));
            }
        }
        Ok(())
    }

    fn storage(&mut self, permissions: &Table<'_>, base: &Path) -> Result<(), Problem> {
        let mut folders = Vec::new();
        for item in allowed(permissions, "storage")? {
            let table = item.table(&["uri", "access"])?;
            let uri = table.required("uri")?;
            let access = table.required("access")?;
            match folder(uri, rights(access)?, base)? {
                Ok(folder) => folders.push((uri, folder)),
                Err(left_out) => self.warn(uri, left_out),
            }
        }
        // The outer ones first: what lies in one of them, as it does there, is granted already.
        folders.sort_by_key(|(_, folder)| folder.guest.len());
        for (uri, folder) in folders {
            if !self.grants.files.iter().any(|outer| outer.holds(&folder)) {
                self.grants
                    .add_files(folder)
                    .map_err(|conflict| uri.problem(conflict))?;
            }
        }
        Ok(())
    }

    fn network(&mut self, permissions: &Table<'_>) -> Result<(), Problem> {
        let mut narrowed = None;
        for item in allowed(permissions, "network")? {
            let table = item.table(&["host", "cidr", "defaults"])?;
            if table.get("cidr").or(table.get("defaults")).is_some() {
                self.warn(
                    item,
                    "address ranges and `defaults` grant nothing: name the hosts",
                );
            }
            let Some(host) = table.get("host") else {
                continue;
            };
            let text = host.text()?;
            if !text.contains("://") {
                narrowed = narrowed.or(Some(host));
            }
            // wassette reads `host:port` as a scheme, and then grants nothing.
            if !text.contains("://") && text.contains(':') && !text.starts_with('[') {
                return Err(host.problem(format_args!(
                    "a host with a port needs its scheme: write `https://{}`",
                    shown(text)
                )));
            }
            let rule = match rule(text) {
                Ok(rule) => rule,
                Err(BadRule::PlainHttp(_)) => {
                    self.warn(
                        host,
                        "plain http is granted to this machine only: write https, or a rule with \
                         `allow_private` in thoth.toml",
                    );
                    continue;
                }
                Err(error) => return Err(host.problem(error)),
            };
            match self.grants.add_network(rule) {
                // Hidden by one that grants it with the same methods and options.
                Ok(()) | Err(Conflict::Hidden(_)) => {}
                Err(conflict) => return Err(host.problem(conflict)),
            }
        }
        if let Some(host) = narrowed {
            self.warn(
                host,
                "hosts without a scheme are granted by https at port 443 only: write \
                 `https://HOST:PORT` for another port",
            );
        }
        Ok(())
    }

    fn resources(&mut self, node: &Node) -> Result<(), Problem> {
        let table = node.table(&["limits", "cpu", "memory", "io"])?;
        let limits = table.optional("limits", |node| node.table(&["cpu", "memory"]))?;
        let memory = limits
            .as_ref()
            .and_then(|limits| limits.get("memory"))
            .or(table.get("memory"));
        if let Some(node) = memory {
            let size = memory_size(node)?;
            if size > MEMORY_MAX {
                self.warn(node, format!("a call has at most {MEMORY_MAX} of memory"));
            }
            self.limits.memory = Some(size.min(MEMORY_MAX));
        }
        let cpu = limits.as_ref().and_then(|limits| limits.get("cpu"));
        for node in [cpu, table.get("cpu"), table.get("io")]
            .into_iter()
            .flatten()
        {
            self.warn(
                node,
                "a share of a processor or of input and output is not a limit here: `time` and \
                 `fuel` in thoth.toml are",
            );
        }
        Ok(())
    }
}

/// The entries under `allow`, if there is none under `deny`.
fn allowed<'a>(permissions: &Table<'a>, key: &str) -> Result<&'a [Node], Problem> {
    let Some(node) = permissions.get(key) else {
        return Ok(&[]);
    };
    let table = node.table(&["allow", "deny"])?;
    match table.items("deny")?.first() {
        Some(denied) => Err(denied.problem(
            "exceptions from what is allowed cannot be granted: remove `deny`, and allow only what \
             is meant; everything else is denied",
        )),
        None => table.items("allow"),
    }
}

/// Read and write, as they stand in a list.
fn rights(node: &Node) -> Result<(bool, bool), Problem> {
    let (mut read, mut write) = (false, false);
    for item in node.list()? {
        match item.text()? {
            "read" => read = true,
            "write" => write = true,
            word => {
                return Err(item.problem(format_args!(
                    "`{}` is not an access: {}",
                    shown(word),
                    suggestion(word, &["read", "write"])
                )));
            }
        }
    }
    if !read && !write {
        return Err(node.problem("the access is empty: write `[read]` or `[read, write]`"));
    }
    Ok((read, write))
}

/// The folder of an URI, or why there is none to grant.
fn folder(
    node: &Node,
    (read, write): (bool, bool),
    base: &Path,
) -> Result<Result<FileGrant, &'static str>, Problem> {
    let Some(path) = node.text()?.strip_prefix("fs://") else {
        return Ok(Err(
            "only `fs://` is granted; this grants nothing, in wassette too",
        ));
    };
    if !read {
        return Ok(Err("writing without reading cannot be granted: add `read`"));
    }
    let access = if write {
        Access::ReadWrite
    } else {
        Access::ReadOnly
    };
    // `fs:///**` is the root, as `fs:///` is. `fs://` is no path at all.
    let path = match path.strip_suffix("/**") {
        Some("") => "/",
        Some(folder) => folder,
        None => path,
    };
    if path.is_empty() || path.contains('*') {
        return Ok(Err(
            "only whole folders can be granted: write `fs://PATH` or `fs://PATH/**`",
        ));
    }
    let guest = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    match FileGrant::new(&base.join(path), &guest, access, false) {
        Ok(folder) => Ok(Ok(folder)),
        Err(BadFolder::NotAFolder(_)) => Ok(Err(
            "a single file cannot be granted: grant the folder that it is in",
        )),
        Err(error) => Err(node.problem(error)),
    }
}

/// The rule for a host. Plain http is an error but to this machine.
fn rule(text: &str) -> Result<NetworkRule, BadRule> {
    let url = if text.contains("://") {
        format!("{}/*", text.trim_end_matches('/'))
    } else {
        format!("https://{text}/*")
    };
    // An address that is written out is meant, whatever range it is in.
    let rule = NetworkRule::new(&url, METHODS.to_vec(), Vec::new(), true, false)?;
    let (own_machine, written_out) = match &rule.host {
        HostPattern::Name(name) => (name == "localhost", false),
        HostPattern::Below(_) => (false, false),
        HostPattern::Address(address) => (address.is_loopback(), true),
    };
    let allow_private = own_machine || written_out;
    if rule.scheme == Scheme::Http && !own_machine {
        return Err(BadRule::PlainHttp(shown(text)));
    }
    Ok(NetworkRule {
        allow_private,
        ..rule
    })
}

fn memory_size(node: &Node) -> Result<Bytes, Problem> {
    const UNITS: [(&str, u64); 4] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40)];
    let bad = || node.problem("the memory is not a size: write it as `512Mi`");
    let (number, shift) = match &node.value {
        Value::Integer(number) => (u64::try_from(*number).map_err(|_| bad())?, 20),
        _ => {
            let text = node.text()?;
            let unit = UNITS
                .iter()
                .find_map(|(name, shift)| Some((text.strip_suffix(name)?, *shift)));
            let (digits, shift) = unit.unwrap_or((text, 0));
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(bad());
            }
            (digits.parse().map_err(|_| bad())?, shift)
        }
    };
    match number.checked_mul(1 << shift) {
        None | Some(0) => Err(bad()),
        Some(bytes) => Ok(Bytes(bytes)),
    }
}
