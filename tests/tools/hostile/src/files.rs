//! What is done to files, granted or not.

use std::{
    fs::{self, File, FileTimes, OpenOptions},
    io::{self, Read, Write},
    time::{Duration, SystemTime},
};

use wasip2::filesystem::{preopens::get_directories, types::Descriptor};

use crate::Act;

const MIB: usize = 1 << 20;

/// Does one thing to a file.
pub(crate) fn touch(act: Act, path: &str, other: &str) -> io::Result<String> {
    let nothing = |()| String::new();
    match act {
        Act::Read => fs::read_to_string(path),
        Act::Write => fs::write(path, "overwritten").map(nothing),
        Act::Append => {
            let mut file = OpenOptions::new().append(true).open(path)?;
            file.write_all(b"more").map(nothing)
        }
        Act::Truncate => {
            // Two ways: when it is opened, and after.
            let opened = OpenOptions::new().write(true).truncate(true).open(path);
            let cut = File::open(path).and_then(|file| file.set_len(0));
            opened.map(drop).or(cut).map(nothing)
        }
        Act::Rename => fs::rename(path, other).map(nothing),
        Act::Link => fs::hard_link(path, other).map(nothing),
        Act::Symlink => symlink(path, other).map(nothing),
        Act::Remove => fs::remove_file(path).map(nothing),
        Act::MakeFolder => fs::create_dir(path).map(nothing),
        Act::SetTimes => {
            let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
            let times = FileTimes::new()
                .set_accessed(long_ago)
                .set_modified(long_ago);
            File::open(path)?.set_times(times).map(nothing)
        }
        Act::WriteUnopened => File::open(path)?.write_all(b"overwritten").map(nothing),
        Act::LinkAndRead => {
            symlink(path, other)?;
            fs::read_to_string(other)
        }
    }
}

/// A symbolic link at `at`, in a folder that is granted, with this text in it.
fn symlink(target: &str, at: &str) -> io::Result<()> {
    let (folder, rest) = granted(at).ok_or(io::ErrorKind::NotFound)?;
    folder
        .symlink_at(target, &rest)
        .map_err(|error| io::Error::other(error.to_string()))
}

fn granted(path: &str) -> Option<(Descriptor, String)> {
    get_directories().into_iter().find_map(|(folder, name)| {
        let rest = path.strip_prefix(&name)?.trim_start_matches('/').to_owned();
        Some((folder, rest))
    })
}

/// Opens a file and never closes it.
pub(crate) fn open_often(path: &str, count: u32) -> u32 {
    (0..count)
        .take_while(|_| File::open(path).map(std::mem::forget).is_ok())
        .count() as u32
}

/// Writes a file that grows.
pub(crate) fn write_much(path: &str, mebibytes: u32) -> u32 {
    let Ok(mut file) = File::create(path) else {
        return 0;
    };
    let block = vec![b'w'; MIB];
    (0..mebibytes)
        .take_while(|_| file.write_all(&block).is_ok())
        .count() as u32
}

/// What a name stands for, again and again.
pub(crate) fn read_often(path: &str, count: u32) -> Vec<String> {
    let mut strange = Vec::new();
    for _ in 0..count {
        let mut text = String::new();
        let read = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
        if read.is_ok() && text != "inside" && !strange.contains(&text) {
            strange.push(text);
        }
    }
    strange
}
