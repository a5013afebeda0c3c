//! The bindings generated from `wit/`, seen in this module and its neighbours only.

#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "governor",
    imports: {
        "thoth:governance/tool.call-tool": async | trappable,
        default: async,
    },
    exports: { default: async },
});
