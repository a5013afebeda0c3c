//! What `std` would otherwise bring: memory, and the end of the world.
#![expect(
    unsafe_code,
    reason = "memory that the host asks for by pointer and size cannot be had otherwise"
)]

use alloc::alloc::{Layout, alloc, realloc};
use core::ptr::null_mut;

#[global_allocator]
static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Where the host gets memory for the strings and lists that it passes in, by the component model's
/// canonical ABI. It must be the memory of Rust's allocator, since the bindings free it as such;
/// WASI's libc has a function of this name on an allocator of its own, which this one replaces.
///
/// # Safety
/// `memory` is null with `old_size` 0, or came from here with `old_size` and `alignment`; `alignment`
/// is a power of two.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    memory: *mut u8,
    old_size: usize,
    alignment: usize,
    new_size: usize,
) -> *mut u8 {
    if new_size == 0 {
        // Nothing will be read or written there; it only has to be aligned.
        return core::ptr::without_provenance_mut(alignment);
    }
    let moved = match (
        Layout::from_size_align(old_size, alignment),
        Layout::from_size_align(new_size, alignment),
    ) {
        // SAFETY: the new size is not zero.
        (Ok(_), Ok(new)) if old_size == 0 => unsafe { alloc(new) },
        // SAFETY: by the caller's promise; the new size is not zero and fits its alignment.
        (Ok(old), Ok(_)) => unsafe { realloc(memory, old, new_size) },
        _ => null_mut(),
    };
    if moved.is_null() {
        core::arch::wasm32::unreachable()
    }
    moved
}

/// A fault of the governor's own ends in a trap. The host refuses the call (`governor-fault`) and
/// throws the instance away, so there is nobody to tell more.
#[panic_handler]
fn trap(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
