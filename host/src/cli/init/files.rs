//! The texts that `thoth init` writes.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

/// A component that was looked at.
pub(super) struct Found {
    pub(super) label: String,
    pub(super) path: String,
    pub(super) tools: Vec<String>,
    pub(super) imports: Vec<String>,
}

impl Found {
    fn imports(&self, interface: &str) -> bool {
        self.imports
            .iter()
            .any(|import| import.starts_with(interface))
    }
}

const SETTINGS: &str = r#"# What Thoth governs, and how. A flag or a THOTH_* variable wins over a line of this file, paths are
# relative to its folder, and a misspelt key is an error that names its line.

# Who decides about each call: rules in a file, read by this process, ...
policy = "policy.cedar"
# ... or an enforcer, which then decides alone. An outage of it blocks.
# enforcer_url = "https://enforce.acme.example"
# api_key_file = "/run/secrets/thoth-api-key"

# Nothing runs that `thoth lock` did not take.
locked = true

# On whose behalf calls are made.
tenant = "local"
agent = "agent"
# user = "sam"

# What a session may use: that of one client, or of one call on the command line.
# session = { calls = 1000, time = "1h", fuel = 1_000_000_000_000 }

# Secrets stay in the host: a tool that is granted one names it in a header, as {{secret:github}}.
# [secrets.github]
# file = "/run/secrets/github"
"#;

const NO_TOOL: &str = r#"
# One table for each component. Without a grant, it reaches nothing.
# [tools.fetcher]
# component = "fetcher.wasm"
# limits = { time = "10s", memory = "64MiB" }
# annotations = { readOnlyHint = true, openWorldHint = true }
"#;

const ANNOTATIONS: &str = r#"# What MCP clients are told of the nature of its tools, and of one of them; also `idempotentHint`:
# annotations = { readOnlyHint = true, openWorldHint = false }
# functions.TOOL = { annotations = { title = "What people read", readOnlyHint = false, destructiveHint = true } }
"#;

const NETWORK: &str = r#"# It can ask for the network. What it may reach, and that the enforcer decides about each request:
# [[tools.LABEL.network]]
# url = "https://api.example.com/v1/*"
# methods = ["GET"]
# govern = true
"#;

const FILES: &str = r#"# It can ask for files. A folder that it may see:
# [[tools.LABEL.files]]
# host = "./docs"
# guest = "/docs"
# access = "read-only"
"#;

/// `thoth.toml`.
pub(super) fn configuration(components: &[Found]) -> String {
    let mut text = SETTINGS.to_owned();
    if components.is_empty() {
        text.push_str(NO_TOOL);
    } else {
        text.push_str("\n# One table for each component. Without a grant, it reaches nothing.\n");
    }
    for component in components {
        let label = key(&component.label);
        let _infallible = write!(
            text,
            "[tools.{label}]\ncomponent = {}\n# limits = {{ time = \"10s\", memory = \"64MiB\" }}\n",
            json!(component.path)
        );
        if let Some(tool) = component.tools.first() {
            text.push_str(&ANNOTATIONS.replace("TOOL", tool));
        }
        if component.imports("wasi:http/outgoing-handler") {
            text.push_str(&NETWORK.replace("LABEL", &label));
        }
        if component.imports("wasi:filesystem/") {
            text.push_str(&FILES.replace("LABEL", &label));
        }
        text.push('\n');
    }
    text
}

/// A key of TOML: bare where it can be.
fn key(label: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !label.is_empty() && label.chars().all(plain) {
        label.to_owned()
    } else {
        // Every escape of JSON is one of TOML's.
        json!(label).to_string()
    }
}

const RULES: &str = r#"// What agents may do. What no rule permits is blocked, and a forbid wins over every permit.
// After a change: `thoth enforcer check policy.cedar`.
//
// A person decides about what has `@decision("STEP_UP")`: `thoth approvals list` shows it, `thoth
// approvals approve TOKEN` lets it run. Take the `@decision` line away, and it runs unasked; take the
// whole rule away, and it is blocked.
"#;

const ANY_TOOL: &str = r#"
// For any tool, until you name some: permit (…, resource == Tool::"search_docs");
@id("ask") @reason("no rule names this tool, so a person decides")
@decision("STEP_UP") @step_up_seconds("300")
permit (principal, action == Action::"call", resource);
"#;

const EFFECTS: &str = r#"
// What a running tool reaches for, where its grant says `govern = true`, is asked as well:
// @id("fetch") permit (principal, action == Action::"effect:http", resource in Domain::"example.com")
// when { resource.scheme == "https" && context.effect.method == "GET" };
"#;

/// `policy.cedar`.
pub(super) fn policy(components: &[Found]) -> String {
    let mut text = RULES.to_owned();
    let mut names: Vec<&String> = components.iter().flat_map(|found| &found.tools).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        text.push_str(ANY_TOOL);
    }
    for name in names {
        // `[a-zA-Z0-9_]`, so it needs no escape.
        let _infallible = write!(
            text,
            "\n@id(\"{name}\") @reason(\"a person decides about {name}\")\n\
             @decision(\"STEP_UP\") @step_up_seconds(\"300\")\n\
             permit (principal, action == Action::\"call\", resource == Tool::\"{name}\");\n"
        );
    }
    text.push_str(EFFECTS);
    text
}

/// `mcp.json`: what most MCP clients take. Each client starts a server of its own, so its page takes a free
/// port; the client is sent the link.
pub(super) fn client(program: &Path, config: &Path) -> String {
    let snippet = json!({
        "mcpServers": {
            "thoth": {
                "command": program.to_string_lossy(),
                "args": ["serve", "--config", config.to_string_lossy(), "--approvals", "127.0.0.1:0"],
            }
        }
    });
    format!("{snippet:#}\n")
}
