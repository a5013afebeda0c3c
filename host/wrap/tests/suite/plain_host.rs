//! A host of WASI 0.2: it links what a component imports, and calls what it exports.

use std::sync::OnceLock;

use thoth_tests::tool;
use thoth_wrap::Options;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Func, Instance, Linker, ResourceTable, Type, Val};
use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, Store, StoreContextMut, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// The component of a sample tool.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(tool(name)).unwrap()
}

/// A sample tool, wrapped with the test gate.
pub(crate) fn wrapped(name: &str) -> Vec<u8> {
    let wrapped = thoth_wrap::wrap(&bytes(name), &bytes("test-gate"), &Options::default());
    wrapped.unwrap().bytes
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&Config::new()).unwrap())
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    limits: StoreLimits,
    /// What is called where a component calls an import beyond WASI.
    back: Option<Func>,
}

/// An import beyond WASI.
fn call_back(
    store: StoreContextMut<'_, State>,
    _: ComponentFunc,
    _: &[Val],
    _: &mut [Val],
) -> wasmtime::Result<()> {
    let back = store.data().back.context("nobody calls it")?;
    back.call(store, &[], &mut [])
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// A component in an instance.
pub(crate) struct Plain {
    component: Component,
    store: Store<State>,
    instance: Instance,
    stderr: MemoryOutputPipe,
}

impl Plain {
    /// Instantiates a component with an environment.
    pub(crate) fn new(component: &[u8], environment: &[(&str, &str)]) -> Self {
        let component = Component::new(engine(), component).unwrap();
        let mut linker = Linker::new(engine());
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        // What a test component imports beyond WASI is called by few of them.
        for (name, import) in component.component_type().imports(engine()) {
            if let ComponentItem::ComponentInstance(instance) = import.ty
                && !name.starts_with("wasi:")
            {
                let mut linked = linker.instance(name).unwrap();
                for (item, export) in instance.exports(engine()) {
                    if let ComponentItem::ComponentFunc(_) = export.ty {
                        linked.func_new(item, call_back).unwrap();
                    }
                }
            }
        }
        let stderr = MemoryOutputPipe::new(1 << 24);
        let mut wasi = WasiCtxBuilder::new();
        wasi.envs(environment).stderr(stderr.clone());
        let mut store = Store::new(
            engine(),
            State {
                wasi: wasi.build(),
                table: ResourceTable::new(),
                limits: StoreLimitsBuilder::new().memory_size(4 << 20).build(),
                back: None,
            },
        );
        store.limiter(|state| &mut state.limits);
        let instance = linker.instantiate(&mut store, &component).unwrap();
        Self {
            component,
            store,
            instance,
            stderr,
        }
    }

    /// Every function, `name` or `interface#name`, with the types of its parameters.
    pub(crate) fn functions(&self) -> Vec<(String, Vec<Type>)> {
        let parameters = |function: ComponentFunc| function.params().map(|(_, ty)| ty).collect();
        let mut functions = Vec::new();
        for (name, export) in self.component.component_type().exports(engine()) {
            match export.ty {
                ComponentItem::ComponentFunc(function) => {
                    functions.push((name.to_owned(), parameters(function)));
                }
                ComponentItem::ComponentInstance(instance) => {
                    for (item, export) in instance.exports(engine()) {
                        if let ComponentItem::ComponentFunc(function) = export.ty {
                            functions.push((format!("{name}#{item}"), parameters(function)));
                        }
                    }
                }
                _ => {}
            }
        }
        functions
    }

    /// What the Thoth host makes of the functions.
    pub(crate) fn listing(&self) -> thoth_values::Listing {
        let docs = thoth_values::Docs::read(&[]);
        thoth_values::list(&self.component.component_type(), engine(), &docs)
    }

    /// Calls a function: `name` or `interface#name`.
    pub(crate) fn call(&mut self, export: &str, arguments: &[Val]) -> wasmtime::Result<Vec<Val>> {
        let function = self.function(export);
        let mut results = vec![Val::Bool(false); function.ty(&self.store).results().len()];
        function.call(&mut self.store, arguments, &mut results)?;
        Ok(results)
    }

    /// Calls a function without parameters whenever the component calls what it imports.
    pub(crate) fn on_import_call(&mut self, export: &str) {
        let function = self.function(export);
        self.store.data_mut().back = Some(function);
    }

    fn function(&mut self, export: &str) -> Func {
        let (interface, name) = match export.split_once('#') {
            Some((interface, name)) => (Some(interface), name),
            None => (None, export),
        };
        let interface = interface.map(|interface| {
            self.instance
                .get_export_index(&mut self.store, None, interface)
                .unwrap()
        });
        let index = self
            .instance
            .get_export_index(&mut self.store, interface.as_ref(), name)
            .unwrap();
        self.instance.get_func(&mut self.store, index).unwrap()
    }

    /// What was written to stderr: the test gate's notes.
    pub(crate) fn notes(&self) -> String {
        String::from_utf8(self.stderr.contents().to_vec()).unwrap()
    }
}

/// A text as a value.
pub(crate) fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

/// No value.
pub(crate) fn none() -> Val {
    Val::Option(None)
}

/// An error as a function's result.
pub(crate) fn failed(error: Option<Val>) -> Val {
    Val::Result(Err(error.map(Box::new)))
}
