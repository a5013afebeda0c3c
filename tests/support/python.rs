//! Python packages at pinned versions, for tests that hold us to what other people's packages say.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::toolchains::{Language, is_here};
use crate::tools::scratch;

/// Python with the packages of one requirements file.
pub struct Python {
    packages: PathBuf,
}

impl Python {
    /// Installs what a requirements file pins, once, below the target folder. `None`, with a line that
    /// says so, where there is no Python 3.10: where `THOTH_TOOLCHAINS` is set, that is an error.
    ///
    /// # Panics
    ///
    /// If the packages cannot be installed.
    #[must_use]
    pub fn with(name: &str, requirements: &str) -> Option<Self> {
        if !is_here(Language::Python) {
            println!("skipped: there is no Python 3.10 with pip here");
            return None;
        }
        let folder = scratch().join("python").join(name);
        fs::create_dir_all(&folder).expect("a folder below the target folder");
        // Unlocked when it is dropped, or when this process ends.
        let lock = File::create(folder.join("lock")).expect("a lock file");
        lock.lock().expect("the lock");
        let (file, stamp) = (folder.join("requirements.txt"), folder.join("installed"));
        let packages = folder.join("packages");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == requirements) {
            return Some(Self { packages });
        }
        fs::write(&file, requirements).expect("a file below the target folder");
        let _nothing_there = fs::remove_dir_all(&packages);
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--no-deps",
            "--require-hashes",
            "--quiet",
        ])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(&file)
        .arg("--target")
        .arg(&packages);
        let output = pip.output().expect("python3 starts");
        assert!(
            output.status.success(),
            "the packages of {name} cannot be installed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        fs::write(stamp, requirements).expect("a stamp");
        Some(Self { packages })
    }

    /// Runs a program with arguments and something on its stdin.
    ///
    /// # Panics
    ///
    /// If Python does not start.
    #[must_use]
    pub fn run(&self, program: &Path, arguments: &[&OsStr], stdin: &str) -> Output {
        use std::io::Write as _;
        let mut child = Command::new("python3")
            .arg("-B")
            .arg(program)
            .args(arguments)
            .env("PYTHONPATH", &self.packages)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let mut pipe = child.stdin.take().expect("stdin is piped");
        // A program that has failed already reads nothing.
        let _ = pipe.write_all(stdin.as_bytes());
        drop(pipe);
        child.wait_with_output().expect("python3 ends")
    }
}
