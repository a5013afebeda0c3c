//! Where a trampoline leaves the flat parameters of a call, and finds what to pass on or to return.
#![expect(
    unsafe_code,
    reason = "the trampolines know this memory by its address"
)]

use core::cell::UnsafeCell;

/// How many flat parameters there are at most.
const PARAMETERS: usize = 16;

/// The slot behind those: the function's direct result, or the address of its result.
const RESULT: usize = PARAMETERS;

/// Flat values, each in the low bits of its slot.
#[repr(C)]
pub(crate) struct Slots(UnsafeCell<[u64; PARAMETERS + 1]>);

// SAFETY: the module has one thread.
unsafe impl Sync for Slots {}

#[unsafe(no_mangle)]
static THOTH_SLOTS: Slots = Slots(UnsafeCell::new([0; PARAMETERS + 1]));

/// What the trampoline stored.
pub(crate) fn read() -> [u64; PARAMETERS] {
    // SAFETY: one thread, and a copy.
    let slots = unsafe { THOTH_SLOTS.0.get().read_volatile() };
    let mut parameters = [0; PARAMETERS];
    for (parameter, slot) in parameters.iter_mut().zip(slots) {
        *parameter = slot;
    }
    parameters
}

/// What the function returned: its direct result, or the address of it.
pub(crate) fn result() -> u64 {
    // SAFETY: as in `read`.
    let slots = unsafe { THOTH_SLOTS.0.get().read_volatile() };
    slots.last().copied().unwrap_or(0)
}

/// What to pass on.
pub(crate) fn write(parameters: &[u64; PARAMETERS]) {
    for (index, value) in parameters.iter().enumerate() {
        set(index, *value);
    }
}

/// What to return, or where the function is to leave its result.
pub(crate) fn set_result(value: u64) {
    set(RESULT, value);
}

fn set(index: usize, value: u64) {
    let slots = THOTH_SLOTS.0.get().cast::<u64>();
    // SAFETY: both callers have an index of a slot; one thread.
    unsafe { slots.add(index).write_volatile(value) }
}
