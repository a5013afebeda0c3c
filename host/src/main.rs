//! The `thoth` command: parses, runs, and maps what came of it to an exit code.

/// Writes a line to stderr.
macro_rules! say {
    ($($line:tt)*) => {{
        let mut line = format!($($line)*);
        line.push('\n');
        $crate::cli::said::say(line.as_bytes());
    }};
}

/// Writes a line to stdout. A reader that has seen enough is no reason to fail; a line that is lost otherwise
/// makes the end of the program a failure.
macro_rules! tell {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        if let Err(error) = writeln!(std::io::stdout(), $($line)*) {
            $crate::lost(&error);
        }
    }};
}

mod cli;

use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser as _;

/// Calls of tools on many threads leave glibc's arenas torn, and a server grows with them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whether something that was told did not get anywhere: onto a disk that is full, for instance.
static LOST: AtomicBool = AtomicBool::new(false);

fn lost(error: &io::Error) {
    if error.kind() != io::ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) {
        say!("thoth: cannot write to stdout: {error}");
    }
}

fn main() -> ExitCode {
    // Before anything else: a compiler of third-party bytes does nothing but that.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == cli::COMPILE)
    {
        return thoth_host::compile_stdin_to_stdout();
    }
    // The allocator asks for huge pages, and one that holds a single object in use cannot be given back:
    // a server that runs hostile tools keeps twice the memory for a few percent of speed. Where the
    // kernel knows no such pages there is nothing to switch off.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let args = match cli::Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _closed = error.print();
            return if error.use_stderr() {
                cli::Exit::Usage.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    cli::log(args.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            say!("thoth: cannot start: {error}");
            return cli::Exit::Host.into();
        }
    };
    let telemetry = args
        .is_traced()
        .then(|| cli::start_telemetry(runtime.handle()));
    let exit = match runtime.block_on(cli::run(args)) {
        Ok(exit) => exit,
        Err(error) => {
            for line in cli::message(&error).lines() {
                say!("{}", thoth_host::inert(line, 2_000));
            }
            cli::Exit::of(&error)
        }
    };
    if let Some(telemetry) = telemetry {
        telemetry.finish();
    }
    // A loader that still compiles must not hold up the exit.
    runtime.shutdown_background();
    cli::said::finish();
    match exit {
        cli::Exit::Completed if LOST.load(Ordering::Relaxed) => cli::Exit::Host.into(),
        exit => exit.into(),
    }
}
