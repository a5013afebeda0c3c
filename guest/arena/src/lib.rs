//! Memory for one call: whatever is allocated, by the canonical ABI for strings and lists that are
//! passed in or by Rust, lies behind what came before it, and all of it is free when the call is over.
//!
//! One arena is enough: by a rule of the component model, an instance is not entered while it is in a
//! call; a host traps where somebody tries, before anything here runs.
//!
//! It is for wasm alone, and empty elsewhere.
#![cfg(target_family = "wasm")]
#![no_std]
#![expect(
    unsafe_code,
    reason = "memory that the host asks for by pointer and size cannot be had otherwise"
)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;

use thoth_interpreter::{Fault, Memory};

const PAGE: usize = 65_536;

unsafe extern "C" {
    /// The linker's: runs what must run first, which is nothing. Where nobody calls it, the linker puts
    /// a call of it into every export.
    fn __wasm_call_ctors();
}

struct Bounds {
    /// Where the arena begins: behind the memory that the module was instantiated with.
    base: usize,
    /// What is below is in use.
    top: usize,
    /// What is below is there.
    end: usize,
}

struct Arena(UnsafeCell<Bounds>);

// SAFETY: the module has one thread.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena(UnsafeCell::new(Bounds {
    base: 0,
    top: 0,
    end: 0,
}));

impl Bounds {
    fn allocate(&mut self, size: usize, align: usize) -> Option<usize> {
        if self.base == 0 {
            // SAFETY: once, before anything else is done with the module.
            unsafe { __wasm_call_ctors() };
            self.base = core::arch::wasm32::memory_size::<0>() * PAGE;
            (self.top, self.end) = (self.base, self.base);
        }
        let at = self.top.checked_next_multiple_of(align)?;
        self.reach(at.checked_add(size)?)?;
        Some(at)
    }

    /// Makes everything below this address part of the arena.
    fn reach(&mut self, top: usize) -> Option<()> {
        if top > self.end {
            let pages = (top - self.end).div_ceil(PAGE);
            if core::arch::wasm32::memory_grow::<0>(pages) == usize::MAX {
                return None;
            }
            self.end += pages * PAGE;
        }
        self.top = top;
        Some(())
    }
}

impl Arena {
    #[expect(
        clippy::mut_from_ref,
        reason = "one thread, and no reference outlives its function"
    )]
    fn bounds(&self) -> &mut Bounds {
        // SAFETY: one thread; nothing below calls back while it holds the reference.
        unsafe { &mut *self.0.get() }
    }
}

// SAFETY: blocks are aligned, of their size and apart from each other, until `reset`.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.bounds()
            .allocate(layout.size(), layout.align())
            .map_or(null_mut(), |at| at as *mut u8)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let bounds = self.bounds();
        if block as usize + layout.size() == bounds.top {
            bounds.top = block as usize;
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let bounds = self.bounds();
        if block as usize + layout.size() == bounds.top {
            // Nothing is behind it: it grows where it is.
            return match (block as usize).checked_add(size) {
                Some(top) if bounds.reach(top).is_some() => block,
                _ => null_mut(),
            };
        }
        let Some(moved) = bounds.allocate(size, layout.align()) else {
            return null_mut();
        };
        let moved = moved as *mut u8;
        // SAFETY: both are at least that long and apart from each other.
        unsafe { core::ptr::copy_nonoverlapping(block, moved, layout.size().min(size)) };
        moved
    }
}

/// Where the canonical ABI gets memory for strings and lists.
///
/// # Safety
/// `memory` is null with `old_size` 0, or came from here with `old_size` and `alignment`, which is a
/// power of two.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    memory: *mut u8,
    old_size: usize,
    alignment: usize,
    new_size: usize,
) -> *mut u8 {
    let Ok(old) = Layout::from_size_align(old_size, alignment) else {
        trap()
    };
    // SAFETY: by the caller's promise.
    let moved = unsafe {
        match old_size {
            0 => ARENA
                .bounds()
                .allocate(new_size, alignment)
                .map_or(null_mut(), |at| at as *mut u8),
            _ => ARENA.realloc(memory, old, new_size),
        }
    };
    if moved.is_null() {
        trap()
    }
    moved
}

/// Ends a call: all that was allocated is free.
#[unsafe(no_mangle)]
pub extern "C" fn thoth_reset() {
    let bounds = ARENA.bounds();
    bounds.top = bounds.base;
}

/// The arena as the memory of values.
#[derive(Clone, Copy, Debug)]
pub struct Linear;

impl Linear {
    fn check(at: u32, len: u32) -> Result<(), Fault> {
        let bounds = ARENA.bounds();
        let end = at.checked_add(len).ok_or(Fault)?;
        let within = at as usize >= bounds.base && end as usize <= bounds.top;
        // Nothing may be anywhere.
        if within || len == 0 {
            Ok(())
        } else {
            Err(Fault)
        }
    }
}

impl Memory for Linear {
    fn bytes(&self, at: u32, len: u32) -> Result<&[u8], Fault> {
        Self::check(at, len)?;
        if len == 0 {
            return Ok(&[]);
        }
        // SAFETY: it is within the arena, and nobody writes there while `self` is borrowed.
        Ok(unsafe { core::slice::from_raw_parts(at as *const u8, len as usize) })
    }

    fn bytes_mut(&mut self, at: u32, len: u32) -> Result<&mut [u8], Fault> {
        Self::check(at, len)?;
        if len == 0 {
            return Ok(&mut []);
        }
        // SAFETY: as in `bytes`; values are written to blocks that nothing else refers to.
        Ok(unsafe { core::slice::from_raw_parts_mut(at as *mut u8, len as usize) })
    }

    fn copy(&mut self, from: u32, to: u32, len: u32) -> Result<(), Fault> {
        Self::check(from, len)?;
        Self::check(to, len)?;
        // SAFETY: both are within the arena.
        unsafe { core::ptr::copy(from as *const u8, to as *mut u8, len as usize) };
        Ok(())
    }

    fn allocate(&mut self, size: u32, align: u32) -> Result<u32, Fault> {
        let at = ARENA.bounds().allocate(size as usize, align as usize);
        at.map(|at| at as u32).ok_or(Fault)
    }
}

/// Something is not as it must be, and nobody is left to tell.
pub fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    trap()
}
