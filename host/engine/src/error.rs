//! Why there is no engine, or no compiled component.

use std::fmt;
use std::io;
use std::sync::Arc;

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// wasmtime refused the settings, or this processor.
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(wasmtime::Error),
    /// No thread for the epoch ticker.
    #[error("the thread that interrupts WebAssembly does not start: {0}")]
    Thread(io::Error),
}

/// Why a component was not compiled. Cheap to clone: callers that wait for one compilation get the
/// same answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The bytes are not a component that this engine runs; the text is the validator's, with the
    /// offset, on one line and without control characters.
    #[error("it is not a valid component: {0}")]
    Invalid(String),
    /// More bytes than [`CompileLimits::input`](crate::CompileLimits::input).
    #[error("it has {size} bytes and at most {limit} are compiled: strip it, or raise the limit")]
    TooLarge {
        /// How many it has.
        size: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Compiling took more than it is allowed to.
    #[error(
        "compiling it needs more {limit}: it may be made to; if you trust it, raise the limit for compiling"
    )]
    Limit {
        /// Which limit, and what it was.
        limit: Limit,
    },
    /// The compiler was ended by a signal that no limit of ours sends.
    #[error(
        "the compiler was killed by signal {signal}: the system may be short of memory; try again, or report it with the component"
    )]
    Killed {
        /// Its number.
        signal: i32,
    },
    /// The compiler failed in a way that is its own fault.
    #[error("the compiler failed, which is a bug worth a report with the component: {0}")]
    Internal(String),
    /// The compiler command cannot be started or talked to.
    #[error("the compiler process cannot be run: {0}")]
    Jail(Arc<io::Error>),
    /// The compiler command ran and is not ours.
    #[error(
        "the compiler command does not answer as one of this version ({0}): name a program whose main calls `compile_stdin_to_stdout`"
    )]
    Command(String),
}

/// A limit on compiling, with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Address space, in bytes.
    Memory(u64),
    /// Processor time, in seconds, over all threads.
    Cpu(u64),
    /// Time on the clock, in seconds.
    Time(u64),
    /// Compiled code, in bytes.
    Output(u64),
    /// The compiler's stack: the component is nested too deeply.
    Stack,
}

impl fmt::Display for Limit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(bytes) => write!(out, "than {} MiB of memory", bytes >> 20),
            Self::Cpu(seconds) => write!(out, "than {seconds} s of processor time"),
            Self::Time(seconds) => write!(out, "than {seconds} s"),
            Self::Output(bytes) => write!(out, "than {} MiB for its code", bytes >> 20),
            Self::Stack => write!(out, "stack than the compiler has"),
        }
    }
}
