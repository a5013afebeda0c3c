//! Why JSON does not fit, each made in one place.

use alloc::format;

use crate::layout::Kind;
use crate::memory::Fault;
use crate::misfit::{Misfit, quoted};
use crate::reader::Token;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The JSON does not fit the type.
    Misfit(Misfit),
    /// The memory or the table is not what it should be.
    Fault,
}

impl From<Misfit> for Error {
    fn from(misfit: Misfit) -> Self {
        Error::Misfit(misfit)
    }
}

impl From<Fault> for Error {
    fn from(Fault: Fault) -> Self {
        Error::Fault
    }
}

impl Error {
    pub(super) fn below(self, name: &[u8]) -> Self {
        match self {
            Error::Misfit(misfit) => Error::Misfit(misfit.below(name)),
            Error::Fault => Error::Fault,
        }
    }

    pub(super) fn at(self, index: u32) -> Self {
        match self {
            Error::Misfit(misfit) => Error::Misfit(misfit.at(index)),
            Error::Fault => Error::Fault,
        }
    }
}

/// An error is made once and not in each place that may find one: the adapter is in every component.
#[cold]
#[inline(never)]
pub(super) fn expected(what: &str, token: Token) -> Error {
    Misfit::new(format!("expected {what}, got {}", token.name())).into()
}

#[cold]
#[inline(never)]
pub(super) fn out_of_range(text: &[u8], kind: Kind) -> Misfit {
    Misfit::new(format!(
        "{} is out of range for {}",
        quoted(text),
        kind.name()
    ))
}

#[cold]
#[inline(never)]
pub(super) fn length(expected: u32, found: usize, what: &str) -> Error {
    Misfit::new(format!("expected {expected} {what}, got {found}")).into()
}

#[cold]
#[inline(never)]
pub(super) fn more(expected: u32) -> Error {
    Misfit::new(format!("expected {expected} items, got more")).into()
}

#[cold]
#[inline(never)]
pub(super) fn twice(name: &[u8]) -> Error {
    Misfit::new(format!("the key {} comes twice", quoted(name))).into()
}

#[cold]
#[inline(never)]
pub(super) fn one_key(names: &str) -> Error {
    Misfit::new(format!("expected an object with exactly one key, {names}")).into()
}
