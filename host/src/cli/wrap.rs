//! `thoth wrap`: a component in, a governed component out.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use thoth_host::wrapping::{self, Denial, Digest, ErrorMap, Governed, Kind, Options, Seal};
use thoth_host::{COMPONENT_MAX, inert};

use super::{Exit, Usage};

/// How large a map of errors may be, in bytes.
const MAP_MAX: u64 = 1 << 20;

/// Make a governed component, for any host of WASI 0.2: the same exports, and a governor inside.
///
/// Every function is governed, or the component is refused as a whole. The governor has its
/// configuration from `THOTH_*` in the environment, which the component does not see. Nothing of the
/// component runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    thoth wrap ledger.wasm -o governed.wasm\n  \
    thoth wrap ledger.wasm -o governed.wasm --errors errors.toml --keep-env LANG\n  \
    thoth wrap service.wasm -o governed.wasm --http\n  \
    thoth wrap server.wasm -o governed.wasm --http=mcp")]
pub(super) struct Args {
    /// The component, a .wasm file.
    component: PathBuf,
    /// Where to write the governed component.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// What functions return when a call is refused, a TOML file: `close = { tag = "denied", val =
    /// "{refusal}" }`; `true` is an error without a value, `false` a trap.
    #[arg(long, value_name = "MAP", conflicts_with = "http")]
    errors: Option<PathBuf>,
    /// A name of the environment that the component may see; can be given several times.
    #[arg(long, value_name = "NAME")]
    keep_env: Vec<String>,
    /// Govern the requests of an HTTP service (`wasi:http/incoming-handler`) instead of functions: each
    /// is a call of the tool `http_request`. With `=mcp`, it is an MCP server, and each `tools/call` is a
    /// call of the tool that it names.
    #[arg(
        long,
        value_name = "KIND",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "service"
    )]
    http: Option<Http>,
    /// A portable governor in place of the one that is built in.
    #[arg(long, value_name = "FILE")]
    governor: Option<PathBuf>,
    /// Print the report as one JSON object.
    #[arg(long)]
    json: bool,
}

/// What an HTTP service is.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Http {
    /// Any service.
    Service,
    /// An MCP server.
    Mcp,
}

/// What is to be said about a component that was wrapped.
struct Report {
    component: PathBuf,
    output: PathBuf,
    whole: Digest,
    functions: Vec<Governed>,
    reaches: Vec<String>,
    runs_at_start: bool,
    imports: Vec<String>,
    seal: Seal,
}

/// Runs the command.
pub(super) fn run(args: Args) -> Result<Exit> {
    for name in &args.keep_env {
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!(
                "`{}` is no name of an environment variable",
                inert(name, 100)
            );
            return Err(Usage(message).into());
        }
        if name.starts_with("THOTH_") {
            say!("thoth: the component will see {name}, which may be the governor's key");
        }
    }
    let component = read(&args.component, COMPONENT_MAX)?;
    let same = |path: &Path| path.canonicalize().ok();
    if same(&args.output).is_some_and(|output| same(&args.component) == Some(output)) {
        let why = "the output is the component itself: name another file, or it could not be wrapped anew";
        return Err(Usage(why.into()).into());
    }
    let governor = match &args.governor {
        Some(path) => read(path, COMPONENT_MAX)?,
        None if args.http.is_some() => wrapping::HTTP_GOVERNOR.to_vec(),
        None => wrapping::GOVERNOR.to_vec(),
    };
    let mut options = Options {
        errors: errors(args.errors.as_deref())?,
        keep_env: args.keep_env,
    };
    options.keep_env.sort();
    options.keep_env.dedup();
    let doing = || format!("cannot wrap {}", args.component.display());
    let (bytes, report) = if let Some(http) = args.http {
        let kind = match http {
            Http::Service => Kind::Service,
            Http::Mcp => Kind::Mcp,
        };
        let fronted = wrapping::front(&component, &governor, kind, &options).with_context(doing)?;
        let report = Report {
            component: args.component.clone(),
            output: args.output.clone(),
            whole: Digest::of(&fronted.bytes),
            functions: Vec::new(),
            reaches: fronted.reaches,
            runs_at_start: fronted.runs_at_start,
            imports: fronted.imports,
            seal: fronted.seal,
        };
        (fronted.bytes, report)
    } else {
        let wrapped = wrapping::wrap(&component, &governor, &options).with_context(doing)?;
        let report = Report {
            component: args.component.clone(),
            output: args.output.clone(),
            whole: Digest::of(&wrapped.bytes),
            functions: wrapped.functions,
            reaches: wrapped.reaches,
            runs_at_start: wrapped.runs_at_start,
            imports: wrapped.imports,
            seal: wrapped.seal,
        };
        (wrapped.bytes, report)
    };
    write(&args.output, &bytes)?;
    let text = if args.json {
        format!("{:#}\n", report.document())
    } else {
        report.page()
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Exit::Completed),
    }
}

fn errors(path: Option<&Path>) -> Result<ErrorMap> {
    let Some(path) = path else {
        return Ok(ErrorMap::new());
    };
    let text = String::from_utf8(read(path, MAP_MAX)?)
        .ok()
        .with_context(|| format!("{} is not text", path.display()))?;
    wrapping::error_map(&text).with_context(|| path.display().to_string())
}

/// Reads a file of at most so many bytes.
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let doing = || format!("cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(doing)?;
    let mut bytes = Vec::new();
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .with_context(doing)?;
    if bytes.len() as u64 > most {
        bail!(
            "cannot read {}: it is larger than {most} bytes",
            path.display()
        );
    }
    Ok(bytes)
}

/// Writes the file as a whole or not at all. A link stays one: what it leads to is written.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let doing = || format!("cannot write {}", path.display());
    if let Ok(there) = std::fs::metadata(path)
        && !there.is_file()
    {
        bail!("{}: it is no regular file; name another", doing());
    }
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = path
        .file_name()
        .with_context(|| format!("cannot write {}: it names no file", path.display()))?;
    let mut draft = name.to_owned();
    draft.push(format!(".{}.part", std::process::id()));
    let draft = path.with_file_name(draft);
    let written = std::fs::write(&draft, bytes).and_then(|()| std::fs::rename(&draft, path));
    if written.is_err() {
        // It may not even be there.
        let _ = std::fs::remove_file(&draft);
    }
    written.with_context(doing)
}

impl Report {
    fn document(&self) -> Value {
        let functions: Vec<Value> = self
            .functions
            .iter()
            .map(|function| match &function.denial {
                Denial::Returns { error, guessed } => json!({
                    "name": function.name,
                    "export": function.export,
                    "refusal": { "returns": error, "guessed": guessed },
                }),
                Denial::Traps => json!({
                    "name": function.name,
                    "export": function.export,
                    "refusal": { "traps": "thoth-refused" },
                }),
            })
            .collect();
        json!({
            "component": self.component.display().to_string(),
            "output": self.output.display().to_string(),
            "sha256": self.whole.sha256,
            "bytes": self.whole.bytes,
            "parts": {
                "component": self.seal.component,
                "governor": self.seal.governor,
                "adapter": self.seal.adapter,
                "incoming": self.seal.front.as_ref().map(|front| &front.incoming),
            },
            "http": self.seal.front.as_ref().map(|front| front.kind),
            "functions": functions,
            "still_reaches_for": self.reaches,
            "runs_at_instantiation": self.runs_at_start,
            "sees_environment": self.seal.keep_env,
            "imports": self.imports,
        })
    }

    fn page(&self) -> String {
        let mut out = format!(
            "{} · {} bytes · sha256:{}\n  {} of {} bytes inside, a governor of {} bytes (sha256:{})\n",
            self.output.display(),
            self.whole.bytes,
            self.whole.sha256,
            self.component.display(),
            self.seal.component.bytes,
            self.seal.governor.bytes,
            self.seal.governor.sha256,
        );
        if let Some(adapter) = &self.seal.adapter {
            out.push_str(&format!(
                "  an adapter made from {} bytes (sha256:{})\n",
                adapter.bytes, adapter.sha256
            ));
        }
        if let Some(front) = &self.seal.front {
            out.push_str(&format!(
                "  and {} bytes for requests whose bodies were read\n",
                front.incoming.bytes
            ));
        }
        out.push_str(match self.seal.front.as_ref().map(|front| front.kind) {
            Some(Kind::Service) => {
                "\nevery HTTP request is governed, as a call of `http_request`; one that is refused is answered \
                 with 403 or 503\n"
            }
            Some(Kind::Mcp) => {
                "\nevery `tools/call` of MCP is governed; one that is refused is answered with an error of the \
                 tool, and what is no MCP is not handed on\n"
            }
            None => "\ngoverned, and what a refused call does\n",
        });
        for function in &self.functions {
            let denial = match &function.denial {
                Denial::Returns { error, guessed } => {
                    let guess = if *guessed {
                        " (a guess; see --errors)"
                    } else {
                        ""
                    };
                    format!("returns the error {error}{guess}")
                }
                Denial::Traps => "traps, in a function named `thoth-refused`".to_owned(),
            };
            out.push_str(&inert(&format!("  {}: {denial}", function.name), 500));
            out.push('\n');
        }
        out.push_str("\nnot governed: what the component still asks a host for\n");
        for import in &self.reaches {
            out.push_str(&format!("  {}\n", inert(&self.reached(import), 300)));
        }
        if self.reaches.is_empty() {
            out.push_str("  nothing\n");
        }
        if self.runs_at_start {
            out.push_str(
                "\nnot governed: code of the component that runs when it is instantiated, before any call\n",
            );
        }
        out
    }

    /// What comes of an import.
    fn reached(&self, import: &str) -> String {
        if !import.starts_with("wasi:cli/environment@") {
            return import.to_owned();
        }
        match self.seal.keep_env.as_slice() {
            [] => format!("{import}: answered here, with nothing"),
            names => format!("{import}: answered here, with {}", names.join(", ")),
        }
    }
}
