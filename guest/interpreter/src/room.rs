//! Memory of our own for values: what is lowered into it shows that JSON fits a type.

use alloc::vec::Vec;

use crate::memory::{Fault, Memory};

/// The first address that is handed out.
const BASE: u32 = 16;

/// A linear memory that only grows.
#[derive(Debug, Default)]
pub struct Room(Vec<u8>);

impl Room {
    fn place(at: u32, len: u32) -> Result<core::ops::Range<usize>, Fault> {
        let start = at.checked_sub(BASE).ok_or(Fault)? as usize;
        Ok(start..start + len as usize)
    }
}

impl Memory for Room {
    fn bytes(&self, at: u32, len: u32) -> Result<&[u8], Fault> {
        match len {
            0 => Ok(&[]),
            _ => self.0.get(Self::place(at, len)?).ok_or(Fault),
        }
    }

    fn bytes_mut(&mut self, at: u32, len: u32) -> Result<&mut [u8], Fault> {
        match len {
            0 => Ok(&mut []),
            _ => self.0.get_mut(Self::place(at, len)?).ok_or(Fault),
        }
    }

    fn copy(&mut self, from: u32, to: u32, len: u32) -> Result<(), Fault> {
        let bytes = self.bytes(from, len)?.to_vec();
        self.bytes_mut(to, len)?.copy_from_slice(&bytes);
        Ok(())
    }

    fn allocate(&mut self, size: u32, align: u32) -> Result<u32, Fault> {
        let start = self
            .0
            .len()
            .checked_next_multiple_of(align as usize)
            .ok_or(Fault)?;
        let end = start.checked_add(size as usize).ok_or(Fault)?;
        self.0.resize(end, 0xaa);
        u32::try_from(start)
            .ok()
            .and_then(|start| start.checked_add(BASE))
            .ok_or(Fault)
    }
}
