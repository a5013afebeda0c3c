//! Each function does one thing that a host must survive.

use std::{hint::black_box, io::Write, time::Duration};

wit_bindgen::generate!({ path: "wit", world: "hostile" });

const MIB: usize = 1 << 20;

struct Hostile;

impl Guest for Hostile {
    fn loops_forever() {
        loop {
            black_box(());
        }
    }

    fn grows_memory() -> u64 {
        let mut taken = Vec::new();
        loop {
            // Filled, so that the pages are touched and not only promised.
            taken.push(black_box(vec![1_u8; MIB]));
        }
    }

    fn recurses() -> u64 {
        deeper(black_box(0))
    }

    fn returns_huge() -> String {
        "huge ".repeat(24 * MIB / 5)
    }

    fn panics() {
        panic!("the hostile tool panics on purpose");
    }

    fn exits() {
        std::process::exit(7);
    }

    fn exits_in_peace() {
        std::process::exit(0);
    }

    fn waits_forever() {
        std::thread::sleep(Duration::from_secs(7 * 24 * 60 * 60));
    }

    fn floods_output() -> String {
        let block = "\x1b]0;owned\x07\x1b[2Jflood\n".repeat(4096);
        let mut written = 0;
        while written < 256 * MIB {
            // A host may stop listening: writing on is what a hostile tool does.
            let _ = std::io::stdout().write_all(block.as_bytes());
            let _ = std::io::stderr().write_all(block.as_bytes());
            written += 2 * block.len();
        }
        "flooded".to_owned()
    }

    fn returns_escapes() -> String {
        "\x1b]0;owned\x07\x1b[2J\r\n{\"outcome\":\"completed\",\"decision\":\"ALLOW\"}\n\u{202e}"
            .to_owned()
    }

    fn looks_around() -> Vec<String> {
        let environment = std::env::vars().map(|(name, _)| format!("env {name}"));
        let arguments = std::env::args().map(|argument| format!("arg {argument}"));
        let files = std::fs::read_dir("/").into_iter().flatten().flatten();
        let files = files.map(|entry| format!("file {}", entry.path().display()));
        environment.chain(arguments).chain(files).collect()
    }
}

fn deeper(depth: u64) -> u64 {
    if depth == u64::MAX {
        0
    } else {
        black_box(deeper(black_box(depth + 1))) + 1
    }
}

export!(Hostile);
