//! Runs the `thoth` command as a user does, in a home of its own.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::tools;

/// No call of a test takes this long; one that does hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The command with a home of its own: state, configuration and environment are empty at first.
///
/// Compiled code is kept between runs, as it is for a user.
pub struct Thoth {
    binary: PathBuf,
    home: TempDir,
    env: Vec<(OsString, OsString)>,
}

impl Thoth {
    /// The command at `binary`, which a suite has as `env!("CARGO_BIN_EXE_thoth")`.
    ///
    /// # Panics
    ///
    /// If no temporary folder can be made.
    #[must_use]
    pub fn new(binary: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        Self {
            binary: binary.into(),
            home,
            env: Vec::new(),
        }
    }

    /// With an environment variable for every run.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// The folder that is given as `--state-dir`.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// Writes a file into the home and tells where it is.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, content).expect("a file in the temporary folder");
        path
    }

    /// A path in the home, where nothing is yet.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `thoth call COMPONENT --json --state-dir …`.
    #[must_use]
    pub fn call(&self, component: impl AsRef<Path>) -> Invocation {
        self.command("call").arg(component.as_ref()).arg("--json")
    }

    /// `thoth COMMAND --state-dir …`.
    #[must_use]
    pub fn command(&self, command: &str) -> Invocation {
        self.bare()
            .arg(command)
            .arg("--state-dir")
            .arg(self.state_dir())
    }

    /// `thoth`, without an argument.
    #[must_use]
    pub fn bare(&self) -> Invocation {
        let mut command = Command::new(&self.binary);
        command.env_clear().current_dir(self.home.path());
        // Coverage is written by the process itself, wherever it runs.
        for kept in ["PATH", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
            .env("HOME", self.home.path())
            .env("XDG_STATE_HOME", self.home.path().join("xdg-state"))
            .env("XDG_CONFIG_HOME", self.home.path().join("xdg-config"))
            .env("XDG_CACHE_HOME", tools::scratch().join("cache"))
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        Invocation {
            command,
            stdin: Vec::new(),
        }
    }
}

/// One run of the command, before it starts.
pub struct Invocation {
    command: Command,
    stdin: Vec<u8>,
}

impl Invocation {
    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// With more arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// With something on stdin.
    #[must_use]
    pub fn stdin(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.stdin = content.into();
        self
    }

    /// The command itself, for whoever talks to it while it runs.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    ///
    /// If it does not start, or does not end.
    #[must_use]
    pub fn run(self) -> Run {
        self.spawn().wait()
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn spawn(mut self) -> Running {
        let line = format!("{:?}", self.command.get_args().collect::<Vec<_>>());
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = self.command.spawn().expect("thoth starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // A command that does not read its stdin closes it, and that is its right.
        let _ = stdin.write_all(&self.stdin);
        drop(stdin);
        let stdout = collect(child.stdout.take().expect("stdout is piped"));
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        Running {
            child,
            stdout,
            stderr,
            started,
            line,
        }
    }
}

/// A run that has started. It is killed when it is dropped.
pub struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
    started: Instant,
    line: String,
}

impl Running {
    /// Waits for the first line of stderr for which `wanted` holds.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn stderr_line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        self.stderr.line(&self.line, wanted)
    }

    /// Waits for the first line of stdout for which `wanted` holds.
    ///
    /// # Panics
    ///
    /// If it does not come.
    pub fn stdout_line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        self.stdout.line(&self.line, wanted)
    }

    /// Ends it as a power cut does.
    ///
    /// # Panics
    ///
    /// If it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process has ended");
    }

    /// Asks it to stop, as Ctrl-C does.
    ///
    /// # Panics
    ///
    /// If it cannot be asked.
    pub fn interrupt(&self) {
        let id = self.child.id().to_string();
        let asked = Command::new("kill").args(["-INT", &id]).status();
        assert!(asked.expect("`kill` starts").success(), "it has ended");
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it does not end.
    #[must_use]
    pub fn wait(mut self) -> Run {
        // Both ends close when the process is gone.
        let deadline = self.started + PATIENCE;
        let ended = self.stdout.finish(deadline) && self.stderr.finish(deadline);
        if !ended {
            let _ = self.child.kill();
            panic!(
                "thoth {} hangs; stderr so far:\n{}",
                self.line,
                self.stderr.text()
            );
        }
        let status = self.child.wait().expect("the process has ended");
        Run {
            status,
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            elapsed: self.started.elapsed(),
            line: self.line.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to do for one that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
    line: String,
}

impl Run {
    /// The only line of stdout, as JSON, after checking the exit code.
    ///
    /// # Panics
    ///
    /// If the code is another, or stdout is not one JSON object.
    #[must_use]
    pub fn json(&self, code: i32) -> Value {
        self.assert_code(code);
        let object: Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"));
        assert!(object.is_object(), "not an object: {self}");
        object
    }

    /// Checks the exit code.
    ///
    /// # Panics
    ///
    /// If it is another.
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.status.code(), Some(code), "exit code of {self}");
        self
    }

    /// The one line of an error, after checking the exit code and that stdout is empty. Lines that
    /// say what takes a while end in an ellipsis, and are none.
    ///
    /// # Panics
    ///
    /// If it is not one line.
    #[must_use]
    pub fn error(&self, code: i32) -> &str {
        self.assert_code(code);
        assert_eq!(self.stdout, "", "stdout of {self}");
        let lines: Vec<&str> = self
            .stderr
            .lines()
            .filter(|line| !line.ends_with('…') && !line.contains("waits for approval"))
            .collect();
        assert_eq!(lines.len(), 1, "lines of stderr of {self}");
        lines[0]
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "thoth {}\n{} after {:?}\nstdout: {}\nstderr: {}",
            self.line, self.status, self.elapsed, self.stdout, self.stderr
        )
    }
}

/// What a process writes, line by line as it comes.
struct Collected {
    lines: mpsc::Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Collected {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Takes everything up to the end; `false` if that does not come before the deadline.
    fn finish(&mut self, deadline: Instant) -> bool {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.extend(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => return true,
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    fn line(&mut self, command: &str, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!(
                    "thoth {command} did not write the line; it wrote:\n{}",
                    self.text()
                );
            };
            self.seen.extend(&line);
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if wanted(&line) {
                return line;
            }
        }
    }
}

fn collect(stream: impl Read + Send + 'static) -> Collected {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = std::io::BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            match std::io::BufRead::read_until(&mut reader, b'\n', &mut line) {
                Ok(1..) if sender.send(line).is_ok() => {}
                _ => return,
            }
        }
    });
    Collected {
        lines,
        seen: Vec::new(),
    }
}
