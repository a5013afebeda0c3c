//! Rows about HTTP itself: framing, time, status, media type.

use std::time::Duration;

use thoth_tests::{
    Reply, Step,
    faultd::{chunked, response},
};

use super::{ALLOW, HEAD, JSON, Row, UNDECIDED, row, slowly};

pub(super) fn broken_http() -> Vec<Row> {
    let protocol: &[&str] = &["protocol"];
    let cut = |text: &str| vec![Step::text(text), Step::Reset];
    let line = |line: &str| {
        Reply::bytes(format!(
            "{line}\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{ALLOW}"
        ))
    };
    vec![
        row(
            "F08",
            "reset before an answer",
            vec![Step::Reset],
            &["unreachable", "protocol"],
        )
        .on_hold(UNDECIDED),
        row(
            "F07",
            "end before an answer",
            Vec::new(),
            &["unreachable", "protocol"],
        )
        .on_hold(UNDECIDED),
        row(
            "F09",
            "reset inside the head",
            cut("HTTP/1.1 200 OK\r\ncontent-ty"),
            &["protocol", "unreachable"],
        ),
        row(
            "F10",
            "reset inside the body",
            cut(&format!("{HEAD}content-length: 20\r\n\r\n{{\"deci")),
            &["protocol", "unreachable"],
        ),
        row(
            "F11",
            "end inside the body",
            Reply::bytes(format!("{HEAD}content-length: 500\r\n\r\n{ALLOW}")),
            protocol,
        ),
        row(
            "F12",
            "chunks without an end",
            Reply::bytes(chunked(&[ALLOW], false)),
            protocol,
        ),
        row(
            "F13",
            "bad chunk size",
            Reply::bytes(format!(
                "{HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n{ALLOW}\r\n0\r\n\r\n"
            )),
            protocol,
        ),
        row(
            "F13",
            "huge chunk size",
            Reply::bytes(format!(
                "{HEAD}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{ALLOW}\r\n0\r\n\r\n"
            )),
            protocol,
        ),
        row(
            "F14",
            "length and chunks",
            Reply::bytes(format!(
                "{HEAD}content-length: 20\r\ntransfer-encoding: chunked\r\n\r\n14\r\n{ALLOW}\r\n0\r\n\r\n"
            )),
            protocol,
        ),
        row(
            "F14",
            "chunks of another length",
            Reply::bytes(format!(
                "{HEAD}content-length: 21\r\ntransfer-encoding: chunked\r\n\r\n14\r\n{ALLOW}\r\n0\r\n\r\n"
            )),
            protocol,
        ),
        row(
            "F14",
            "two lengths",
            Reply::bytes(format!(
                "{HEAD}content-length: 20\r\ncontent-length: 500\r\n\r\n{ALLOW}"
            )),
            protocol,
        ),
        row(
            "F14",
            "negative length",
            Reply::bytes(format!("{HEAD}content-length: -1\r\n\r\n{ALLOW}")),
            protocol,
        ),
        row(
            "F14",
            "garbage for an answer",
            Reply::bytes("allow it, please\r\n\r\n"),
            protocol,
        ),
        row("F14", "no status line", Reply::bytes(ALLOW), protocol),
        row(
            "F14",
            "HTTP/2 status line",
            line("HTTP/2.0 200 OK"),
            protocol,
        ),
        row("F14", "broken status", line("HTTP/1.1 2OO OK"), protocol),
        row(
            "F14",
            "header without a colon",
            line("HTTP/1.1 200 OK\r\nnonsense"),
            protocol,
        ),
        row(
            "F14",
            "blank before a colon",
            line("HTTP/1.1 200 OK\r\nx-a : b"),
            protocol,
        ),
        row(
            "F14",
            "NUL in a header",
            line("HTTP/1.1 200 OK\r\nx-a: b\0c"),
            protocol,
        ),
        row(
            "F18",
            "a thousand headers",
            line(&format!("HTTP/1.1 200 OK{}", "\r\nx-a: b".repeat(1000))),
            &["protocol", "too_large"],
        ),
        row(
            "F18",
            "one header of 1 MiB",
            line(&format!("HTTP/1.1 200 OK\r\nx-a: {}", "b".repeat(1 << 20))),
            &["protocol", "too_large"],
        ),
        row(
            "F18",
            "never-ending headers",
            vec![
                Step::text("HTTP/1.1 200 OK\r\n"),
                Step::Forever(b"x-a: b\r\n".to_vec(), Duration::ZERO),
            ],
            &["protocol", "too_large"],
        ),
        row(
            "F17",
            "never-ending body",
            vec![
                Step::text(format!("{HEAD}\r\n{{\"decision\":\"ALLOW\",\"reason\":\"")),
                Step::Forever(vec![b'x'; 4096], Duration::ZERO),
            ],
            &["too_large"],
        ),
        row(
            "F17",
            "never-ending chunks",
            vec![
                Step::Send(chunked(&[r#"{"decision":"ALLOW","reason":""#], false)),
                Step::Forever(
                    format!("1000\r\n{}\r\n", "x".repeat(0x1000)).into_bytes(),
                    Duration::ZERO,
                ),
            ],
            &["too_large"],
        ),
    ]
}

pub(super) fn slow() -> Vec<Row> {
    let timeout: &[&str] = &["timeout"];
    let whole = response(200, &[JSON], ALLOW.as_bytes());
    let padded = format!("{HEAD}content-length: 2000\r\n\r\n");
    let mut rows = vec![
        row(
            "F15",
            "slow head",
            vec![Step::Drip(whole, slowly())],
            timeout,
        ),
        row(
            "F16",
            "slow body",
            vec![Step::text(padded), Step::Drip(vec![b' '; 2000], slowly())],
            timeout,
        ),
        row(
            "F17",
            "slow never-ending body",
            vec![
                Step::text(format!("{HEAD}\r\n{ALLOW}")),
                Step::Forever(b" ".to_vec(), slowly()),
            ],
            timeout,
        ),
        row(
            "F18",
            "slow never-ending headers",
            vec![
                Step::text("HTTP/1.1 200 OK\r\n"),
                Step::Forever(b"x: y\r\n".to_vec(), slowly()),
            ],
            timeout,
        ),
        row(
            "F19",
            "never-ending 1xx",
            vec![Step::Forever(
                b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
                slowly(),
            )],
            timeout,
        ),
        row("F20", "silence", vec![Step::Hold], timeout),
        row(
            "F20",
            "silence after the head",
            vec![
                Step::text(format!("{HEAD}content-length: 20\r\n\r\n")),
                Step::Hold,
            ],
            timeout,
        ),
        row(
            "F20",
            "silence inside the body",
            vec![
                Step::text(format!("{HEAD}content-length: 21\r\n\r\n{ALLOW}")),
                Step::Hold,
            ],
            timeout,
        ),
        row(
            "F20",
            "silence inside the chunks",
            vec![Step::Send(chunked(&[ALLOW], false)), Step::Hold],
            timeout,
        ),
        row(
            "F21",
            "100 and silence",
            vec![Step::text("HTTP/1.1 100 Continue\r\n\r\n"), Step::Hold],
            timeout,
        ),
    ];
    rows = rows.into_iter().map(|row| row.on_hold(UNDECIDED)).collect();
    let ended = Reply::bytes("HTTP/1.1 100 Continue\r\n\r\n");
    rows.push(row(
        "F21",
        "100 and the end",
        ended,
        &["protocol", "unreachable"],
    ));
    rows
}

pub(super) fn statuses() -> Vec<Row> {
    let mut rows = vec![
        row(
            "F22",
            "101",
            Reply::bytes(format!(
                "HTTP/1.1 101 -\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n{ALLOW}"
            )),
            &["status", "protocol"],
        ),
        row(
            "F23",
            "204",
            Reply::Complete(response(204, &[JSON], b"")),
            &["status"],
        ),
    ];
    for (id, status) in [
        ("F24", 205),
        ("F25", 206),
        ("F26", 203),
        ("F27", 226),
        ("F27", 201),
        ("F27", 202),
        ("F34", 400),
        ("F35", 401),
        ("F36", 403),
        ("F37", 404),
        ("F38", 407),
        ("F39", 409),
        ("F40", 422),
        ("F41", 451),
        ("F43", 500),
        ("F44", 502),
        ("F45", 503),
        ("F45", 504),
        ("F45", 599),
    ] {
        let found = row(
            id,
            format!("{status} with ALLOW"),
            Reply::json(status, ALLOW),
            &["status"],
        );
        rows.push(match status {
            202 | 500.. => found.on_hold(UNDECIDED),
            404 => found.on_hold(&["invalid_hold"]),
            _ => found,
        });
    }
    let later = [JSON, ("retry-after", "1000000000")];
    rows.push(
        row(
            "F42",
            "429, later",
            Reply::with_headers(429, &later, ALLOW),
            &["status"],
        )
        .on_hold(UNDECIDED),
    );
    rows.push(row(
        "F45",
        "status 999",
        Reply::bytes(format!(
            "HTTP/1.1 999 -\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{ALLOW}"
        )),
        &["status", "protocol"],
    ));
    for status in [300, 301, 302, 303, 307, 308] {
        let there = [JSON, ("location", "/v1/other")];
        rows.push(row(
            "F28",
            format!("{status} to the same origin"),
            Reply::with_headers(status, &there, ALLOW),
            &["redirect"],
        ));
        let nowhere = Reply::json(status, ALLOW);
        rows.push(row(
            "F33",
            format!("{status} to nowhere"),
            nowhere,
            &["redirect"],
        ));
    }
    rows
}

pub(super) fn media() -> Vec<Row> {
    let mut rows = Vec::new();
    for media in [
        "text/html",
        "text/plain",
        "application/jsonp",
        "application/json-seq",
        "text/json",
        "application/problem+json",
        "application/octet-stream",
        "json",
        "",
    ] {
        rows.push(row(
            "F67",
            format!("content-type {media:?}"),
            Reply::with_headers(200, &[("content-type", media)], ALLOW),
            &["content_type"],
        ));
    }
    rows.push(row(
        "F68",
        "no content-type",
        Reply::with_headers(200, &[], ALLOW),
        &["content_type"],
    ));
    let both = [("content-type", "text/html"), JSON];
    rows.push(row(
        "F67",
        "two content-types",
        Reply::with_headers(200, &both, ALLOW),
        &["content_type", "protocol", "ambiguous"],
    ));
    for coding in [
        "gzip",
        "br",
        "zstd",
        "deflate",
        "x-unknown",
        "identity, gzip",
    ] {
        let headers = [JSON, ("content-encoding", coding)];
        rows.push(row(
            "F69",
            format!("content-encoding {coding}"),
            Reply::with_headers(200, &headers, ALLOW),
            &["encoding"],
        ));
    }
    rows
}
