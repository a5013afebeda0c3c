//! Tools that ask the host for too much, for too long, or for what was not granted.

use serde_json::{Value, json};

use super::row::{Row, rust};

pub(crate) fn rows() -> Vec<Row> {
    [leaks(), waits(), talks(), reaches()]
        .into_iter()
        .flatten()
        .collect()
}

fn leaks() -> Vec<Row> {
    let mut rows: Vec<Row> = ["timers", "headers", "requests", "streams"]
        .into_iter()
        .map(|thing| {
            rust("H06", "leaks")
                .with(json!({ "thing": thing }))
                .fails(&["limit_resources"])
        })
        .collect();
    rows.push(super::row::text("H06", "leaks_its_own_resources").fails(&["limit_resources"]));
    rows.push(
        rust("H06", "leaks")
            .with(json!({"thing": "one_header_list"}))
            .fails(&["trap"])
            .gives(|taken| taken.as_u64().is_some_and(|taken| taken < 1_000)),
    );
    rows
}

fn waits() -> Vec<Row> {
    vec![
        rust("H09", "waits_forever").runs_out_of_time(),
        rust("H09", "waits_for")
            .with(json!({"event": "never"}))
            .runs_out_of_time(),
        rust("H09", "waits_for")
            .with(json!({"event": "nothing"}))
            .fails(&["trap"]),
        rust("H09", "waits_for")
            .with(json!({"event": "many"}))
            .runs_out_of_time()
            .fails(&["limit_hostcall", "limit_resources", "trap"]),
    ]
}

fn talks() -> Vec<Row> {
    let escapes = b"\x1b]0;owned\x07\x1b[2J\xff\xfe\xc0\xaf last words\r\n\x9b31m";
    let escapes = base64(escapes);
    vec![
        // A busy machine may take longer for 256 MiB than the time there is.
        rust("H10", "floods_output")
            .gives(|result| result == "flooded")
            .fails(&["limit_time", "limit_fuel"]),
        rust("H10", "says_and_traps")
            .given(json!({ "bytes": escapes }))
            .fails(&["trap"]),
    ]
}

/// Bytes as the arguments of a call have them.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() {
                letter.into()
            } else {
                '='
            });
        }
    }
    text
}

fn reaches() -> Vec<Row> {
    let nothing = |result: &Value| result == &json!([]);
    vec![
        rust("H13", "looks_around").gives(nothing),
        // The current folder is a name that the tool gives itself.
        rust("H13", "reaches_out").gives(|result| {
            let reached = result.as_array().unwrap();
            reached.iter().all(|what| what == "cwd /")
        }),
        rust("H13", "looks_around")
            .flags(["--allow-env", "LANG"])
            .gives(|result| result == &json!([]) || result == &json!(["env LANG"])),
    ]
}
