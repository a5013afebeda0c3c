//! Steps by way of WASI's own functions, which no library has cleaned up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Advice, Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
    filesystem_error_code,
};
use wasip2::io::streams::{OutputStream, StreamError};

thread_local! {
    static OPEN: RefCell<HashMap<String, Rc<Descriptor>>> = RefCell::default();
}

type Done = Result<String, String>;

pub(crate) fn step(step: &[&str]) -> Done {
    match step {
        ["preopens"] => {
            let folders = get_directories();
            let names: Vec<_> = folders.iter().map(|(_, path)| path.as_str()).collect();
            Ok(names.join(" "))
        }
        ["open", name, folder, path, flags] => {
            let folder = named(folder)?;
            let opened = open(&folder, path, flags).map_err(code)?;
            OPEN.with_borrow_mut(|open| open.insert((*name).to_owned(), Rc::new(opened)));
            Ok(String::new())
        }
        ["close", name] => {
            OPEN.with_borrow_mut(|open| open.remove(*name));
            Ok(String::new())
        }
        ["open-often", folder, path, flags, number] => {
            let folder = named(folder)?;
            for _ in 0..count(number) {
                open(&folder, path, flags).map_err(code)?;
            }
            Ok(String::new())
        }
        ["hold", folder, path, flags, number] => {
            let folder = named(folder)?;
            most(count(number), || open(&folder, path, flags).map_err(code))
        }
        ["hold-streams", name, number] => {
            let file = named(name)?;
            most(count(number), || file.read_via_stream(0).map_err(code))
        }
        // Each file is closed at once, and kept open by its stream.
        ["hold-by-stream", folder, path, number] => {
            let folder = named(folder)?;
            most(count(number), || {
                let file = open(&folder, path, "read").map_err(code)?;
                file.read_via_stream(0).map_err(code)
            })
        }
        ["hold-listings", folder, number] => {
            let folder = named(folder)?;
            most(count(number), || folder.read_directory().map_err(code))
        }
        ["read", name] => {
            let (bytes, _) = named(name)?.read(1 << 16, 0).map_err(code)?;
            Ok(text(&bytes))
        }
        ["stream-read", name] => {
            let stream = named(name)?.read_via_stream(0).map_err(code)?;
            let mut all = Vec::new();
            loop {
                match stream.blocking_read(1 << 16) {
                    Ok(bytes) => all.extend(bytes),
                    Err(StreamError::Closed) => return Ok(text(&all)),
                    Err(error) => return Err(stream_code(&error)),
                }
            }
        }
        ["write", name, offset, text] => {
            let written = named(name)?.write(text.as_bytes(), count(offset));
            written.map(|bytes| bytes.to_string()).map_err(code)
        }
        ["write-bytes", name, number] => {
            let bytes = vec![b'x'; count(number) as usize];
            let written = named(name)?.write(&bytes, 0).map_err(code)?;
            Ok(written.to_string())
        }
        ["stream-write", name, offset, number] => {
            let stream = named(name)?.write_via_stream(count(offset)).map_err(code)?;
            pour(&stream, count(number))
        }
        ["append", name, number] => {
            let stream = named(name)?.append_via_stream().map_err(code)?;
            pour(&stream, count(number))
        }
        // Without waiting: what a guest does that polls.
        ["stream-write-now", name, number] => {
            let stream = named(name)?.write_via_stream(0).map_err(code)?;
            let bytes = vec![b'n'; count(number) as usize];
            stream.check_write().map_err(|error| stream_code(&error))?;
            stream.write(&bytes).map_err(|error| stream_code(&error))?;
            stream
                .blocking_flush()
                .map_err(|error| stream_code(&error))?;
            Ok(String::new())
        }
        ["zeroes", name, number] => {
            let stream = named(name)?.write_via_stream(0).map_err(code)?;
            let mut left = count(number);
            while left > 0 {
                let piece = left.min(4096);
                stream
                    .blocking_write_zeroes_and_flush(piece)
                    .map_err(|error| stream_code(&error))?;
                left -= piece;
            }
            Ok(String::new())
        }
        ["splice", to, from, number] => {
            let to = named(to)?.write_via_stream(0).map_err(code)?;
            let from = named(from)?.read_via_stream(0).map_err(code)?;
            let moved = to.blocking_splice(&from, count(number));
            moved
                .map(|bytes| bytes.to_string())
                .map_err(|error| stream_code(&error))
        }
        ["list", folder] => named(folder).and_then(|folder| list(&folder)),
        ["readlink", folder, path] => named(folder)?.readlink_at(path).map_err(code),
        ["stat", folder, path] => {
            let stat = named(folder)?.stat_at(PathFlags::empty(), path);
            stat.map(|stat| format!("{:?} {}", stat.type_, stat.size))
                .map_err(code)
        }
        ["stat-target", folder, path] => {
            let stat = named(folder)?.stat_at(PathFlags::SYMLINK_FOLLOW, path);
            stat.map(|stat| format!("{:?} {}", stat.type_, stat.size))
                .map_err(code)
        }
        ["same", one, other] => {
            let (one, other) = (named(one)?, named(other)?);
            Ok(one.is_same_object(&other).to_string())
        }
        _ => change(step).map(|()| String::new()),
    }
}

/// Steps that answer with nothing.
fn change(step: &[&str]) -> Result<(), String> {
    match step {
        ["set-size", name, size] => named(name)?.set_size(count(size)),
        ["set-times", name] => named(name)?.set_times(NewTimestamp::Now, NewTimestamp::Now),
        ["set-times-at", folder, path, flags] => named(folder)?.set_times_at(
            path_flags(flags),
            path,
            NewTimestamp::Now,
            NewTimestamp::Now,
        ),
        ["sync", name] => named(name)?.sync(),
        ["sync-data", name] => named(name)?.sync_data(),
        ["advise", name] => named(name)?.advise(0, 1, Advice::WillNeed),
        ["mkdir", folder, path] => named(folder)?.create_directory_at(path),
        ["rmdir", folder, path] => named(folder)?.remove_directory_at(path),
        ["unlink", folder, path] => named(folder)?.unlink_file_at(path),
        ["symlink", folder, target, path] => named(folder)?.symlink_at(target, path),
        ["rename", from, old, to, new] => named(from)?.rename_at(old, &*named(to)?, new),
        ["link", from, old, to, new, flags] => {
            named(from)?.link_at(path_flags(flags), old, &*named(to)?, new)
        }
        ["hash", folder, path] => named(folder)?
            .metadata_hash_at(PathFlags::empty(), path)
            .map(drop),
        _ => return Err(format!("no such step: {step:?}")),
    }
    .map_err(code)
}

/// What was opened under a name, or the granted folder of that path.
fn named(name: &str) -> Result<Rc<Descriptor>, String> {
    if let Some(opened) = OPEN.with_borrow(|open| open.get(name).cloned()) {
        return Ok(opened);
    }
    let folder = get_directories()
        .into_iter()
        .find(|(_, path)| path == name)
        .map(|(folder, _)| Rc::new(folder))
        .ok_or_else(|| format!("nothing is `{name}`"))?;
    OPEN.with_borrow_mut(|open| open.insert(name.to_owned(), Rc::clone(&folder)));
    Ok(folder)
}

fn open(folder: &Descriptor, path: &str, words: &str) -> Result<Descriptor, ErrorCode> {
    let mut open = OpenFlags::empty();
    let mut flags = DescriptorFlags::empty();
    for word in words.split(',') {
        match word {
            "read" => flags |= DescriptorFlags::READ,
            "write" => flags |= DescriptorFlags::WRITE,
            "mutate" => flags |= DescriptorFlags::MUTATE_DIRECTORY,
            "create" => open |= OpenFlags::CREATE,
            "exclusive" => open |= OpenFlags::EXCLUSIVE,
            "truncate" => open |= OpenFlags::TRUNCATE,
            "directory" => open |= OpenFlags::DIRECTORY,
            _ => {}
        }
    }
    folder.open_at(path_flags(words), path, open, flags)
}

fn path_flags(words: &str) -> PathFlags {
    if words.contains("follow") {
        PathFlags::SYMLINK_FOLLOW
    } else {
        PathFlags::empty()
    }
}

/// Makes things and keeps them all, until one is refused.
fn most<T>(number: u64, mut make: impl FnMut() -> Result<T, String>) -> Done {
    let mut kept = Vec::new();
    for made in 0..number {
        match make() {
            Ok(thing) => kept.push(thing),
            Err(code) => return Ok(format!("{made} then {code}")),
        }
    }
    Ok(kept.len().to_string())
}

/// Writes in the largest pieces that a blocking write takes.
fn pour(stream: &OutputStream, mut bytes: u64) -> Done {
    while bytes > 0 {
        let piece = bytes.min(4096);
        stream
            .blocking_write_and_flush(&vec![b'p'; piece as usize])
            .map_err(|error| stream_code(&error))?;
        bytes -= piece;
    }
    Ok(String::new())
}

fn list(folder: &Descriptor) -> Done {
    let listing = folder.read_directory().map_err(code)?;
    let mut names = Vec::new();
    while let Some(entry) = listing.read_directory_entry().map_err(code)? {
        names.push(entry.name);
    }
    names.sort();
    Ok(names.join(" "))
}

fn code(error: ErrorCode) -> String {
    error.name().to_owned()
}

fn stream_code(error: &StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => {
            filesystem_error_code(error).map_or_else(|| error.to_debug_string(), code)
        }
    }
}

fn count(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
