//! Only what this installation wrote, unchanged, is loaded; everything else is compiled again.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;
use thoth_engine::{Compiled, Compiler, Source};

use crate::components::{answering, sized};
use crate::jail::ask;
use crate::{compiler, facts};

facts![
    the_second_time_it_is_cached,
    what_is_cached_loads_this_fast,
    a_changed_byte_anywhere_is_noticed,
    an_entry_cut_anywhere_is_noticed,
    bytes_at_the_end_are_noticed,
    another_components_entry_is_noticed,
    another_installations_entry_is_noticed,
    a_link_is_not_followed,
    what_is_not_a_file_is_not_read,
    an_entry_that_is_too_large_is_not_read,
    a_folder_open_to_others_is_closed,
    a_folder_behind_a_link_is_not_used,
    a_folder_that_cannot_be_made_is_no_cache,
    a_folder_that_vanishes_is_no_harm,
    the_oldest_go_when_the_cache_is_full,
    an_invalid_component_leaves_nothing_behind,
];

pub(crate) struct Place {
    pub(crate) root: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        Self { root }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.root.path().join("cache/components")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.root.path().join("state/key")
    }

    pub(crate) fn compiler(&self) -> Compiler {
        let compiler = self.with_notices();
        assert_eq!(compiler.notices(), [""; 0]);
        compiler
    }

    pub(crate) fn with_notices(&self) -> Compiler {
        compiler(|options| {
            options.cache = Some(self.folder());
            options.key = Some(self.key());
        })
    }

    pub(crate) fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The one entry there is.
    pub(crate) fn entry(&self) -> PathBuf {
        let entries = self.entries();
        assert_eq!(entries.len(), 1);
        entries[0].clone()
    }
}

/// Why it was compiled again; it must answer this.
#[track_caller]
pub(crate) fn rebuilt(compiled: &Compiled, answer: u32) -> String {
    assert_eq!(ask(compiled), answer);
    match &compiled.source {
        Source::Rebuilt { why, .. } => why.clone(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn cached(compiled: &Compiled, answer: u32) {
    assert_eq!(ask(compiled), answer);
    assert_eq!(compiled.source, Source::Cached);
}

fn the_second_time_it_is_cached() {
    let place = Place::new();
    let first = place.compiler().component(&answering(3)).unwrap();
    assert!(matches!(first.source, Source::Compiled { .. }));
    assert_eq!(first.not_kept, None);
    let compiler = place.compiler();
    cached(&compiler.component(&answering(3)).unwrap(), 3);
    cached(&compiler.component(&answering(3)).unwrap(), 3);

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&place.entry()), 0o600);
    assert_eq!(mode(&place.key()), 0o600);
    assert_eq!(mode(&place.folder()), 0o700);
}

fn what_is_cached_loads_this_fast() {
    let place = Place::new();
    for size in [100_000, 400_000] {
        let bytes = sized(size);
        place.compiler().component(&bytes).unwrap();
        let mut times: Vec<Duration> = (0..20)
            .map(|_| {
                let start = Instant::now();
                let compiled = place.compiler().component(&bytes).unwrap();
                let time = start.elapsed();
                cached(&compiled, 42);
                time
            })
            .collect();
        times.sort();
        let entries = place.entries();
        let largest = entries
            .iter()
            .map(|path| fs::metadata(path).unwrap().size())
            .max();
        println!(
            "component {} entry {} least {:?} median {:?}",
            bytes.len(),
            largest.unwrap(),
            times[0],
            times[10]
        );
    }
}

/// What becomes of an entry that was changed in this way.
fn after(change: impl Fn(&Path)) -> String {
    let place = Place::new();
    place.compiler().component(&answering(3)).unwrap();
    change(&place.entry());
    let compiler = place.compiler();
    let why = rebuilt(&compiler.component(&answering(3)).unwrap(), 3);
    // It was put right, and an honest entry is there again.
    cached(&compiler.component(&answering(3)).unwrap(), 3);
    why
}

fn a_changed_byte_anywhere_is_noticed() {
    // Magic, authentication code, component, settings, and the code from its first byte to its last.
    let place = Place::new();
    let compiler = place.compiler();
    let bytes = answering(3);
    compiler.component(&bytes).unwrap();
    let entry = place.entry();
    let good = fs::read(&entry).unwrap();
    let code = good.len() - 104;
    for at in [
        0,
        7,
        8,
        39,
        40,
        71,
        72,
        103,
        104,
        105,
        104 + code / 2,
        good.len() - 1,
    ] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&entry, &bad).unwrap();
        let why = rebuilt(&compiler.component(&bytes).unwrap(), 3);
        let expected = if at < 8 {
            "another layout"
        } else {
            "authentication code"
        };
        assert!(why.contains(expected), "{at}: {why}");
    }
}

fn an_entry_cut_anywhere_is_noticed() {
    let place = Place::new();
    let compiler = place.compiler();
    let bytes = answering(3);
    compiler.component(&bytes).unwrap();
    let entry = place.entry();
    let good = fs::read(&entry).unwrap();
    for length in [
        0,
        1,
        8,
        39,
        40,
        103,
        104,
        105,
        good.len() / 2,
        good.len() - 1,
    ] {
        fs::write(&entry, &good[..length]).unwrap();
        let why = rebuilt(&compiler.component(&bytes).unwrap(), 3);
        let expected = if length < 104 {
            "cut off"
        } else {
            "authentication code"
        };
        assert!(why.contains(expected), "{length}: {why}");
    }
}

fn bytes_at_the_end_are_noticed() {
    let why = after(|entry| {
        let mut bytes = fs::read(entry).unwrap();
        bytes.push(0);
        fs::write(entry, bytes).unwrap();
    });
    assert!(why.contains("authentication code"), "{why}");
}

fn another_components_entry_is_noticed() {
    let place = Place::new();
    let compiler = place.compiler();
    compiler.component(&answering(3)).unwrap();
    let harmless = place.entry();
    compiler.component(&answering(4)).unwrap();
    let entries = place.entries();
    let other = entries.iter().find(|entry| **entry != harmless).unwrap();
    // Both are honest entries of this installation, so that only the header tells.
    fs::copy(other, &harmless).unwrap();
    let why = rebuilt(&compiler.component(&answering(3)).unwrap(), 3);
    assert_eq!(why, "it is another component's");
}

fn another_installations_entry_is_noticed() {
    let (one, other) = (Place::new(), Place::new());
    one.compiler().component(&answering(3)).unwrap();
    other.compiler().component(&answering(3)).unwrap();
    fs::copy(other.entry(), one.entry()).unwrap();
    let why = rebuilt(&one.compiler().component(&answering(3)).unwrap(), 3);
    assert!(why.contains("not this installation's"), "{why}");
}

fn a_link_is_not_followed() {
    let why = after(|entry| {
        // Even to what would be right.
        let moved = entry.with_file_name("moved");
        fs::rename(entry, &moved).unwrap();
        symlink(&moved, entry).unwrap();
    });
    assert_eq!(why, "it is a symbolic link");
}

fn what_is_not_a_file_is_not_read() {
    let why = after(|entry| {
        fs::remove_file(entry).unwrap();
        let made = std::process::Command::new("mkfifo").arg(entry).status();
        assert!(made.unwrap().success());
    });
    assert_eq!(why, "it is not a regular file");

    let place = Place::new();
    place.compiler().component(&answering(3)).unwrap();
    let entry = place.entry();
    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    let compiled = place.compiler().component(&answering(3)).unwrap();
    assert_eq!(rebuilt(&compiled, 3), "it is not a regular file");
    // A folder is not written over.
    assert!(compiled.not_kept.is_some());
}

fn an_entry_that_is_too_large_is_not_read() {
    let why = after(|entry| {
        let file = fs::File::options().write(true).open(entry).unwrap();
        file.set_len(1 << 40).unwrap();
    });
    assert_eq!(why, "it is too large");
}

fn a_folder_open_to_others_is_closed() {
    let place = Place::new();
    fs::create_dir_all(place.folder()).unwrap();
    fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o777)).unwrap();
    place.compiler().component(&answering(3)).unwrap();
    let mode = fs::metadata(place.folder()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

fn a_folder_behind_a_link_is_not_used() {
    let place = Place::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir_all(place.folder().parent().unwrap()).unwrap();
    symlink(elsewhere.path(), place.folder()).unwrap();
    let compiler = place.with_notices();
    assert!(
        compiler.notices()[0].contains("symbolic link"),
        "{:?}",
        compiler.notices()
    );
    assert_eq!(ask(&compiler.component(&answering(3)).unwrap()), 3);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

fn a_folder_that_cannot_be_made_is_no_cache() {
    let place = Place::new();
    fs::write(place.root.path().join("cache"), "").unwrap();
    let compiler = place.with_notices();
    assert_eq!(compiler.notices().len(), 1);
    let compiled = compiler.component(&answering(3)).unwrap();
    assert_eq!(ask(&compiled), 3);
    assert!(matches!(compiled.source, Source::Compiled { .. }));
}

fn a_folder_that_vanishes_is_no_harm() {
    // As with one that cannot be written to, which a superuser does not meet.
    let place = Place::new();
    let compiler = place.compiler();
    fs::remove_dir(place.folder()).unwrap();
    let compiled = compiler.component(&answering(3)).unwrap();
    assert_eq!(ask(&compiled), 3);
    assert!(compiled.not_kept.unwrap().contains("not kept"));
}

fn the_oldest_go_when_the_cache_is_full() {
    let place = Place::new();
    place.compiler().component(&answering(1)).unwrap();
    let one = place.entry();
    let size = fs::metadata(&one).unwrap().size();
    let age = |path: &Path, seconds| {
        let file = fs::File::open(path).unwrap();
        let then = SystemTime::now() - Duration::from_secs(seconds);
        file.set_modified(then).unwrap();
    };
    age(&one, 3_000);
    let stale = place.folder().join(".half-written");
    fs::write(&stale, "x").unwrap();
    age(&stale, 2_000);
    let small = compiler(|options| {
        options.cache = Some(place.folder());
        options.key = Some(place.key());
        options.cache_size = 2 * size + size / 2;
    });
    small.component(&answering(2)).unwrap();
    assert_eq!(place.entries().len(), 3);
    // Use makes young: the first is now newer than what was half written.
    cached(&small.component(&answering(1)).unwrap(), 1);
    let two = place
        .entries()
        .into_iter()
        .find(|path| *path != one && *path != stale);
    age(&two.unwrap(), 2_500);
    small.component(&answering(3)).unwrap();
    assert!(one.exists());
    cached(&small.component(&answering(1)).unwrap(), 1);
    cached(&small.component(&answering(3)).unwrap(), 3);
    let again = small.component(&answering(2)).unwrap();
    assert!(matches!(again.source, Source::Compiled { .. }));
}

fn an_invalid_component_leaves_nothing_behind() {
    let place = Place::new();
    place
        .compiler()
        .component(b"\0asm\x0d\0\x01\0?")
        .unwrap_err();
    assert_eq!(place.entries().len(), 0);
}
