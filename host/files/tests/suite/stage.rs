//! Folders with something to protect beside them, and a guest that does what it is told.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use sha2::{Digest as _, Sha256};
use thoth_files::{Budgets, Files, FilesCtx, FilesView, Folders, Gate, Mode, Opening};
use thoth_grants::FileGrant;
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable, TypedFunc};
use wasmtime::{Engine, Store};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::p2::bindings::{cli, random, sockets};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// Must never be seen by a guest.
pub(crate) const CANARY: &str = "canary-7f3a";

/// Folders on the host: `docs`, `out`, and what is outside of both.
pub(crate) struct Stage(tempfile::TempDir);

impl Stage {
    pub(crate) fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        for folder in ["docs/sub/deep", "out/sub", "outside"] {
            fs::create_dir_all(stage.path(folder)).unwrap();
        }
        fs::write(stage.path("outside/canary"), CANARY).unwrap();
        for folder in ["docs", "out"] {
            let at = |name: &str| stage.path(folder).join(name);
            fs::write(at("a.md"), "text of a").unwrap();
            fs::write(at("sub/b.md"), "text of b").unwrap();
            symlink("a.md", at("link-in")).unwrap();
            symlink("sub", at("link-sub")).unwrap();
            symlink("../outside/canary", at("link-out")).unwrap();
            symlink("../outside", at("link-folder-out")).unwrap();
            symlink(stage.path("outside/canary"), at("link-absolute")).unwrap();
            symlink("link-loop", at("link-loop")).unwrap();
        }
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `docs:/docs:ro`
    pub(crate) fn grant(&self, flag: &str) -> FileGrant {
        let root = self.0.path().display();
        FileGrant::from_flag(&format!("{root}/{flag}")).unwrap()
    }

    /// A call with these folders and a gate that lets everything through.
    pub(crate) async fn call(&self, flags: &[&str]) -> Call {
        self.call_with(flags, Budgets::default(), |_| true).await
    }

    pub(crate) async fn call_with(
        &self,
        flags: &[&str],
        budgets: Budgets,
        allows: impl Fn(&Opening) -> bool + Send + Sync + 'static,
    ) -> Call {
        let grants: Vec<_> = flags.iter().map(|flag| self.grant(flag)).collect();
        Call::new(
            Folders::open(&grants, Arc::default()).unwrap(),
            budgets,
            allows,
        )
        .await
    }

    /// Everything below a folder of the stage's that a change would show in: names, kinds, rights,
    /// sizes, times of change, contents. Times of access are left out; reading is allowed.
    pub(crate) fn tree(&self, name: &str) -> String {
        let mut entries = Vec::new();
        describe(&self.path(name), &mut entries);
        format!("{:x?}", Sha256::digest(entries.join("\n")))
    }
}

fn describe(path: &Path, entries: &mut Vec<String>) {
    let about = fs::symlink_metadata(path).unwrap();
    let content = if about.is_file() {
        fs::read(path).unwrap()
    } else if about.is_symlink() {
        fs::read_link(path)
            .unwrap()
            .into_os_string()
            .into_encoded_bytes()
    } else {
        Vec::new()
    };
    entries.push(format!(
        "{path:?} {:o} {} {} {} {}.{} {}.{} {content:x?}",
        about.mode(),
        about.ino(),
        about.nlink(),
        about.len(),
        about.mtime(),
        about.mtime_nsec(),
        about.ctime(),
        about.ctime_nsec(),
    ));
    if about.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        for name in names {
            describe(&name, entries);
        }
    }
}

/// One call of the prober, in a store of its own.
pub(crate) struct Call {
    store: Store<State>,
    run: TypedFunc<(Vec<Vec<String>>,), (Vec<String>,)>,
    asked: Arc<Asked>,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    files: FilesCtx,
}

/// Remembers what it was asked.
struct Asked {
    openings: Mutex<Vec<Opening>>,
    /// Of folders that are not governed.
    told: Mutex<Vec<Opening>>,
    refused: Mutex<Vec<Opening>>,
    allows: Box<dyn Fn(&Opening) -> bool + Send + Sync>,
}

impl Gate for Asked {
    fn refused(&self, opening: Opening) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.refused.lock().unwrap().push(opening);
        Box::pin(async {})
    }

    fn open(&self, opening: Opening) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        if !opening.governed {
            self.told.lock().unwrap().push(opening);
            return Box::pin(async { Ok(()) });
        }
        let allowed = (self.allows)(&opening);
        self.openings.lock().unwrap().push(opening);
        Box::pin(async move {
            // As one that asks over the network: not at once.
            tokio::task::yield_now().await;
            allowed.then_some(()).ok_or("the test says no".to_owned())
        })
    }
}

impl Call {
    pub(crate) async fn new(
        folders: Folders,
        budgets: Budgets,
        allows: impl Fn(&Opening) -> bool + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::new(Asked {
            openings: Mutex::default(),
            told: Mutex::default(),
            refused: Mutex::default(),
            allows: Box::new(allows),
        });
        let gate: Arc<dyn Gate> = asked.clone();
        let state = State {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
            files: FilesCtx::new(folders, budgets, gate),
        };
        let mut store = Store::new(&ENGINE, state);
        let instance = PROBER.instantiate_async(&mut store).await.unwrap();
        let run = instance.get_typed_func(&mut store, "run").unwrap();
        Self { store, run, asked }
    }

    pub(crate) async fn run<const N: usize>(&mut self, steps: [&[&str]; N]) -> [String; N] {
        let steps: Vec<Vec<String>> = steps
            .iter()
            .map(|step| step.iter().map(|word| (*word).to_owned()).collect())
            .collect();
        let (results,) = self
            .run
            .call_async(&mut self.store, (steps,))
            .await
            .unwrap();
        results.try_into().unwrap()
    }

    /// One step: its words parted by spaces.
    pub(crate) async fn step(&mut self, step: &str) -> String {
        let words: Vec<&str> = step.split(' ').collect();
        let [result] = self.run([&words]).await;
        result
    }

    pub(crate) fn files(&self) -> &FilesCtx {
        &self.store.data().files
    }

    /// What the gate was asked since the last time: `read /docs/a.md`, `write+create /out/a`.
    pub(crate) fn asked(&self) -> Vec<String> {
        taken(&self.asked.openings)
    }

    /// What the gate was told of folders that are not governed.
    pub(crate) fn told(&self) -> Vec<String> {
        taken(&self.asked.told)
    }

    /// What the gate was told that a grant does not let through.
    pub(crate) fn refused(&self) -> Vec<String> {
        taken(&self.asked.refused)
    }
}

fn taken(openings: &Mutex<Vec<Opening>>) -> Vec<String> {
    let openings = std::mem::take(&mut *openings.lock().unwrap());
    let words = |opening: Opening| {
        let mode = match opening.mode {
            Mode::Read => "read",
            Mode::Write => "write",
        };
        let create = if opening.create { "+create" } else { "" };
        let truncate = if opening.truncate { "+truncate" } else { "" };
        format!("{mode}{create}{truncate} {}", opening.guest_path)
    };
    openings.into_iter().map(words).collect()
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl FilesView for State {
    fn files(&mut self) -> Files<'_> {
        Files {
            ctx: &mut self.files,
            table: &mut self.table,
        }
    }
}

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);

static PROBER: LazyLock<InstancePre<State>> = LazyLock::new(|| {
    let component = Component::from_file(&ENGINE, build()).unwrap();
    linker().unwrap().instantiate_pre(&component).unwrap()
});

/// What `wasmtime_wasi::p2::add_to_linker_async` links, but for its own files.
fn linker() -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(&ENGINE);
    let l = &mut linker;
    // Input and output, clocks, secure random, the three standard streams.
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(l)?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, State::random)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, State::random)?;
    cli::environment::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;
    // Linked, and refused when used: a context allows no socket unless told to.
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<_, WasiSockets>(l, &options, State::sockets)?;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::udp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    thoth_files::add_to_linker(l)?;
    Ok(linker)
}

/// The prober's component, built from its source if need be.
fn build() -> PathBuf {
    let target = thoth_tests::tools::scratch();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let kept = [
        "PATH",
        "HOME",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
    ];
    let built = Command::new(cargo)
        .current_dir(thoth_tests::tools::workspace())
        // What shapes the native build breaks one for wasm.
        .env_clear()
        .envs(
            kept.iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .args(["build", "--quiet", "--package", "files-prober"])
        .args(["--profile", "governor", "--target", "wasm32-wasip2"])
        .arg("--target-dir")
        .arg(&target)
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "the prober does not build for wasm32-wasip2:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    target.join("wasm32-wasip2/governor/files_prober.wasm")
}
