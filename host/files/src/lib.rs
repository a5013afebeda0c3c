//! The files that a tool sees: `wasi:filesystem` 0.2 over the folders that it is granted.
//!
//! [`Folders`] are opened once, when a tool is loaded; whatever is put in the place of a folder's path
//! later is not seen. A [`FilesCtx`] belongs to one call: what the guest has open, what it may still
//! write, and the [`Gate`] that decides about each file of a governed folder. Resolving a path below a
//! folder and the system calls are wasmtime-wasi's; this layer stands before them and decides.
//!
//! - **Read-only is read-only**, whatever the guest asks: the refusal (`read-only`) comes before
//!   anything reaches the kernel, and wasmtime-wasi's own check and a handle opened for reading are
//!   behind it.
//! - **In a governed folder the path decided on is the path opened.** It is walked from the folder's
//!   root, name by name, and no symbolic link is followed (`loop`, `not-directory`). What is asked about
//!   is in [`Opening`]; what a stat shows is not asked about.
//! - **A call is bounded**: [`Budgets`] for open files and for bytes, and fixed caps beside them:
//!   twice as many streams as open files, 65,535 listed names at a time, paths of 4,096 bytes. A new
//!   name in a folder counts as 4 KiB written.
//! - Refused everywhere: paths that are absolute, leave the folder, or hold NUL or `\`; links and
//!   renames from one granted folder into another (`cross-device`); new symbolic links that are
//!   absolute or hold `..`; devices, pipes and sockets (`access`).
//!
//! - **What is private stays so under another name.** A file is compared with what is not the tool's when it
//!   is opened, by device and inode: a hard link of it in a granted folder does not show it (`access`).
//!   Nothing of `/proc` and `/sys` is opened, wherever they are mounted.
//!
//! What it cannot see: that a file of the folder has another name outside of it, which is no secret of ours;
//! and that a disk takes two spellings for one name (`a.md` and `A.MD`): there a gate has to compare as the
//! disk does.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod budgets;
mod ctx;
mod descriptor;
mod folders;
mod gate;
mod listing;
mod opening;
mod path;
mod place;
mod streams;
mod walk;

use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};

pub use budgets::{Budgets, Usage};
pub use ctx::{Files, FilesCtx, FilesView};
pub use folders::{Folders, Unopened};
pub use gate::{Gate, Mode, Opening};

/// Links `wasi:filesystem/types` and `wasi:filesystem/preopens`, in place of wasmtime-wasi's own. The
/// streams that files give out need `wasi:io` of wasmtime-wasi beside it.
///
/// # Errors
///
/// If one of the two interfaces is in the linker already.
pub fn add_to_linker<T: FilesView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    types::add_to_linker::<T, HasFiles>(linker, T::files)?;
    preopens::add_to_linker::<T, HasFiles>(linker, T::files)
}

struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = Files<'a>;
}
