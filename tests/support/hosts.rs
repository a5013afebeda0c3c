//! Other hosts of WASI 0.2, as their users install them: at pinned versions, below the target folder.
//!
//! A host that cannot be had on this machine says why; whoever asked prints that and goes on.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    time::Duration,
};

use serde_json::Value;

use crate::tools::{scratch, workspace};

/// What has not come by then is not coming.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is in the file `/note.txt`, for services in the one host that gives them files.
pub const NOTE: &str = "a note from outside\n";

/// Variables of a guest.
pub type Vars<'a> = &'a [(&'a str, &'a str)];

/// A host that calls functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// `wasmtime run --invoke`.
    Wasmtime,
    /// The Python package `wasmtime`.
    WasmtimePy,
    /// Node.js, with the component transpiled by jco.
    Jco,
    /// `wassette tool invoke`.
    Wassette,
}

/// A host that serves HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// `wasmtime serve`.
    Wasmtime,
    /// `jco serve`.
    Jco,
    /// `wash dev` of wasmCloud.
    Wash,
}

/// A function of a component, and what it is called with.
#[derive(Debug)]
pub struct Invocation<'a> {
    /// The interface that exports it; none where the component itself does.
    pub interface: Option<&'a str>,
    /// Its name.
    pub function: &'a str,
    /// JSON, with `{"ok": …}` for a result.
    pub arguments: &'a Value,
    /// The same for each parameter by name, as wassette takes it.
    pub named: &'a Value,
    /// The same as text for `wasmtime run --invoke` (WAVE).
    pub wave: &'a str,
}

impl Caller {
    /// Whether it is here; if not, why.
    ///
    /// # Errors
    /// It cannot be had on this machine.
    pub fn find(self) -> Result<(), String> {
        match self {
            Self::Wasmtime => wasmtime().map(drop),
            Self::WasmtimePy => python().map(drop),
            Self::Jco => node().map(drop),
            Self::Wassette => wassette().map(drop),
        }
    }

    /// Calls one function in a fresh process, and gives what it printed.
    ///
    /// # Panics
    ///
    /// If the host is not here.
    #[must_use]
    pub fn call(self, component: &Path, invocation: &Invocation<'_>, vars: Vars<'_>) -> String {
        let found = |path: Result<PathBuf, String>| path.unwrap_or_else(|why| panic!("{why}"));
        let arguments = invocation.arguments.to_string();
        let interface = invocation.interface.unwrap_or("-");
        let mut command = match self {
            Self::Wasmtime => {
                let mut command = Command::new(found(wasmtime()));
                command.args(["run", "-Shttp"]);
                for (name, value) in vars {
                    command.args(["--env", &format!("{name}={value}")]);
                }
                if component.extension().is_some_and(|of| of == "cwasm") {
                    command.arg("--allow-precompiled");
                }
                command.args(["--invoke", invocation.wave]).arg(component);
                command
            }
            Self::WasmtimePy => {
                let packages = found(python());
                let mut command = Command::new("python3");
                command.env("PYTHONPATH", packages);
                command.arg(script("call.py")).arg(component);
                command.args([interface, invocation.function, &arguments]);
                command
            }
            Self::Jco => {
                let module = transpiled(&found(node()), component);
                // An interface is exported by its last name, without a version.
                let name = interface.rsplit('/').next().unwrap_or(interface);
                let name = name.split('@').next().unwrap_or(name);
                let mut command = Command::new("node");
                command.current_dir(found(node())).arg("call.js");
                command.arg(module);
                command.args([name, &camel_case(invocation.function), &arguments]);
                command
            }
            Self::Wassette => return invoke_in_wassette(component, invocation, vars),
        };
        output(command.envs(vars.iter().copied()))
    }
}

/// The component as machine code for [`Caller::Wasmtime`], compiled once for each content: a whole engine
/// of JavaScript takes longer to compile than to run.
///
/// # Panics
///
/// If wasmtime is not here, or does not compile it.
#[must_use]
pub fn compiled(component: &Path) -> PathBuf {
    static BUSY: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
    let output = component.with_extension("cwasm");
    let stamp = output.with_extension("cwasm.of");
    let content = fs::read(component).expect("the component");
    if !output.is_file() || !fs::read(&stamp).is_ok_and(|before| before == content) {
        let mut command = Command::new(wasmtime().unwrap_or_else(|why| panic!("{why}")));
        command.arg("compile").arg(component).arg("-o").arg(&output);
        run(&mut command).unwrap_or_else(|why| panic!("{why}"));
        fs::write(stamp, content).expect("a stamp");
    }
    output
}

/// A server in a process of its own. It is stopped, with all it started, when this is dropped.
pub struct Serving {
    child: Child,
    url: String,
    // The folder that it works in.
    _folder: tempfile::TempDir,
}

impl Server {
    /// Whether it is here; if not, why.
    ///
    /// # Errors
    /// It cannot be had on this machine.
    pub fn find(self) -> Result<(), String> {
        match self {
            Self::Wasmtime => wasmtime().map(drop),
            Self::Jco => node().map(drop),
            Self::Wash => wash().map(drop),
        }
    }

    /// Serves a component. `allowed` is the origin that it may send requests to, where the host asks.
    ///
    /// # Panics
    ///
    /// If the host is not here, or does not start to serve.
    #[must_use]
    pub fn serve(self, component: &Path, vars: Vars<'_>, allowed: &str) -> Serving {
        let found = |path: Result<PathBuf, String>| path.unwrap_or_else(|why| panic!("{why}"));
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let (mut command, ready) = match self {
            Self::Wasmtime => {
                let mut command = Command::new(found(wasmtime()));
                command.args(["serve", "-Scli", "--addr", &address]);
                fs::write(folder.path().join("note.txt"), NOTE).expect("a file");
                command.arg(format!("--dir={}::/", folder.path().display()));
                for (name, value) in vars {
                    command.args(["--env", &format!("{name}={value}")]);
                }
                command.arg(component);
                (command, "Serving HTTP")
            }
            Self::Jco => {
                let jco = found(node()).join("node_modules/@bytecodealliance/jco/dist/jco.js");
                let mut command = Command::new("node");
                command.arg(jco).arg("serve").arg(component);
                command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
                // It looks for its own packages from where it is started.
                command.current_dir(found(node()));
                // It is killed, so what it unpacks is removed with the folder.
                command.env("TMPDIR", folder.path());
                command.envs(vars.iter().copied());
                (command, "Server listening")
            }
            Self::Wash => {
                let config = wash_config(component, &address, vars, allowed);
                fs::create_dir(folder.path().join(".wash")).expect("a folder");
                fs::write(folder.path().join(".wash/config.yaml"), config).expect("a file");
                let mut command = Command::new(found(wash()));
                command.arg("dev").current_dir(folder.path());
                command.env("HOME", folder.path());
                (command, "listening for HTTP requests")
            }
        };
        // A group of its own: `jco serve` starts a process that outlives it.
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the host starts");
        let said = said(&mut child);
        let mut seen = String::new();
        while !seen.contains(ready) {
            match said.recv_timeout(PATIENCE) {
                Ok(line) => seen.push_str(&line),
                Err(_) => panic!("{self:?} does not serve; it said:\n{seen}"),
            }
        }
        Serving {
            child,
            url: format!("http://{address}"),
            _folder: folder,
        }
    }
}

impl Serving {
    /// The base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _gone_already = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _gone_already = self.child.wait();
    }
}

/// Everything that a process says, line by line, on either stream.
fn said(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let stdout = child.stdout.take().map(|out| Box::new(out) as Box<_>);
    let stderr = child.stderr.take().map(|err| Box::new(err) as Box<_>);
    let streams: [Option<Box<dyn std::io::Read + Send>>; 2] = [stdout, stderr];
    for stream in streams.into_iter().flatten() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let lines = BufReader::new(stream).lines();
            // It is read to its end, so that the process never waits for a reader.
            for line in lines.map_while(Result::ok) {
                let _nobody_listens = sender.send(line + "\n");
            }
        });
    }
    lines
}

/// A port that was free a moment ago, for hosts that do not say which one they took.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

fn wash_config(component: &Path, address: &str, vars: Vars<'_>, allowed: &str) -> String {
    let environment: serde_json::Map<String, Value> = vars
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    // JSON is YAML.
    serde_json::json!({
        "build": {"command": "true", "component_path": component},
        "dev": {"address": address},
        "workload": {
            "allowedHosts": [allowed],
            "environment": {"config": environment},
        },
    })
    .to_string()
}

fn invoke_in_wassette(component: &Path, invocation: &Invocation<'_>, vars: Vars<'_>) -> String {
    let home = tempfile::tempdir().expect("a folder");
    let wassette = |arguments: &[&str]| {
        let [program, before @ ..] = &wassette().unwrap_or_else(|why| panic!("{why}"))[..] else {
            panic!("no program");
        };
        let mut command = Command::new(program);
        command.args(before).args(arguments);
        command.env("HOME", home.path()).envs(vars.iter().copied());
        output(&mut command)
    };
    let uri = format!("file://{}", component.display());
    let loaded = wassette(&["component", "load", &uri]);
    let id = component.file_stem().expect("a name").to_string_lossy();
    let id = id.replace('-', "_");
    wassette(&["permission", "grant", "network", &id, "127.0.0.1"]);
    for (name, _) in vars {
        wassette(&["permission", "grant", "environment-variable", &id, name]);
    }
    // Its name for a function of an interface: interface, version and function, all in one.
    let tool = match invocation.interface {
        Some(interface) => format!("{interface}_{}", invocation.function)
            .replace(|c: char| !c.is_ascii_alphanumeric(), "_"),
        None => invocation.function.to_owned(),
    };
    let named = invocation.named.to_string();
    let said = wassette(&["tool", "invoke", &tool, "--args", &named]);
    assert!(!said.is_empty(), "wassette said nothing; loading: {loaded}");
    said
}

/// What a command prints; where that is nothing, what it says about why.
fn output(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let said = if output.stdout.is_empty() {
        output.stderr
    } else {
        output.stdout
    };
    String::from_utf8_lossy(&said).into_owned()
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('-');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(1);
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

fn script(name: &str) -> PathBuf {
    workspace().join("tests/support/hosts").join(name)
}

/// The component as a module of JavaScript, transpiled once for each content.
fn transpiled(node: &Path, component: &Path) -> PathBuf {
    static BUSY: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
    let name = component.file_stem().expect("a name").to_string_lossy();
    let (folder, bytes) = (node.join(&*name), fs::read(component).expect("a component"));
    let stamp = folder.join("transpiled");
    if fs::read(&stamp).is_ok_and(|before| before == bytes) {
        return folder.join(format!("{name}.js"));
    }
    let jco = node.join("node_modules/@bytecodealliance/jco/dist/jco.js");
    let mut command = Command::new("node");
    command.arg(jco).arg("transpile").arg(component);
    let said = output(command.arg("-o").arg(&folder).current_dir(node));
    let module = folder.join(format!("{name}.js"));
    assert!(module.is_file(), "jco does not transpile: {said}");
    fs::write(stamp, bytes).expect("a stamp");
    module
}

fn wasmtime() -> Result<PathBuf, String> {
    Ok(python()?.join("wasmtime_cli/wasmtime"))
}

fn wash() -> Result<PathBuf, String> {
    Ok(python()?.join("wash_cli/wash"))
}

/// wassette, behind the loader of a newer libc where this machine's is too old for it.
fn wassette() -> Result<Vec<PathBuf>, String> {
    static FOUND: OnceLock<Result<Vec<PathBuf>, String>> = OnceLock::new();
    let find = || {
        let program = python()?.join("wassette_cli/wassette");
        let runs = |command: &mut Command| {
            let output = command.arg("--version").output();
            output.is_ok_and(|output| output.status.success())
        };
        if runs(&mut Command::new(&program)) {
            return Ok(vec![program]);
        }
        let Some(folder) = std::env::var_os("THOTH_NEWER_LIBC") else {
            return Err(
                "wassette wants glibc 2.39: unpack a newer libc6 and libgcc-s1, and name the \
                 folder with ld-linux-x86-64.so.2 in THOTH_NEWER_LIBC"
                    .to_owned(),
            );
        };
        let folder = PathBuf::from(folder);
        let loader = folder.join("ld-linux-x86-64.so.2");
        let command = vec![loader, "--library-path".into(), folder, program];
        if runs(Command::new(&command[0]).args(&command[1..])) {
            Ok(command)
        } else {
            Err("wassette does not start with the libc in THOTH_NEWER_LIBC".to_owned())
        }
    };
    FOUND.get_or_init(find).clone()
}

/// The folder of packages from PyPI: hosts in Python, and binaries that come as wheels.
fn python() -> Result<PathBuf, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let install = || {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err("the wheels that are pinned are for Linux on x86-64".to_owned());
        }
        let pins = fs::read(script("requirements.txt")).expect("the pins");
        install("py", &pins, |folder| {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--no-deps"]);
            pip.args(["--require-hashes", "--target", "packages", "--requirement"]);
            run(pip.arg(script("requirements.txt")).current_dir(folder))?;
            // The archives do not say that these are programs.
            for program in [
                "wasmtime_cli/wasmtime",
                "wash_cli/wash",
                "wassette_cli/wassette",
            ] {
                let program = folder.join("packages").join(program);
                let mode = fs::Permissions::from_mode(0o755);
                fs::set_permissions(program, mode).map_err(|error| error.to_string())?;
            }
            Ok(())
        })
    };
    let folder = FOUND.get_or_init(install).clone()?;
    Ok(folder.join("packages"))
}

/// The folder with jco.
fn node() -> Result<PathBuf, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let install = || {
        let files = ["package.json", "package-lock.json", "call.js"];
        let mut pins = Vec::new();
        for file in files {
            pins.extend(fs::read(script(file)).expect("the pins"));
        }
        install("node", &pins, |folder| {
            for file in files {
                fs::copy(script(file), folder.join(file)).map_err(|error| error.to_string())?;
            }
            let mut npm = Command::new("npm");
            npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
            run(npm.current_dir(folder))
        })
    };
    FOUND.get_or_init(install).clone()
}

/// Installs what the pins name, unless that was done before; the others who ask wait.
fn install(
    name: &str,
    pins: &[u8],
    act: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let folder = scratch().join("hosts").join(name);
    fs::create_dir_all(&folder).expect("a folder below the target folder");
    // Unlocked when it is dropped, or when this process ends.
    let lock = File::create(folder.join("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    let stamp = folder.join("installed");
    if !fs::read(&stamp).is_ok_and(|before| before == pins) {
        act(&folder)?;
        fs::write(stamp, pins).expect("a stamp");
    }
    Ok(folder)
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or_default();
            Err(format!("{command:?} failed: {last}"))
        }
        Err(error) => Err(format!("{command:?} does not start: {error}")),
    }
}
