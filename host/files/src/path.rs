//! The guest's paths, before anybody resolves them.

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// The longest path that a guest can name, in bytes: what the kernel takes.
const PATH_MAX: usize = 4 << 10;

/// Whether a path can be one below a folder at all. `\` parts names on some hosts and is in them on
/// others, so it is neither here.
pub(crate) fn well_formed(path: &str) -> Result<(), ErrorCode> {
    if path.is_empty() {
        return Err(ErrorCode::NoEntry);
    }
    if path.len() > PATH_MAX {
        return Err(ErrorCode::NameTooLong);
    }
    if path.contains(['\0', '\\']) {
        return Err(ErrorCode::Invalid);
    }
    if path.starts_with('/') {
        return Err(ErrorCode::NotPermitted);
    }
    Ok(())
}

/// What a new symbolic link may hold: a way down, which stays in the folder wherever the link is
/// moved.
pub(crate) fn link_target(target: &str) -> Result<(), ErrorCode> {
    well_formed(target)?;
    if target.split('/').any(|name| name == "..") {
        return Err(ErrorCode::NotPermitted);
    }
    Ok(())
}

/// The names that lead from a granted folder's root to a path below one of its folders, without dots.
/// Resolving dots by their text is right only where no symbolic link is followed.
pub(crate) fn names_below(folder: &[String], path: &str) -> Result<Vec<String>, ErrorCode> {
    well_formed(path)?;
    let mut names = folder.to_vec();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            // A handle of a folder is a power over what is below it, so its parent is out of reach.
            ".." if names.len() == folder.len() => return Err(ErrorCode::NotPermitted),
            ".." => drop(names.pop()),
            name => names.push(name.to_owned()),
        }
    }
    let length: usize = names.iter().map(|name| name.len() + 1).sum();
    if length > PATH_MAX {
        return Err(ErrorCode::NameTooLong);
    }
    Ok(names)
}

/// Whether the path can only be a folder's: `a/`, `a/.`.
pub(crate) fn names_a_folder(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("" | "." | ".."))
}

/// The path that a guest sees.
pub(crate) fn guest_path(folder: &str, names: &[String]) -> String {
    let mut path = folder.trim_end_matches('/').to_owned();
    for name in names {
        path.push('/');
        path.push_str(name);
    }
    if path.is_empty() {
        path.push('/');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Vec<String> {
        path.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn a_path_becomes_its_names() {
        for (folder, path, expected) in [
            (vec![], "a", "/docs/a"),
            (vec![], ".", "/docs"),
            (vec![], "a//b/./c/", "/docs/a/b/c"),
            (vec![], "a/../b", "/docs/b"),
            (names("x/y"), "a/..", "/docs/x/y"),
            (names("x"), "...", "/docs/x/..."),
        ] {
            let found = names_below(&folder, path).unwrap();
            assert_eq!(guest_path("/docs", &found), expected, "{path}");
        }
        assert_eq!(guest_path("/", &names("a/b")), "/a/b");
        assert_eq!(guest_path("/", &[]), "/");
    }

    #[test]
    fn what_cannot_be_below_a_folder_is_refused() {
        let long = "a/".repeat(PATH_MAX);
        for (path, code) in [
            ("", ErrorCode::NoEntry),
            ("/etc/passwd", ErrorCode::NotPermitted),
            ("/", ErrorCode::NotPermitted),
            ("..", ErrorCode::NotPermitted),
            ("a/../..", ErrorCode::NotPermitted),
            ("./../x", ErrorCode::NotPermitted),
            ("a\\b", ErrorCode::Invalid),
            ("a\0b", ErrorCode::Invalid),
            (&long, ErrorCode::NameTooLong),
        ] {
            assert_eq!(names_below(&names("x/y"), path), Err(code), "{path}");
        }
        let deep = names(&"a/".repeat(PATH_MAX / 2 - 1));
        assert_eq!(names_below(&deep, "abc/d"), Err(ErrorCode::NameTooLong));
    }

    #[test]
    fn a_link_leads_down() {
        for target in ["a", "a/b", "./a", "..."] {
            link_target(target).unwrap();
        }
        for target in ["", "/a", "..", "a/../b", "../a", "a\\b", "a\0"] {
            link_target(target).unwrap_err();
        }
    }
}
