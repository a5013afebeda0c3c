//! The parent's side of the child process: hands it the component, waits within limits, ends it.

use std::ffi::OsString;
use std::io::{self, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::code::Code;
use crate::error::{CompileError, Limit};
use crate::limits::Budget;
use crate::message::{Answer, Failure, Job};
use crate::text::one_line;

/// The most of its stderr that is read for a reason; the rest is thrown away.
const STDERR_MAX: u64 = 16 << 10;

/// Has `bytes`, whose SHA-256 is `component`, compiled by a child process.
pub(crate) fn compile(
    (program, args): (&Path, &[OsString]),
    settings: [u8; 32],
    component: [u8; 32],
    bytes: &[u8],
    budget: &Budget,
) -> Result<Code, CompileError> {
    let job = Job::new(settings, budget, bytes.len());
    let ended = converse(program, args, &job, bytes, budget).map_err(failed_to_run)?;
    if ended.late {
        return Err(exceeded(Limit::Time(budget.wall.as_secs())));
    }
    if ended.stdout.len() as u64 > longest_answer(budget) {
        return Err(exceeded(Limit::Output(budget.output)));
    }
    if !ended.status.success() {
        return Err(failure(ended.status, &ended.stderr, budget));
    }
    let expected = Answer {
        settings,
        component,
        size: (ended.stdout.len().saturating_sub(Answer::SIZE)) as u64,
    };
    match Answer::read(ended.stdout.as_slice()) {
        Ok(answer) if answer == expected => Ok(Code::vouched_for(ended.stdout, Answer::SIZE)),
        Ok(_) => Err(CompileError::Command(
            "what it wrote answers another job".into(),
        )),
        Err(error) => Err(CompileError::Command(error.to_string())),
    }
}

fn longest_answer(budget: &Budget) -> u64 {
    budget.output.saturating_add(Answer::SIZE as u64)
}

fn exceeded(limit: Limit) -> CompileError {
    CompileError::Limit { limit }
}

fn failed_to_run(error: io::Error) -> CompileError {
    CompileError::Jail(Arc::new(error))
}

/// Reads out of how it ended why there is no code.
fn failure(status: ExitStatus, stderr: &[u8], budget: &Budget) -> CompileError {
    let stderr = String::from_utf8_lossy(stderr);
    if let Some(signal) = status.signal() {
        // The last words of Rust's runtime; it has no other way to tell.
        let said = |words| stderr.contains(words);
        return if signal == Signal::XCPU.as_raw() {
            exceeded(Limit::Cpu(budget.cpu_seconds))
        } else if signal == Signal::ABORT.as_raw() && said("memory allocation of ") {
            exceeded(Limit::Memory(budget.memory))
        } else if signal == Signal::ABORT.as_raw() && said("overflowed its stack") {
            exceeded(Limit::Stack)
        } else {
            CompileError::Killed { signal }
        };
    }
    match Failure::find(&stderr) {
        Some((Failure::Invalid, why)) => CompileError::Invalid(one_line(why)),
        Some((Failure::Memory, _)) => exceeded(Limit::Memory(budget.memory)),
        Some((Failure::Output, _)) => exceeded(Limit::Output(budget.output)),
        Some((Failure::Settings, why)) => CompileError::Command(one_line(why)),
        Some((Failure::Internal, why)) => CompileError::Internal(one_line(why)),
        None => {
            let line = stderr.lines().next().unwrap_or_default();
            CompileError::Command(one_line(&format!("{status}: {line}")))
        }
    }
}

struct Ended {
    status: ExitStatus,
    /// At most one byte more than the longest answer.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// It was still running at the deadline.
    late: bool,
}

fn converse(
    program: &Path,
    args: &[OsString],
    job: &Job,
    bytes: &[u8],
    budget: &Budget,
) -> io::Result<Ended> {
    // What this process opens is close-on-exec, so that the child has the three pipes and, at most,
    // what this process itself was started with.
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        // mimalloc, the allocator of `thoth`, would set aside a gibibyte of the address space that is
        // limited here.
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| {
            io::Error::new(error.kind(), format!("`{}`: {error}", program.display()))
        })?;
    let deadline = Instant::now().checked_add(budget.wall);
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let group = Group::of(child)?;
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(io::Error::other("its pipes are not there"));
    };
    thread::scope(|scope| {
        // Ended before the threads are joined, on every way out: they read until it is gone.
        let mut group = group;
        let (read, answered) = mpsc::channel::<()>();
        let writer = start(scope, "write", || write(stdin, job, bytes))?;
        let longest = longest_answer(budget).saturating_add(1);
        let stdout = start(scope, "stdout", move || {
            let kept = keep(stdout, longest);
            drop(read);
            kept
        })?;
        let stderr = start(scope, "stderr", move || {
            let mut stderr = stderr;
            let kept = keep(&mut stderr, STDERR_MAX);
            let _rest = io::copy(&mut stderr, &mut io::sink());
            kept
        })?;
        // Nothing is sent: the channel closes when all is read.
        let timeout = Err(mpsc::RecvTimeoutError::Timeout);
        let mut late = answered.recv_timeout(left(deadline)) == timeout;
        if late {
            group.kill();
        }
        let stdout = joined(stdout)?;
        // One that writes more than is read does not end by itself.
        if !late && (stdout.len() as u64) < longest {
            late = !group.exits_by(deadline);
        }
        let status = group.end()?;
        drop(joined(writer)?);
        Ok(Ended {
            status,
            stdout,
            stderr: joined(stderr)?,
            late,
        })
    })
}

fn left(deadline: Option<Instant>) -> Duration {
    deadline.map_or(Duration::MAX, |at| {
        at.saturating_duration_since(Instant::now())
    })
}

fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    thread::Builder::new()
        .name(format!("thoth-compile-{name}"))
        .spawn_scoped(scope, work)
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> io::Result<T> {
    thread
        .join()
        .map_err(|_panic| io::Error::other("a thread that talks to it panicked"))
}

/// Writes the job and gives the pipe back: while it is open, the child knows that it has a parent.
fn write(mut stdin: ChildStdin, job: &Job, bytes: &[u8]) -> ChildStdin {
    // A child that does not read to the end says elsewhere why.
    let _broken = job
        .write(&mut stdin)
        .and_then(|()| stdin.write_all(bytes))
        .and_then(|()| stdin.flush());
    stdin
}

fn keep(from: impl Read, most: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    // What was read before an error is judged as a cut answer is.
    let _error = from.take(most).read_to_end(&mut kept);
    kept
}

/// The child and whatever it started: killed and waited for when dropped.
struct Group {
    child: Child,
    id: Pid,
    ended: bool,
}

impl Group {
    fn of(mut child: Child) -> io::Result<Self> {
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let Some(id) = id else {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other("its process has no number"));
        };
        let ended = false;
        Ok(Self { child, id, ended })
    }

    /// Waits for it to exit, without taking its status, so that its number stays its own.
    fn exits_by(&self, deadline: Option<Instant>) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        // It has closed its output, so this is the time that a process takes to go.
        let mut pause = Duration::from_micros(50);
        while !matches!(waitid(WaitId::Pid(self.id), options), Ok(Some(_)) | Err(_)) {
            let left = left(deadline);
            if left.is_zero() {
                return false;
            }
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        true
    }

    fn kill(&self) {
        // A group that is gone already is as good.
        let _gone = kill_process_group(self.id, Signal::KILL);
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        self.ended = true;
        // Before it is waited for: afterwards the number may be another's.
        self.kill();
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            let _already = self.end();
        }
    }
}
