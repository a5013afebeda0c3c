//! The child process: limits itself, compiles the one component that is on its stdin, ends.

use std::any::Any;
use std::io::{self, Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::thread;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use sha2::{Digest as _, Sha256};

use crate::engine::{compiling_engine, settings};
use crate::message::{Answer, FAILURE, Failure, Job};
use crate::text::one_line;

/// The stack of a thread that compiles.
const STACK: usize = 8 << 20;

/// Address space that is taken and not used: the program itself, and for each thread its stack and
/// what the allocator sets aside (an arena of 64 MiB, twice that while it is aligned).
const PROGRAM: u64 = 256 << 20;
const THREAD: u64 = STACK as u64 + (128 << 20);

/// The whole of a compiler process: `main` of the command that [`Jail::Command`](crate::Jail) names
/// calls this before anything else, while it has one thread, and returns what it returns.
///
/// It first takes limits on itself: no core dump, no file written, few descriptors, no new
/// privileges; then those of the job on its stdin: address space, processor time; and once its
/// threads are made, no more of them. Then it reads the component, validates and compiles it with
/// the settings of [`engine`](crate::engine()), and writes the code to stdout. It ends when its
/// parent does: on its own pipe's end, and on Linux by signal.
///
/// Exit code 0 when the code is written whole; else 1, and the last line of stderr says why.
#[must_use]
pub fn compile_stdin_to_stdout() -> ExitCode {
    // What a panic has to say goes on our one line.
    std::panic::set_hook(Box::new(|_| {}));
    let done = catch_unwind(run).unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err((failure, why)) => {
            let line = format!("{FAILURE}{} {}\n", failure.word(), one_line(&why));
            // The parent may be gone; the exit code says the rest.
            let _gone = io::stderr().write_all(line.as_bytes());
            ExitCode::FAILURE
        }
    }
}

type Failed = (Failure, String);

fn run() -> Result<(), Failed> {
    confine().map_err(internal("limiting itself"))?;
    let mut stdin = io::stdin().lock();
    let job = Job::read(&mut stdin).map_err(internal("reading the job"))?;
    limit(&job).map_err(internal("limiting itself"))?;

    let mut component = Vec::new();
    let read = (&mut stdin).take(job.size).read_to_end(&mut component);
    read.map_err(internal("reading the component"))?;
    drop(stdin);
    if component.len() as u64 != job.size {
        return Err((Failure::Internal, "the component ended early".into()));
    }

    let engine = compiling_engine().map_err(|error| (Failure::Internal, format!("{error:#}")))?;
    if settings(&engine) != job.settings {
        let why = "its engine's settings are others than those asked for";
        return Err((Failure::Settings, why.into()));
    }
    end_with_the_parent().map_err(internal("starting a thread"))?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(usize::try_from(job.threads).unwrap_or(1).max(1))
        .stack_size(STACK)
        .build()
        .map_err(|error| (Failure::Memory, error.to_string()))?;
    // Every thread there will be is there. (No process either; a superuser is not held to this.)
    lower(Resource::Nproc, 0).map_err(internal("limiting itself"))?;

    let compiled = catch_unwind(AssertUnwindSafe(|| {
        pool.install(|| engine.precompile_component(&component))
    }));
    let code = match compiled {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => return Err(refused(&error)),
        Err(panic) => return Err(panicked(panic.as_ref())),
    };
    if code.len() as u64 > job.output {
        return Err((Failure::Output, format!("{} bytes of code", code.len())));
    }
    let answer = Answer {
        settings: job.settings,
        component: Sha256::digest(&component).into(),
        size: code.len() as u64,
    };
    let mut stdout = io::stdout().lock();
    answer
        .write(&mut stdout)
        .and_then(|()| stdout.write_all(&code))
        .and_then(|()| stdout.flush())
        .map_err(internal("writing the code"))
}

/// What holds for any job.
fn confine() -> io::Result<()> {
    lower(Resource::Core, 0)?;
    lower(Resource::Fsize, 0)?;
    lower(Resource::Nofile, 16)?;
    #[cfg(target_os = "linux")]
    {
        rustix::thread::set_no_new_privs(true)?;
        // By the thread that started us, which waits for us. Had it ended before this line, our
        // pipe would be closed.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    Ok(())
}

fn limit(job: &Job) -> io::Result<()> {
    let threads = job.threads.saturating_mul(THREAD);
    let space = job.memory.saturating_add(PROGRAM).saturating_add(threads);
    lower(Resource::As, space)?;
    // The soft limit's signal names the reason; the hard one is for a compiler that ignores it.
    set(
        Resource::Cpu,
        job.cpu_seconds,
        job.cpu_seconds.saturating_add(1),
    )
}

fn lower(resource: Resource, to: u64) -> io::Result<()> {
    set(resource, to, to)
}

/// Sets a limit, or keeps one that is tighter already.
fn set(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let now = getrlimit(resource);
    let hard = now.maximum.map_or(hard, |now| now.min(hard));
    let soft = now.current.map_or(soft, |now| now.min(soft)).min(hard);
    let new = Rlimit {
        current: Some(soft),
        maximum: Some(hard),
    };
    Ok(setrlimit(resource, new)?)
}

/// The parent holds our stdin open until it has the answer. The end of it is the end of the parent.
fn end_with_the_parent() -> io::Result<()> {
    thread::Builder::new()
        .name("parent".into())
        .stack_size(64 << 10)
        .spawn(|| {
            let mut byte = [0];
            while io::stdin().read(&mut byte).is_ok_and(|read| read > 0) {}
            std::process::exit(1)
        })
        .map(drop)
}

fn internal(doing: &'static str) -> impl Fn(io::Error) -> Failed {
    move |error| (Failure::Internal, format!("{doing}: {error}"))
}

/// An error of the compiler is about the component, but for one of the system's.
fn refused(error: &wasmtime::Error) -> Failed {
    let system = error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::OutOfMemory)
            || cause.downcast_ref() == Some(&rustix::io::Errno::NOMEM)
    });
    let failure = if system {
        Failure::Memory
    } else {
        Failure::Invalid
    };
    (failure, format!("{error:#}"))
}

fn panicked(panic: &(dyn Any + Send)) -> Failed {
    let said = panic
        .downcast_ref::<&str>()
        .map(|said| (*said).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    // What it was limited to cannot be told from a bug in any other way than by what it says.
    let is_memory = said.contains("out of memory") || said.contains("allocation failed");
    let failure = if is_memory {
        Failure::Memory
    } else {
        Failure::Internal
    };
    (failure, format!("it panicked: {said}"))
}
