//! The governor's gate, `thoth:governance/gate` in `wit/gate.wit`, by the canonical ABI.
//!
//! Bindings would bring an allocator's worth of code for three functions. That the types are these is
//! checked whenever a component is wrapped: the adapter is validated against the WIT.
#![expect(unsafe_code, reason = "imported functions take addresses")]

use thoth_arena::Linear;
use thoth_interpreter::Fault;

use thoth_interpreter::Memory as _;

#[link(wasm_import_module = "cm32p2|thoth:governance/gate@0.1")]
unsafe extern "C" {
    #[link_name = "check"]
    fn import_check(
        tool: *const u8,
        tool_len: usize,
        failed: u32,
        text: *const u8,
        text_len: usize,
        ruling: *mut Area,
    );
    #[link_name = "reject"]
    fn import_reject(ticket: u64, why: *const u8, why_len: usize, json: *mut Area);
    #[link_name = "done"]
    fn import_done(ticket: u64, ended: u32, text: *const u8, text_len: usize);
}

/// Room for what a function returns: a `ruling` at the most, which is a tag and, from the eighth byte
/// on, a ticket, a ticket with text, or text.
#[repr(C, align(8))]
struct Area {
    words: [u32; 6],
}

const EMPTY: Area = Area { words: [0; 6] };

/// What to do with a call.
pub(crate) enum Ruling {
    Allow(u64),
    Modify(u64, Text),
    Refuse(Text),
}

/// Text from the governor, in the arena.
pub(crate) struct Text(u32, u32);

impl Text {
    pub(crate) fn bytes(&self) -> Result<&[u8], Fault> {
        // The arena outlives the call, and the governor's text is written by nobody.
        let bytes = Linear.bytes(self.0, self.1)?;
        // SAFETY: the block is in the arena until the call ends, and so is `self`.
        Ok(unsafe { core::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) })
    }
}

/// How a call ended.
pub(crate) enum Ended<'a> {
    Completed(&'a [u8]),
    Failed(&'a [u8]),
    Untold(&'a str),
}

/// Asks about a call: its arguments, or why they cannot be told.
pub(crate) fn check(tool: &[u8], arguments: Result<&[u8], &str>) -> Result<Ruling, Fault> {
    let (failed, text) = match arguments {
        Ok(json) => (0, json),
        Err(why) => (1, why.as_bytes()),
    };
    let mut area = EMPTY;
    // SAFETY: the addresses are those of texts and of an area that is large enough.
    unsafe {
        import_check(
            tool.as_ptr(),
            tool.len(),
            failed,
            text.as_ptr(),
            text.len(),
            &mut area,
        );
    }
    let [tag, _, first, second, third, fourth] = area.words;
    let ticket = u64::from(first) | u64::from(second) << 32;
    match tag & 0xff {
        0 => Ok(Ruling::Allow(ticket)),
        1 => Ok(Ruling::Modify(ticket, Text(third, fourth))),
        2 => Ok(Ruling::Refuse(Text(first, second))),
        _ => Err(Fault),
    }
}

/// Tells that nothing ran, and returns the refusal.
pub(crate) fn reject(ticket: u64, why: &str) -> Text {
    let mut area = EMPTY;
    // SAFETY: as in `check`.
    unsafe { import_reject(ticket, why.as_ptr(), why.len(), &mut area) };
    let [text, len, ..] = area.words;
    Text(text, len)
}

/// Tells what came of a call.
pub(crate) fn done(ticket: u64, ended: Ended<'_>) {
    let (tag, text) = match ended {
        Ended::Completed(json) => (0, json),
        Ended::Failed(json) => (1, json),
        Ended::Untold(why) => (2, why.as_bytes()),
    };
    // SAFETY: as in `check`.
    unsafe { import_done(ticket, tag, text.as_ptr(), text.len()) }
}
