//! Where state and compiled code are kept (XDG Base Directory Specification).

use std::path::{Path, PathBuf};

use crate::error::Error;

/// Where the durable log lives unless told otherwise: `$XDG_STATE_HOME/thoth`, or
/// `~/.local/state/thoth` (XDG Base Directory Specification).
///
/// # Errors
/// Neither `XDG_STATE_HOME` nor `HOME` is an absolute path.
pub fn default_state_dir() -> Result<PathBuf, Error> {
    xdg("XDG_STATE_HOME", ".local/state").ok_or_else(|| Error::Setting {
        what: "the state folder".into(),
        why: "neither XDG_STATE_HOME nor HOME is set; name it with `--state-dir DIR`".into(),
    })
}

/// Where compiled code is kept by the command: `$XDG_CACHE_HOME/thoth`, or `~/.cache/thoth`.
/// `None` where neither variable is an absolute path.
pub fn default_cache_dir() -> Option<PathBuf> {
    xdg("XDG_CACHE_HOME", ".cache")
}

/// Where the command looks for its configuration: `$XDG_CONFIG_HOME/thoth/thoth.toml`, or
/// `~/.config/thoth/thoth.toml`. `None` where neither variable is an absolute path.
pub fn default_config_file() -> Option<PathBuf> {
    xdg("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("thoth.toml"))
}

fn xdg(name: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    absolute(name)
        .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
        .map(|base| base.join("thoth"))
}

/// Makes the state folder, for this user only.
///
/// # Errors
/// It cannot be made.
pub fn prepare_state_dir(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    let fail = |source| Error::State {
        path: path.into(),
        source,
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(fail)?;
    // Whoever can write here can plant an approval.
    let mode = std::fs::metadata(path).map_err(fail)?.permissions().mode();
    if mode & 0o002 != 0 {
        return Err(fail(std::io::Error::other(
            "every user can write to it: `chmod o-w` it",
        )));
    }
    Ok(())
}
