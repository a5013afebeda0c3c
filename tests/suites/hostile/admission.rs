//! Components that are not to be loaded at all, and what only looks like one.

use serde_json::json;

use super::{
    bombs,
    row::{Row, made, text},
};

/// What the compiler process says when it was stopped or the component is none.
const NOT_COMPILED: &[&str] = &["compiling it needs more", "not a valid component"];

pub(crate) fn rows() -> Vec<Row> {
    [types(), imports(), files(), compiles(), exports()]
        .into_iter()
        .flatten()
        .collect()
}

fn types() -> Vec<Row> {
    const TYPES: &[&str] = &["not a valid component: failed to parse WebAssembly module"];
    // It is loaded, and its one function is refused by name.
    const FUNCTION: &[&str] = &["offers no tool"];
    vec![
        made("H08", "nests_types_101_deep", || bombs::nested_lists(101)).stays_out(TYPES),
        made("H08", "nests_types_100000_deep", || {
            bombs::nested_lists(100_000)
        })
        .stays_out(TYPES),
        made("H08", "takes_an_enum_of_1001_cases", || {
            bombs::enumeration(1_001)
        })
        .stays_out(FUNCTION),
        made("H08", "takes_an_enum_of_1000_cases", || {
            bombs::enumeration(1_000)
        })
        .given(json!({"it": "c999"}))
        .gives(|result| result.is_null()),
        made("H08", "takes_an_enum_of_100000_cases", || {
            bombs::enumeration(100_000)
        })
        .stays_out(TYPES),
        made("H08", "has_33_flags", || bombs::flags(33)).stays_out(TYPES),
        made("H08", "has_a_record_of_10001_fields", || {
            bombs::record(10_001)
        })
        .stays_out(TYPES),
        made("H08", "has_1001_parameters", || bombs::parameters(1_001)).stays_out(TYPES),
        made("H08", "doubles_its_types_15_times", || bombs::doubling(15)).stays_out(FUNCTION),
        made("H08", "doubles_its_types_40_times", || bombs::doubling(40)).stays_out(TYPES),
        made("H08", "imports_1000_names", || bombs::imports(1_000)).stays_out(&["imports"]),
        made("H08", "has_a_name_of_a_mebibyte", || bombs::name(1 << 20)).stays_out(TYPES),
    ]
}

fn imports() -> Vec<Row> {
    vec![
        // All that is missing is named, so that one look is enough.
        text("H17", "imports_what_nobody_offers")
            .stays_out(&["acme:nowhere/door@1.0.0"])
            .saying(&["acme:nowhere/door@1.0.0", "ring"]),
        text("H17", "imports_another_wasi").stays_out(&["wasi:clocks/monotonic-clock@0.3.0"]),
        text("H17", "imports_with_another_type").stays_out(&["wasi:cli/exit"]),
        text("H17", "imports_a_component").stays_out(&["helper", "module"]),
        text("H17", "runs_without_waiting").stays_out(&["async function"]),
        text("H20", "imports_the_governor").stays_out(&["thoth:governance/policy@0.1.0"]),
        text("H20", "imports_other_tools").stays_out(&["thoth:governance/tool@0.1.0"]),
        text("H20", "imports_approvals").stays_out(&["thoth:governance/approvals@0.1.0"]),
    ]
}

fn exports() -> Vec<Row> {
    vec![
        text("H21", "exports_a_policy").gives(|result| result == "ALLOW"),
        text("H22", "calls_out_while_it_makes_room")
            .given(json!({"text": "one"}))
            .fails(&["trap"]),
        text("H22", "calls_out_after_its_result").fails(&["trap"]),
        text("H22", "destroys_without_end").fails(&["limit_stack", "trap"]),
        text("H22", "uses_a_handle_that_is_not_its_own").fails(&["trap"]),
    ]
}

fn files() -> Vec<Row> {
    const NONE: &[&str] = &["is not a WebAssembly component"];
    vec![
        made("H18", "is_empty", Vec::new).stays_out(NONE),
        made("H18", "is_a_core_module", || {
            wat::parse_str(r#"(module (func (export "run")))"#).unwrap()
        })
        .stays_out(NONE),
        made("H18", "is_text", || b"(component)".to_vec()).stays_out(NONE),
        made("H18", "is_native_code", || {
            let program = std::fs::read(env!("CARGO_BIN_EXE_thoth")).unwrap();
            program[..1 << 20].to_vec()
        })
        .stays_out(NONE),
        made("H18", "is_a_windows_program", || {
            b"MZ\x90\0\x03\0\0\0".to_vec()
        })
        .stays_out(NONE),
        made("H18", "is_compressed", || {
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec()
        })
        .stays_out(NONE),
        made("H18", "is_a_script", || b"#!/bin/sh\nexit 0\n".to_vec()).stays_out(NONE),
        made("H18", "is_of_another_version", || {
            b"\0asm\x0e\0\x01\0".to_vec()
        })
        .stays_out(NONE),
        made("H18", "is_cut_off", || bombs::good()[..60].to_vec()).stays_out(NOT_COMPILED),
        made("H18", "goes_on_behind_its_end", || {
            [bombs::good(), vec![0xff; 64]].concat()
        })
        .stays_out(NOT_COMPILED),
        made("H18", "is_larger_than_64_mib", || {
            [bombs::good(), vec![0; 65 << 20]].concat()
        })
        .stays_out(&["larger than 64 MiB"]),
    ]
}

fn compiles() -> Vec<Row> {
    // One that compiles within the limits has nothing to call.
    const OUTCOMES: &[&str] = &[
        "compiling it needs more",
        "not a valid component",
        "offers no tool",
    ];
    vec![
        made("H19", "has_a_million_functions", bombs::many_functions).stays_out(OUTCOMES),
        made("H19", "has_a_million_types", bombs::many_types).stays_out(OUTCOMES),
        made("H19", "has_49000_locals", bombs::many_locals).stays_out(OUTCOMES),
        made("H19", "has_tables_of_branches", bombs::branch_tables).stays_out(OUTCOMES),
        made("H19", "nests_blocks", bombs::nested_blocks).stays_out(OUTCOMES),
        made("H19", "nests_components", || {
            bombs::nested_components(5_000)
        })
        .stays_out(OUTCOMES),
        made("H19", "has_a_body_of_7_mebibytes", bombs::one_long_body).stays_out(OUTCOMES),
    ]
}
