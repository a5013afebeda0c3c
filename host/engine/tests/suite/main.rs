//! Compiling in a child process, and the cache. This program is its own compiler command, which is
//! why it has a `main`: `suite compile` compiles, and `suite wait-for-a-bomb` is a parent to be killed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod bombs;
mod cache;
mod components;
mod jail;
mod key;

use std::process::ExitCode;
use std::sync::LazyLock;

use libtest_mimic::{Arguments, Trial};
use thoth_engine::{Compiler, Jail, Options};
use wasmtime::Engine;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("compile") => return thoth_engine::compile_stdin_to_stdout(),
        Some("wait-for-a-bomb") => return bombs::wait_for_one(),
        _ => {}
    }
    let tests = [jail::tests(), cache::tests(), key::tests(), bombs::tests()];
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, tests.into_iter().flatten().collect()).exit_code()
}

/// A test that fails by panicking.
fn fact(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// The modules' lists of facts, each named as its function.
macro_rules! facts {
    ($($name:ident),* $(,)?) => {
        pub(crate) fn tests() -> Vec<libtest_mimic::Trial> {
            vec![$(crate::fact(
                concat!(module_path!(), "::", stringify!($name)).trim_start_matches("suite::"),
                $name,
            )),*]
        }
    };
}
pub(crate) use facts;

fn engine() -> &'static Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| thoth_engine::engine().unwrap());
    &ENGINE
}

/// This program, compiling.
fn own_jail() -> Jail {
    Jail::Command {
        program: std::env::current_exe().unwrap(),
        args: vec!["compile".into()],
    }
}

/// A shell script in place of a compiler.
fn script(text: &str) -> Jail {
    Jail::Command {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), text.into()],
    }
}

fn compiler(change: impl FnOnce(&mut Options)) -> Compiler {
    let mut options = Options::new(own_jail());
    change(&mut options);
    Compiler::new(engine(), options)
}
