//! A secret from a program, such as a password manager.

use std::env;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::value::MAX_VALUE;
use crate::SecretError;

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
