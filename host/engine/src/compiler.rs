//! One way from bytes to a component: the cache, else the compiler, each at most once at a time.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::cache::{Cache, Found, Id};
use crate::code::Code;
use crate::engine::settings;
use crate::error::{CompileError, Limit};
use crate::jail;
use crate::key::Key;
use crate::limits::CompileLimits;
use crate::text::{hex, one_line};

/// How a [`Compiler`] works. [`Options::new`] gives one without a cache.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The folder of compiled code, for one user; made when it is not there, with mode 0700. Give it
    /// one of its own: the oldest files in it are removed beyond [`cache_size`](Self::cache_size).
    pub cache: Option<PathBuf>,
    /// The file with this installation's key, made when it is not there, with mode 0600. Without it
    /// there is no cache. It belongs where state is kept, apart from the cache.
    pub key: Option<PathBuf>,
    /// The most that the cache holds, in bytes: 1 GiB unless changed.
    pub cache_size: u64,
    /// Where components are compiled.
    pub jail: Jail,
    /// What compiling a component may cost.
    pub limits: CompileLimits,
}

impl Options {
    /// No cache, default limits.
    #[must_use]
    pub fn new(jail: Jail) -> Self {
        Self {
            cache: None,
            key: None,
            cache_size: 1 << 30,
            jail,
            limits: CompileLimits::default(),
        }
    }
}

/// Where components are compiled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Jail {
    /// In a process of this command, under [`CompileLimits`]. It is trusted: its `main` calls
    /// [`compile_stdin_to_stdout`](crate::compile_stdin_to_stdout), of the same version of this
    /// crate. It gets no environment.
    Command {
        /// The program, best as an absolute path.
        program: PathBuf,
        /// What makes it a compiler.
        args: Vec<OsString>,
    },
    /// In this process, without limits on time and memory. For components that you trust as you do
    /// your own code: another can hold this process up for minutes, or end it.
    InProcess,
}

/// A component that is ready to be linked.
#[derive(Clone)]
#[non_exhaustive]
pub struct Compiled {
    /// The component. What it imports has not been judged.
    pub component: Component,
    /// SHA-256 of the very bytes that were compiled, in lower-case hexadecimal.
    pub sha256: String,
    /// Where the code came from.
    pub source: Source,
    /// Why it could not be kept in the cache, when there is one. Everything else works.
    pub not_kept: Option<String>,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Compiled")
            .field("sha256", &self.sha256)
            .field("source", &self.source)
            .field("not_kept", &self.not_kept)
            .finish_non_exhaustive()
    }
}

/// Where compiled code came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// It was compiled now.
    Compiled {
        /// How long that took.
        time: Duration,
    },
    /// It was in the cache.
    Cached,
    /// It was in the cache and could not be trusted or used, so it was compiled again. The user
    /// should be told: somebody may be at work here.
    Rebuilt {
        /// What was wrong with the entry.
        why: String,
        /// How long compiling took.
        time: Duration,
    },
}

/// One component on its way, for all who wait for it.
type Job = Arc<OnceLock<Result<Compiled, CompileError>>>;

/// Compiles components for one engine. Cheap to clone; clones share the cache and the work.
#[derive(Clone)]
pub struct Compiler(Arc<Inner>);

struct Inner {
    engine: Engine,
    settings: [u8; 32],
    cache: Option<Cache>,
    notices: Vec<String>,
    jail: Jail,
    limits: CompileLimits,
    /// What is being compiled now, by SHA-256: who asks for the same waits for that.
    running: Mutex<HashMap<[u8; 32], Job>>,
}

impl Compiler {
    /// Makes a compiler for an engine of [`engine`](crate::engine()). A cache that cannot be used is
    /// no error, but a [notice](Self::notices).
    #[must_use]
    pub fn new(engine: &Engine, options: Options) -> Self {
        let mut notices = Vec::new();
        let cache = open_cache(&options, &mut notices);
        Self(Arc::new(Inner {
            engine: engine.clone(),
            settings: settings(engine),
            cache,
            notices,
            jail: options.jail,
            limits: options.limits,
            running: Mutex::default(),
        }))
    }

    /// What the user should know about the cache: why there is none, or what was put right. One line
    /// each; empty when all is well, and when no cache was asked for.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.0.notices
    }

    /// Compiles a component, or finds it compiled. Blocks: under a millisecond for a small one in the
    /// cache, else for milliseconds to minutes; call it on a thread that may.
    ///
    /// Several callers with the same bytes wait for one compilation. How many different ones are
    /// compiled at once is the caller's choice; each may take what [`CompileLimits`] allow.
    ///
    /// # Errors
    /// [`CompileError`] says which of the bytes, the limits and the compiler command it was.
    pub fn component(&self, bytes: &[u8]) -> Result<Compiled, CompileError> {
        let limit = self.0.limits.input;
        if bytes.len() > limit {
            let size = bytes.len();
            return Err(CompileError::TooLarge { size, limit });
        }
        let component: [u8; 32] = Sha256::digest(bytes).into();
        let job = Arc::clone(self.running().entry(component).or_default());
        let result = job
            .get_or_init(|| self.0.find_or_compile(component, bytes))
            .clone();
        // The next one to ask finds it in the cache.
        let mut running = self.running();
        if running
            .get(&component)
            .is_some_and(|one| Arc::ptr_eq(one, &job))
        {
            running.remove(&component);
        }
        result
    }

    fn running(&self) -> MutexGuard<'_, HashMap<[u8; 32], Job>> {
        // Nothing that holds it can leave it half changed.
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn find_or_compile(&self, component: [u8; 32], bytes: &[u8]) -> Result<Compiled, CompileError> {
        let id = Id {
            component,
            settings: self.settings,
        };
        let compiled = |component, source, not_kept| Compiled {
            component,
            sha256: hex(&id.component),
            source,
            not_kept,
        };
        let why = match self.cache.as_ref().map(|cache| cache.get(&id)) {
            Some(Found::Code(code)) => match code.load(&self.engine) {
                Ok(component) => return Ok(compiled(component, Source::Cached, None)),
                Err(error) => Some(one_line(&format!("it does not load: {error:#}"))),
            },
            Some(Found::Bad(why)) => Some(why),
            Some(Found::Nothing) | None => None,
        };
        let start = Instant::now();
        let code = self.compile(component, bytes)?;
        let time = start.elapsed();
        let component = code
            .load(&self.engine)
            .map_err(|error| CompileError::Invalid(one_line(&format!("{error:#}"))))?;
        let not_kept = self
            .cache
            .as_ref()
            .and_then(|cache| cache.put(&id, &code).err())
            .map(|error| format!("its compiled code is not kept: {error}"));
        let source = match why {
            Some(why) => Source::Rebuilt { why, time },
            None => Source::Compiled { time },
        };
        Ok(compiled(component, source, not_kept))
    }

    fn compile(&self, component: [u8; 32], bytes: &[u8]) -> Result<Code, CompileError> {
        let budget = self.limits.for_component(bytes.len());
        match &self.jail {
            Jail::Command { program, args } => {
                jail::compile((program, args), self.settings, component, bytes, &budget)
            }
            Jail::InProcess => {
                let code = self
                    .engine
                    .precompile_component(bytes)
                    .map_err(|error| CompileError::Invalid(one_line(&format!("{error:#}"))))?;
                if code.len() as u64 > budget.output {
                    let limit = Limit::Output(budget.output);
                    return Err(CompileError::Limit { limit });
                }
                Ok(Code::vouched_for(code, 0))
            }
        }
    }
}

fn open_cache(options: &Options, notices: &mut Vec<String>) -> Option<Cache> {
    let path = options.cache.as_deref()?;
    let mut without = |what: &str, at: &Path, why: &dyn fmt::Display| {
        notices.push(format!(
            "components are compiled each time: the {what} `{}` cannot be used: {why}",
            at.display()
        ));
    };
    let Some(key) = options.key.as_deref() else {
        without("cache", path, &"no key for it is named");
        return None;
    };
    let opened = match Key::open(key) {
        Ok(opened) => opened,
        Err(error) => {
            without("key", key, &error);
            return None;
        }
    };
    let code_max = options.limits.output as u64;
    match Cache::open(path, opened.key, code_max, options.cache_size) {
        Ok(cache) => {
            notices.extend(opened.notice);
            Some(cache)
        }
        Err(error) => {
            without("cache", path, &error);
            None
        }
    }
}
