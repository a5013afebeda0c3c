//! Each function does one thing that a host must survive.
// The generated code takes a record apart and passes its fields one by one.
#![allow(clippy::too_many_arguments)]

mod files;
mod host;
mod network;

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

    fn leaks(thing: Thing) -> u32 {
        host::leak(thing)
    }

    fn waits_for(event: Event) -> u32 {
        host::wait(event)
    }

    fn takes_random(bytes: u64) -> u64 {
        wasip2::random::random::get_random_bytes(bytes).len() as u64
    }

    fn says_and_traps(bytes: Vec<u8>) {
        let _closed = std::io::stderr().write_all(&bytes);
        std::process::abort();
    }

    fn fails_with(text: String) -> Result<(), String> {
        Err(text)
    }

    fn returns(text: String) -> String {
        text
    }

    fn reaches_out() -> Vec<String> {
        host::reach()
    }

    fn sends(request: Request) -> Result<u16, String> {
        network::send(&request)
    }

    fn sends_headers(authority: String, count: u32) -> Result<u16, String> {
        network::send_headers(authority, count)
    }

    fn sends_at_once(authority: String, count: u32) -> u32 {
        network::send_at_once(&authority, count)
    }

    fn sends_without_end(authority: String) -> Result<u16, String> {
        network::send_without_end(&authority)
    }

    fn gets_all(authority: String, path: String) -> Result<u64, String> {
        network::get_all(authority, path)
    }

    fn touches(act: Act, path: String, other: String) -> Result<String, String> {
        files::touch(act, &path, &other).map_err(|error| error.to_string())
    }

    fn opens_often(path: String, count: u32) -> u32 {
        files::open_often(&path, count)
    }

    fn writes_much(path: String, mebibytes: u32) -> u32 {
        files::write_much(&path, mebibytes)
    }

    fn reads_often(path: String, count: u32) -> Vec<String> {
        files::read_often(&path, count)
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
