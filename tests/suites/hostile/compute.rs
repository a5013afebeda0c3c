//! Tools that use up time, memory, tables or stack, or end in a way of their own.

use serde_json::json;

use super::row::{Row, rust, text};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        text("H01", "loops_forever").runs_out_of_time(),
        text("H01", "loops_over_calls").runs_out_of_time(),
        text("H01", "loops_in_tail_calls").runs_out_of_time(),
        text("H01", "loops_in_realloc")
            .given(json!({"text": "one"}))
            .runs_out_of_time(),
        text("H01", "loops_after_its_result").runs_out_of_time(),
        text("H03", "grows_memory").fails(&["limit_memory"]),
        text("H05", "recurses").fails(&["limit_stack"]),
        text("H15", "hits_unreachable").fails(&["trap"]),
        rust("H15", "exits").fails(&["exit"]),
        rust("H15", "exits_in_peace").fails(&["exit"]),
        text("H17", "imports_what_nobody_offers").stays_out(&["acme:nowhere/door@1.0.0"]),
    ]
}
