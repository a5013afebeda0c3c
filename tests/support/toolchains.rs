//! Builds the tool `fetcher` with the toolchains of other languages, as their users do.
//!
//! What they need is fetched once into the target folder, at the versions that the lock files pin.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

use crate::tools::{scratch, workspace};

/// A language in which the world of `tests/tools/fetcher/wit` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Compiled by cargo as the other tools are.
    Rust,
    /// Built by componentize-js, which needs Node.js 20 and npm.
    JavaScript,
    /// Built by componentize-py, which needs Python 3.10 and pip.
    Python,
}

/// The component `fetcher` in a language, built from its source if need be.
///
/// Any number of processes may ask at once: the first one builds, the others wait.
///
/// # Panics
///
/// If it does not build; where the toolchain is missing, the message says what to install.
#[must_use]
pub fn fetcher(language: Language) -> PathBuf {
    static JAVASCRIPT: OnceLock<PathBuf> = OnceLock::new();
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    match language {
        Language::Rust => crate::tool("fetcher"),
        Language::JavaScript => JAVASCRIPT.get_or_init(javascript).clone(),
        Language::Python => PYTHON.get_or_init(python).clone(),
    }
}

/// Whether a language's toolchain is on this machine. Where `THOTH_TOOLCHAINS` is set, as CI does, the
/// answer is yes: what is missing is then an error.
#[must_use]
pub fn is_here(language: Language) -> bool {
    let major = |program: &str| {
        let output = Command::new(program).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
        let mut numbers = digits.split('.').map(|part| part.trim().parse::<u32>());
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    let here = match language {
        Language::Rust => true,
        Language::JavaScript => {
            major("node").is_some_and(|(major, _)| major >= 20) && major("npm").is_some()
        }
        Language::Python => major("python3").is_some_and(|version| version >= (3, 10)),
    };
    here || std::env::var_os("THOTH_TOOLCHAINS").is_some()
}

fn javascript() -> PathBuf {
    let build = Build::new("js", &["package.json", "package-lock.json"], "fetcher.js");
    build.run(install_node, |command| {
        let compiler = "node_modules/@bytecodealliance/componentize-js/src/cli.js";
        let world = ["--wit", "wit", "--world-name", "fetcher-js"];
        let files = ["--out", OUTPUT, "fetcher.js"];
        command("node", &[&[compiler], &world[..], &files[..]].concat());
    })
}

fn python() -> PathBuf {
    let build = Build::new("py", &["requirements.txt"], "fetcher_app.py");
    build.run(install_python, |command| {
        let start = "import sys; sys.path.insert(0, 'packages'); import componentize_py; \
                         sys.exit(componentize_py.script())";
        let world = ["--wit-path", "wit", "--world", "fetcher-py"];
        let files = ["componentize", "fetcher_app", "--output", OUTPUT];
        command(
            "python3",
            &[&["-c", start], &world[..], &files[..]].concat(),
        );
    })
}

/// The MCP clients below `tests/clients` that are written for `node` or `python`, with what they need
/// installed at the versions that the lock files pin.
///
/// Any number of processes may ask at once: the first one installs, the others wait.
///
/// # Panics
///
/// If they do not install; the message says what to do.
#[must_use]
pub fn clients(name: &str) -> PathBuf {
    let source = workspace().join("tests/clients").join(name);
    let read = |name: &str| {
        let path = source.join(name);
        let content = fs::read(&path);
        let content = content.unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
        (name.to_owned(), content)
    };
    let (pins, sources): (&[&str], &[&str]) = match name {
        "node" => (
            &["package.json", "package-lock.json"],
            &["client.mjs", "bearer.mjs"],
        ),
        _ => (&["requirements.txt"], &["client.py"]),
    };
    let build = Build {
        folder: scratch().join("clients").join(name),
        pins: pins.iter().map(|name| read(name)).collect(),
        sources: sources.iter().map(|name| read(name)).collect(),
    };
    let install = |command: &dyn Fn(&str, &[&str])| match name {
        "node" => install_node(command),
        _ => install_python(command),
    };
    build.run(install, |_| {}).with_file_name("")
}

fn install_node(command: &dyn Fn(&str, &[&str])) {
    command(
        "npm",
        &["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
    );
}

fn install_python(command: &dyn Fn(&str, &[&str])) {
    let target = ["--target", "packages", "--requirement", "requirements.txt"];
    let pinned = ["--no-deps", "--require-hashes", "--quiet"];
    let pip = ["-m", "pip", "install"];
    command("python3", &[&pip[..], &target[..], &pinned[..]].concat());
}

/// The component's name while it is built and after.
const OUTPUT: &str = "fetcher.wasm";

/// One component's build: a folder of the tool's source, and one below the target folder.
struct Build {
    folder: PathBuf,
    /// Name and content of what is installed from.
    pins: Vec<(String, Vec<u8>)>,
    /// Name and content of what is compiled.
    sources: Vec<(String, Vec<u8>)>,
}

impl Build {
    fn new(language: &str, pins: &[&str], source: &str) -> Self {
        let tool = workspace().join("tests/tools/fetcher");
        let read = |path: &Path| {
            fs::read(path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
        };
        let own = |name: &&str| ((*name).to_owned(), read(&tool.join(language).join(name)));
        let mut sources = vec![
            own(&source),
            (
                "wit/world.wit".into(),
                read(&tool.join(language).join("world.wit")),
            ),
            (
                "wit/deps/fetcher/world.wit".into(),
                read(&tool.join("wit/world.wit")),
            ),
        ];
        for path in wasi() {
            let name = path.file_name().expect("a file").to_string_lossy();
            sources.push((format!("wit/deps/{name}"), read(&path)));
        }
        Self {
            folder: scratch().join("fetcher").join(language),
            pins: pins.iter().map(own).collect(),
            sources,
        }
    }

    fn run(
        &self,
        install: impl FnOnce(&dyn Fn(&str, &[&str])),
        compile: impl FnOnce(&dyn Fn(&str, &[&str])),
    ) -> PathBuf {
        fs::create_dir_all(&self.folder).expect("a folder below the target folder");
        // Unlocked when it is dropped, or when this process ends.
        let lock = File::create(self.folder.join("lock")).expect("a lock file");
        lock.lock().expect("the lock");
        let command = |program: &str, arguments: &[&str]| self.command(program, arguments);
        let installed = self.changed("installed", &self.pins);
        let compiled = self.changed("compiled", &self.sources);
        if installed.is_some() {
            install(&command);
        }
        if installed.is_some() || compiled.is_some() {
            compile(&command);
        }
        for (stamp, content) in [installed, compiled].into_iter().flatten() {
            fs::write(stamp, content).expect("a stamp");
        }
        self.folder.join(OUTPUT)
    }

    /// Writes the files anew where they are not those of the stamp, and gives the stamp to leave.
    fn changed(&self, stamp: &str, files: &[(String, Vec<u8>)]) -> Option<(PathBuf, Vec<u8>)> {
        let stamp = self.folder.join(stamp);
        let mut content = Vec::new();
        for (name, bytes) in files {
            content.extend_from_slice(format!("{name} {}\n", bytes.len()).as_bytes());
            content.extend_from_slice(bytes);
        }
        if fs::read(&stamp).is_ok_and(|before| before == content) {
            return None;
        }
        // A build that breaks off leaves no stamp.
        let _nothing_there = fs::remove_file(&stamp);
        for (name, bytes) in files {
            let path = self.folder.join(name);
            let parent = path.parent().expect("a folder");
            fs::create_dir_all(parent).expect("a folder below the target folder");
            fs::write(&path, bytes).expect("a file below the target folder");
        }
        Some((stamp, content))
    }

    fn command(&self, program: &str, arguments: &[&str]) {
        let next = match program {
            "node" | "npm" => {
                "install Node.js 20 or newer with npm, or leave these tests out: `cargo test -- --skip javascript`"
            }
            _ => {
                "install Python 3.10 or newer with pip, or leave these tests out: `cargo test -- --skip python`"
            }
        };
        let mut command = Command::new(program);
        command.current_dir(&self.folder).args(arguments);
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("`{program}` does not start ({error}): {next}"));
        assert!(
            output.status.success(),
            "`{program} {}` failed; if it is too old, {next}\n{}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }
}

/// The text of WASI's interfaces, from the crate that the tools in Rust have them of.
///
/// # Panics
///
/// If cargo does not tell where that crate is.
#[must_use]
pub fn wasi() -> Vec<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["metadata", "--format-version=1", "--locked"])
        .output()
        .expect("cargo can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo's JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let wasip2 = packages
        .iter()
        .filter(|package| package["name"] == "wasip2")
        .filter(|package| {
            package["version"]
                .as_str()
                .is_some_and(|at| at.starts_with("2."))
        })
        .find_map(|package| package["manifest_path"].as_str())
        .expect("the crate wasip2 is a dependency");
    let folder = Path::new(wasip2).with_file_name("wit").join("deps");
    let files = fs::read_dir(folder).expect("the crate wasip2 has the text of WASI");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files
}
