//! `wasi:cli/environment` by the canonical ABI, exported on top of what is imported. The names of the
//! functions stand for every version 0.2 of it.
#![expect(unsafe_code, reason = "strings and lists are passed by address")]

use core::cell::UnsafeCell;
use core::slice::from_raw_parts;

/// A pointer and a length.
#[derive(Clone, Copy)]
#[repr(C)]
struct Slice {
    at: *mut Variable,
    len: usize,
}

/// A string in memory.
#[derive(Clone, Copy)]
#[repr(C)]
struct Text {
    at: *const u8,
    len: usize,
}

/// A name and its value.
#[derive(Clone, Copy)]
#[repr(C)]
struct Variable {
    name: Text,
    value: Text,
}

#[link(wasm_import_module = "cm32p2|wasi:cli/environment@0.2")]
unsafe extern "C" {
    #[link_name = "get-environment"]
    fn everything(variables: *mut Slice);
}

unsafe extern "C" {
    /// Where the names are.
    #[link_name = "__heap_base"]
    static NAMES: u8;
}

/// Room for what a function returns; zero is an empty list, and no value.
struct Area(UnsafeCell<Slice>);

// SAFETY: the module has one thread.
unsafe impl Sync for Area {}

static NOTHING: Area = Area(UnsafeCell::new(Slice {
    at: core::ptr::null_mut(),
    len: 0,
}));
static KEPT: Area = Area(UnsafeCell::new(Slice {
    at: core::ptr::null_mut(),
    len: 0,
}));

#[unsafe(export_name = "cm32p2|wasi:cli/environment@0.2|get-environment")]
extern "C" fn get_environment() -> *const Slice {
    let area = KEPT.0.get();
    // SAFETY: the import leaves a list of strings, which is ours until the call is over.
    unsafe {
        everything(area);
        let all = (*area).at;
        let mut kept = 0;
        for index in 0..(*area).len {
            let variable = *all.add(index);
            if is_named(from_raw_parts(variable.name.at, variable.name.len)) {
                *all.add(kept) = variable;
                kept += 1;
            }
        }
        (*area).len = kept;
    }
    area
}

#[unsafe(export_name = "cm32p2|wasi:cli/environment@0.2|get-environment_post")]
extern "C" fn after(_: *const Slice) {
    thoth_arena::thoth_reset();
}

#[unsafe(export_name = "cm32p2|wasi:cli/environment@0.2|get-arguments")]
extern "C" fn get_arguments() -> *const Slice {
    NOTHING.0.get()
}

#[unsafe(export_name = "cm32p2|wasi:cli/environment@0.2|initial-cwd")]
extern "C" fn initial_cwd() -> *const Slice {
    NOTHING.0.get()
}

/// Whether it is one of the names that were chosen.
fn is_named(name: &[u8]) -> bool {
    let mut at = &raw const NAMES;
    // SAFETY: `thoth wrap` put as many names there as it says, with their lengths.
    unsafe {
        let word = |at: *const u8| at.cast::<u32>().read_unaligned() as usize;
        let count = word(at);
        at = at.add(4);
        for _ in 0..count {
            let len = word(at);
            if from_raw_parts(at.add(4), len) == name {
                return true;
            }
            at = at.add(4 + len);
        }
    }
    false
}
