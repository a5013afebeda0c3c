//! Compiled code on disk: only what this installation wrote, unchanged, comes out again.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use hmac::Mac as _;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, fchmod,
    fstat, futimens, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::code::Code;
use crate::key::{Key, READ, owned};
use crate::text::hex;

/// The first bytes of an entry; another layout gets another.
const MAGIC: [u8; 8] = *b"thothc01";
const MAC: usize = 32;
const HEADER: usize = 64;
const START: usize = MAGIC.len() + MAC + HEADER;

/// Which code: of which component, for an engine of which settings.
#[derive(Clone, Copy)]
pub(crate) struct Id {
    pub(crate) component: [u8; 32],
    pub(crate) settings: [u8; 32],
}

impl Id {
    fn file_name(&self) -> String {
        let digest = Sha256::new()
            .chain_update(self.component)
            .chain_update(self.settings)
            .chain_update(env!("CARGO_PKG_VERSION"))
            .finalize();
        hex(&digest)
    }

    fn header(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        let (component, settings) = header.split_at_mut(32);
        component.copy_from_slice(&self.component);
        settings.copy_from_slice(&self.settings);
        header
    }
}

/// What the cache has for an [`Id`].
pub(crate) enum Found {
    Code(Code),
    Nothing,
    /// Something that must not be used, and why.
    Bad(String),
}

/// A folder that only this user can reach into, held open, so that everything happens in this one
/// whatever becomes of its path.
pub(crate) struct Cache {
    folder: OwnedFd,
    key: Key,
    /// The largest entry that is read.
    entry_max: u64,
    /// The most that all entries together have.
    size_max: u64,
}

impl Cache {
    /// Opens the folder, or makes it. One that others can reach into is closed to them.
    pub(crate) fn open(path: &Path, key: Key, code_max: u64, size_max: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let flags = READ | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let folder = openat(CWD, path, flags, Mode::empty()).map_err(|error| match error {
            Errno::LOOP | Errno::NOTDIR => io::Error::other("it is a symbolic link"),
            _ => error.into(),
        })?;
        let stat = fstat(&folder)?;
        owned(&stat, FileType::Directory)?;
        if stat.st_mode & 0o077 != 0 {
            fchmod(&folder, Mode::RWXU)?;
        }
        Ok(Self {
            folder,
            key,
            entry_max: code_max.saturating_add(START as u64),
            size_max,
        })
    }

    pub(crate) fn get(&self, id: &Id) -> Found {
        match self.read(id) {
            Ok(Some(code)) => Found::Code(code),
            Ok(None) => Found::Nothing,
            Err(error) => Found::Bad(error.to_string()),
        }
    }

    fn read(&self, id: &Id) -> io::Result<Option<Code>> {
        let name = id.file_name();
        let flags = READ | OFlags::NOFOLLOW;
        let file = match openat(&self.folder, &name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(io::Error::other("it is a symbolic link")),
            Err(error) => return Err(error.into()),
        };
        let stat = fstat(&file)?;
        owned(&stat, FileType::RegularFile)?;
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if size > self.entry_max {
            return Err(io::Error::other("it is too large"));
        }
        // Read once into memory of our own: what is authenticated is what is loaded, whoever holds
        // the file open. A map of it could change in between.
        let mut entry = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
        (&file)
            .take(self.entry_max.saturating_add(1))
            .read_to_end(&mut entry)?;
        self.check(id, &entry)?;
        // The oldest are removed first, so use makes young. Where it cannot be written down, an
        // entry is removed early, at worst.
        let _read_only = futimens(&file, &now());
        Ok(Some(Code::vouched_for(entry, START)))
    }

    fn check(&self, id: &Id, entry: &[u8]) -> io::Result<()> {
        let fail = |why| Err(io::Error::other(why));
        let Some((magic, rest)) = entry.split_first_chunk::<{ MAGIC.len() }>() else {
            return fail("it is cut off");
        };
        let Some((mac, rest)) = rest.split_first_chunk::<MAC>() else {
            return fail("it is cut off");
        };
        let Some((header, code)) = rest.split_first_chunk::<HEADER>() else {
            return fail("it is cut off");
        };
        if *magic != MAGIC {
            return fail("it is of another layout");
        }
        let expected = self.key.authenticate(&[magic, header, code])?;
        // In constant time. Before anything that it covers is believed.
        if expected.verify_slice(mac).is_err() {
            return fail(
                "its authentication code is not this installation's: it was changed, or copied here",
            );
        }
        if *header != id.header() {
            return fail("it is another component's");
        }
        Ok(())
    }

    /// Keeps code, in place of what is there, and removes the oldest beyond the cache's size.
    pub(crate) fn put(&self, id: &Id, code: &Code) -> io::Result<()> {
        let header = id.header();
        let mac = self
            .key
            .authenticate(&[&MAGIC, &header, code.bytes()])?
            .finalize()
            .into_bytes();
        let mut random = [0; 12];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let temporary = format!(".{}", hex(&random));
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(openat(&self.folder, &temporary, flags, mode)?);
        // Not synced: an entry that a power cut tore does not authenticate and is made again.
        let written = [&MAGIC[..], &mac[..], &header[..], code.bytes()]
            .into_iter()
            .try_for_each(|part| file.write_all(part))
            .and_then(|()| {
                renameat(&self.folder, &temporary, &self.folder, id.file_name())
                    .map_err(io::Error::from)
            });
        if written.is_err() {
            let _gone = unlinkat(&self.folder, &temporary, AtFlags::empty());
        }
        written?;
        self.sweep()
    }

    /// Removes the oldest files until the rest fits. What a crash left half written ages as well.
    fn sweep(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.folder)? {
            let name = entry?.file_name().to_owned();
            // One that another process has just removed is no longer of interest.
            let Ok(stat) = statat(&self.folder, &name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                files.push(((stat.st_mtime, stat.st_mtime_nsec), size, name));
            }
        }
        files.sort_by(|(one, ..), (other, ..)| other.cmp(one));
        let mut sum = 0_u64;
        // The newest stays, however large it is.
        for (at, (_, size, name)) in files.into_iter().enumerate() {
            sum = sum.saturating_add(size);
            if at > 0 && sum > self.size_max {
                match unlinkat(&self.folder, &name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

fn now() -> Timestamps {
    let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    Timestamps {
        last_access: time(UTIME_OMIT),
        last_modification: time(UTIME_NOW),
    }
}
