//! Compiled code that may be run, and the one place where it is taken for that.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Machine code of our own compiler, in wasmtime's serialized form.
///
/// INVARIANT: made in three places only: by the compiler in this process, of the answer of the
/// compiler command, and of a cache entry whose authentication code was right over these very bytes,
/// in this memory.
pub(crate) struct Code {
    bytes: Vec<u8>,
    /// Where the code begins; before it stands what it came with.
    start: usize,
}

impl Code {
    /// The caller keeps the invariant above.
    pub(crate) fn vouched_for(bytes: Vec<u8>, start: usize) -> Self {
        Self { bytes, start }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Loads it into the engine.
    ///
    /// # Errors
    /// The engine has other settings, or cannot hold what the component asks for at once (a table or
    /// memory larger than its pool gives).
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        #[expect(
            unsafe_code,
            reason = "compiled code cannot be checked, it can only come from a known place"
        )]
        // SAFETY: `deserialize` asks for bytes that wasmtime serialized, unchanged. The type's
        // invariant says so, and that they are in memory of this process, which nobody else writes.
        // That version and settings are this engine's is checked by wasmtime.
        unsafe {
            Component::deserialize(engine, self.bytes())
        }
    }
}
