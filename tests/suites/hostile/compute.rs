//! Tools that use up time, memory, tables or stack, or end in a way of their own.

use serde_json::json;

use super::row::{Row, built, made, rust, text};

/// What is refused before anything runs, or at the latest when it is instantiated.
const MEMORY: &[&str] = &["limit_memory"];

pub(crate) fn rows() -> Vec<Row> {
    [time(), memory(), tables(), endings()]
        .into_iter()
        .flatten()
        .collect()
}

fn time() -> Vec<Row> {
    vec![
        text("H01", "loops_forever").runs_out_of_time(),
        text("H01", "loops_over_calls").runs_out_of_time(),
        text("H01", "loops_in_tail_calls").runs_out_of_time(),
        text("H01", "loops_in_realloc")
            .given(json!({"text": "one"}))
            .runs_out_of_time(),
        text("H01", "loops_after_its_result").runs_out_of_time(),
        text("H01", "loops_forever")
            .flags(["--fuel", "1000000"])
            .fails(&["limit_fuel"]),
        rust("H01", "loops_forever").runs_out_of_time(),
        text("H02", "copies_all_memory").runs_out_of_time(),
        text("H02", "fills_all_memory").runs_out_of_time(),
        text("H02", "fills_a_table").runs_out_of_time(),
        text("H16", "loops_before_it_starts").runs_out_of_time(),
        built("H16", "endless-provider")
            .in_short()
            .stays_out(&["took longer than 100ms"]),
    ]
}

fn memory() -> Vec<Row> {
    vec![
        text("H03", "grows_memory").fails(MEMORY),
        rust("H03", "grows_memory").fails(MEMORY),
        text("H03", "survives_a_refused_growth").gives(|result| result == &json!(-1)),
        text("H03", "starts_with_too_much_memory")
            .fails(MEMORY)
            .stays_out(&["memory"]),
        text("H03", "sums_up_memories")
            .fails(MEMORY)
            .stays_out(&["memory"]),
        text("H03", "has_more_memories_than_one")
            .fails(MEMORY)
            .stays_out(&["memories"]),
        text("H03", "has_a_wide_memory").stays_out(&["memory64"]),
        text("H03", "has_a_shared_memory").stays_out(&["threads"]),
        text("H16", "grows_memory_before_it_starts").fails(MEMORY),
    ]
}

fn tables() -> Vec<Row> {
    vec![
        text("H04", "has_a_huge_table")
            .fails(&["limit_table"])
            .stays_out(&["table"]),
        text("H04", "grows_a_table").fails(&["limit_table"]),
        text("H04", "has_many_tables")
            .fails(&["limit_instances"])
            .stays_out(&["tables", "instances"]),
        text("H04", "has_many_instances")
            .fails(&["limit_instances"])
            .stays_out(&["instances"]),
    ]
}

fn endings() -> Vec<Row> {
    vec![
        text("H05", "recurses").fails(&["limit_stack"]),
        text("H05", "recurses_over_a_table").fails(&["limit_stack"]),
        made("H05", "recurses_with_huge_frames", huge_frames).fails(&["limit_stack"]),
        rust("H05", "recurses").fails(&["limit_stack"]),
        text("H16", "recurses_before_it_starts").fails(&["limit_stack"]),
        text("H16", "traps_before_it_starts").fails(&["trap"]),
        text("H15", "hits_unreachable").fails(&["trap"]),
        rust("H15", "panics").fails(&["trap"]),
        rust("H15", "exits").fails(&["exit"]),
        rust("H15", "exits_in_peace").fails(&["exit"]),
    ]
}

/// Recursion with 20,000 locals of 16 bytes in a frame, all of which live on over the call: two frames
/// are more than the stack. The time of compiling grows with the square of their number.
fn huge_frames() -> Vec<u8> {
    const LOCALS: usize = 20_000;
    let locals = " v128".repeat(LOCALS);
    let (mut set, mut sum) = (String::new(), String::new());
    for local in 1..=LOCALS {
        set += &format!("(local.set {local} (v128.load (i32.const {local})))");
        sum += &format!("(v128.store (i32.const {local}) (local.get {local}))");
    }
    let module = format!(
        r#"(core module $m
            (memory 2)
            (func $run (export "run") (local i32{locals}) {set} (call $run) {sum}))"#
    );
    wat::parse_str(format!(
        r#"(component {module}
            (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#
    ))
    .unwrap()
}
