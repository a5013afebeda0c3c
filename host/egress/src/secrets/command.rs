//! A secret from a program, such as a password manager.

use std::env;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::SecretError;
use super::value::MAX_VALUE;

/// What a password manager needs to find its store and its agent. Our own keys are not among these.
const KEPT: [&str; 9] = [
    "DBUS_SESSION_BUS_ADDRESS",
    "GNUPGHOME",
    "HOME",
    "LANG",
    "LOGNAME",
    "PASSWORD_STORE_DIR",
    "PATH",
    "USER",
    "XDG_RUNTIME_DIR",
];

/// Runs a program without a shell, in a process group of its own, which is killed if this is dropped
/// or fails. It gets no input; what it prints on stderr is not kept.
pub(super) async fn run(command: &[String]) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let unreadable = |error: std::io::Error| SecretError::Unreadable(error.kind().to_string());
    let (program, arguments) = command.split_first().ok_or(SecretError::NoProgram)?;
    let kept = KEPT
        .iter()
        .filter_map(|name| Some((name, env::var_os(name)?)));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(kept)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(unreadable)?;
    let group = Group(child.id());
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_VALUE + 4));
    let most = u64::try_from(MAX_VALUE + 3).unwrap_or(u64::MAX);
    if let Some(output) = child.stdout.take() {
        output
            .take(most)
            .read_to_end(&mut bytes)
            .await
            .map_err(unreadable)?;
    }
    if bytes.len() > MAX_VALUE + 2 {
        return Err(SecretError::TooLong);
    }
    let status = child.wait().await.map_err(unreadable)?;
    group.ended();
    match status.success() {
        true => Ok(bytes),
        false => Err(SecretError::Failed(status)),
    }
}

/// The processes of the program; killed on drop, unless the program has ended by itself.
struct Group(Option<u32>);

impl Group {
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let id = self.0.and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            // It may have ended by now; then there is nothing to kill.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tokio::net::unix::pipe;

    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_program_runs_without_a_shell_and_with_little_of_the_environment() {
        let words = ["printf", "%s", "$HOME; a b"].map(str::to_owned);
        assert_eq!(run(&words).await.unwrap().as_slice(), b"$HOME; a b");
        let names = run(&["env".to_owned()]).await.unwrap();
        let names = String::from_utf8(names.to_vec()).unwrap();
        // Cargo sets dozens for a test.
        for line in names.lines() {
            let (name, _) = line.split_once('=').unwrap();
            assert!(KEPT.contains(&name), "{name}");
        }
    }

    #[tokio::test]
    async fn a_program_that_fails_gives_no_secret() {
        let failed = run(&shell("echo 12345678; exit 3")).await;
        assert!(matches!(failed, Err(SecretError::Failed(status)) if status.code() == Some(3)));
        let none = run(&["/nonexistent/program".to_owned()]).await;
        assert!(matches!(none, Err(SecretError::Unreadable(_))));
        assert!(matches!(run(&[]).await, Err(SecretError::NoProgram)));
    }

    #[tokio::test]
    async fn a_program_that_never_stops_printing_is_killed() {
        let endless = run(&["yes".to_owned()]).await;
        assert!(matches!(endless, Err(SecretError::TooLong)));
    }

    fn named_pipe(path: &Path) -> pipe::Receiver {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // Open for both, so that it is not at its end before the program has opened it.
        pipe::OpenOptions::new()
            .read_write(true)
            .open_receiver(path)
            .unwrap()
    }

    /// The program's own child holds the pipe: its end is only seen when that is dead too.
    #[tokio::test]
    async fn who_gives_up_on_a_program_kills_it_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let mut ready = named_pipe(&path);
        let end = folder.path().join("end");
        mknodat(CWD, &end, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let mut held = pipe::OpenOptions::new().open_receiver(&end).unwrap();
        let script = format!(
            "(exec 3>{}; echo ready >{}; exec sleep 1000) & wait",
            end.display(),
            path.display()
        );
        let command = shell(&script);
        let mut word = [0; 6];
        tokio::select! {
            _ = run(&command) => panic!("it sleeps"),
            read = ready.read_exact(&mut word) => assert_eq!(read.unwrap(), 6),
        }
        // All writers are gone.
        assert_eq!(held.read(&mut word).await.unwrap(), 0);
    }
}
