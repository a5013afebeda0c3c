//! The memory that values are in.

/// The memory or the table is not as the canonical ABI and `thoth wrap` leave it. Nothing can be said
/// to anybody any more: the adapter traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

/// A linear memory. Addresses are those of the component; whatever is not within what was allocated
/// is a [`Fault`].
pub trait Memory {
    /// The bytes there.
    ///
    /// # Errors
    /// They are not all within what was allocated.
    fn bytes(&self, at: u32, len: u32) -> Result<&[u8], Fault>;

    /// The bytes there, to be written.
    ///
    /// # Errors
    /// As `bytes`.
    fn bytes_mut(&mut self, at: u32, len: u32) -> Result<&mut [u8], Fault>;

    /// Copies bytes between places that do not overlap.
    ///
    /// # Errors
    /// As `bytes`.
    fn copy(&mut self, from: u32, to: u32, len: u32) -> Result<(), Fault>;

    /// New memory, of any content.
    ///
    /// # Errors
    /// There is no more.
    fn allocate(&mut self, size: u32, align: u32) -> Result<u32, Fault>;

    /// A number of that many bytes, 1, 2, 4 or 8.
    ///
    /// # Errors
    /// As `bytes`.
    fn load(&self, at: u32, size: u32) -> Result<u64, Fault> {
        let mut word = [0; 8];
        let bytes = self.bytes(at, size)?;
        word.get_mut(..bytes.len())
            .ok_or(Fault)?
            .copy_from_slice(bytes);
        Ok(u64::from_le_bytes(word))
    }

    /// Writes the low bytes of a number.
    ///
    /// # Errors
    /// As `bytes`.
    fn store(&mut self, at: u32, size: u32, value: u64) -> Result<(), Fault> {
        let word = value.to_le_bytes();
        let bytes = word.get(..size as usize).ok_or(Fault)?;
        self.bytes_mut(at, size)?.copy_from_slice(bytes);
        Ok(())
    }

    /// A pointer and a length, as strings and lists have them.
    ///
    /// # Errors
    /// As `bytes`.
    fn slice(&self, at: u32) -> Result<(u32, u32), Fault> {
        let both = self.load(at, 8)?;
        Ok((both as u32, (both >> 32) as u32))
    }

    /// Writes a pointer and a length.
    ///
    /// # Errors
    /// As `bytes`.
    fn store_slice(&mut self, at: u32, to: u32, len: u32) -> Result<(), Fault> {
        self.store(at, 8, u64::from(to) | u64::from(len) << 32)
    }
}
