//! The key's file: made once, private, never guessed at.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::cache::{Place, rebuilt};
use crate::components::answering;
use crate::jail::ask;
use crate::{compiler, facts};

facts![
    a_key_open_to_others_is_replaced,
    a_file_that_is_no_key_is_left_alone,
    a_key_behind_a_link_is_not_used,
    without_a_key_there_is_no_cache,
    another_key_makes_the_entries_foreign,
    eight_at_once_make_one_key,
];

fn a_key_open_to_others_is_replaced() {
    for mode in [0o604, 0o640, 0o602, 0o666] {
        let place = Place::new();
        place.compiler().component(&answering(3)).unwrap();
        let before = fs::read(place.key()).unwrap();
        fs::set_permissions(place.key(), fs::Permissions::from_mode(mode)).unwrap();
        let compiler = place.with_notices();
        assert!(
            compiler.notices()[0].contains("replaced"),
            "{:?}",
            compiler.notices()
        );
        let why = rebuilt(&compiler.component(&answering(3)).unwrap(), 3);
        assert!(why.contains("not this installation's"), "{why}");
        let mode = fs::metadata(place.key()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_ne!(fs::read(place.key()).unwrap(), before);
        place.compiler();
    }
}

/// The cache is not used, the file is as it was, and compiling works.
fn refused(place: &Place, why: &str) {
    let compiler = place.with_notices();
    assert!(
        compiler.notices()[0].contains(why),
        "{:?}",
        compiler.notices()
    );
    assert_eq!(ask(&compiler.component(&answering(3)).unwrap()), 3);
    assert!(!place.folder().exists());
}

fn a_file_that_is_no_key_is_left_alone() {
    for content in [&b""[..], b"short", &[7; 31], &[7; 33], &[7; 100_000]] {
        let place = Place::new();
        fs::create_dir_all(place.key().parent().unwrap()).unwrap();
        fs::write(place.key(), content).unwrap();
        refused(&place, "it is not a key");
        assert_eq!(fs::read(place.key()).unwrap(), content);
    }
    let place = Place::new();
    fs::create_dir_all(place.key()).unwrap();
    refused(&place, "not a regular file");
}

fn a_key_behind_a_link_is_not_used() {
    let place = Place::new();
    let theirs = place.root.path().join("theirs");
    fs::write(&theirs, [7; 32]).unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir_all(place.key().parent().unwrap()).unwrap();
    symlink(&theirs, place.key()).unwrap();
    refused(&place, "symbolic link");
}

fn without_a_key_there_is_no_cache() {
    let place = Place::new();
    let compiler = compiler(|options| options.cache = Some(place.folder()));
    assert!(
        compiler.notices()[0].contains("no key"),
        "{:?}",
        compiler.notices()
    );
    assert_eq!(ask(&compiler.component(&answering(3)).unwrap()), 3);
    assert!(!place.folder().exists());
}

fn another_key_makes_the_entries_foreign() {
    let place = Place::new();
    place.compiler().component(&answering(3)).unwrap();
    fs::remove_file(place.key()).unwrap();
    let compiler = place.compiler();
    let why = rebuilt(&compiler.component(&answering(3)).unwrap(), 3);
    assert!(why.contains("not this installation's"), "{why}");
}

fn eight_at_once_make_one_key() {
    let place = Place::new();
    place.compiler();
    fs::remove_file(place.key()).unwrap();
    std::thread::scope(|scope| {
        for answer in 0..8 {
            let place = &place;
            scope.spawn(move || place.compiler().component(&answering(answer)).unwrap());
        }
    });
    // Every entry opens with the key that is there now.
    let compiler = place.compiler();
    for answer in 0..8 {
        let compiled = compiler.component(&answering(answer)).unwrap();
        assert_eq!(compiled.source, thoth_engine::Source::Cached);
    }
    let files = fs::read_dir(place.key().parent().unwrap()).unwrap();
    assert_eq!(files.count(), 1);
}
