//! The `thoth` command: parses, runs, and maps what came of it to an exit code.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // Before anything else: a compiler of third-party bytes does nothing but that.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == cli::COMPILE)
    {
        return thoth_host::compile_stdin_to_stdout();
    }
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
            eprintln!("thoth: cannot start: {error}");
            return cli::Exit::Host.into();
        }
    };
    let exit = match runtime.block_on(cli::run(args)) {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("thoth: {error:#}");
            cli::Exit::of(&error)
        }
    };
    // A loader that still compiles must not hold up the exit.
    runtime.shutdown_background();
    exit.into()
}
