//! From the bytes of a component to compiled code: the engine of a process, the process that
//! compiles, and the cache of what it made.
//!
//! Compiling is outside of what wasmtime promises about hostile input: a component of a few
//! kilobytes can hold its compiler for minutes or eat all memory. So a component is validated and
//! compiled in a [child process](Jail::Command) under limits, and what that made is kept in a
//! [cache](Options::cache) that is authenticated with a key of this installation. Nothing else is
//! ever taken for compiled code.
//!
//! What the child process does not do: it bounds memory and time, but its answer is machine code
//! that this process will run. A component that could take over the compiler itself is as far as
//! one that could break out of the sandbox.
//!
//! ```no_run
//! use thoth_engine::{Compiler, Jail, Options};
//!
//! let engine = thoth_engine::engine()?;
//! let jail = Jail::Command {
//!     program: std::env::current_exe()?,
//!     args: vec!["__compile".into()], // its main calls `thoth_engine::compile_stdin_to_stdout`
//! };
//! let compiler = Compiler::new(&engine, Options::new(jail));
//! let compiled = compiler.component(&std::fs::read("tool.wasm")?)?;
//! println!("{} {:?}", compiled.sha256, compiled.source);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod cache;
mod child;
mod code;
mod compiler;
mod engine;
mod error;
mod jail;
mod key;
mod limits;
mod message;
mod text;

pub use child::compile_stdin_to_stdout;
pub use compiler::{Compiled, Compiler, Jail, Options, Source};
pub use engine::{MEMORY_MAX, SLOTS, TICK, engine, governor_engine};
pub use error::{CompileError, EngineError, Limit};
pub use limits::CompileLimits;
