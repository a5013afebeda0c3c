//! Steps by way of `std::fs`, as an ordinary tool takes them.

use std::fs;

pub(crate) fn step(step: &[&str]) -> Option<Result<String, String>> {
    let done = match step {
        ["std-read", path] => fs::read_to_string(path),
        ["std-write", path, text] => fs::write(path, text).map(|()| String::new()),
        ["std-list", path] => fs::read_dir(path).and_then(|entries| {
            let names: Result<Vec<_>, _> = entries
                .map(|entry| Ok::<_, std::io::Error>(entry?.file_name().display().to_string()))
                .collect();
            let mut names = names?;
            names.sort();
            Ok(names.join(" "))
        }),
        ["std-mkdir", path] => fs::create_dir_all(path).map(|()| String::new()),
        ["std-rename", old, new] => fs::rename(old, new).map(|()| String::new()),
        ["std-remove", path] => fs::remove_file(path).map(|()| String::new()),
        _ => return None,
    };
    Some(done.map_err(|error| format!("{:?}", error.kind())))
}
