//! Any bytes as what a client writes: each line is a message or is refused in one line, however the bytes
//! come in pieces, and nothing is kept of a line that is too long.
#![no_main]

#[path = "../../../src/tool/inert.rs"]
mod tool;

#[path = "frames/mcp.rs"]
mod mcp;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (bytes, pieces) = input;
    for line in bytes.split(|&byte| byte == b'\n') {
        mcp::read(line);
    }
    mcp::serve(&bytes, &pieces);
});
