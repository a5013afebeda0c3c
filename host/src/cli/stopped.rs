//! When a process is asked to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves when the process is asked to stop, or its terminal is gone.
pub(super) async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    let terminate = signal(SignalKind::terminate()).ok();
    // Under `nohup` it is to outlive its terminal, and to listen would undo that.
    let hang_up = match is_ignored(1) {
        true => None,
        false => signal(SignalKind::hangup()).ok(),
    };
    tokio::select! {
        _ = interrupt => {}
        () = received(terminate) => {}
        () = received(hang_up) => {}
    }
}

async fn received(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => {
            let _ = signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether whoever started this process lets it ignore a signal, where the system tells.
fn is_ignored(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores(&status, number)
}

fn ignores(status: &str, number: u32) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (number - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_ignored_where_its_bit_is_set() {
        let status = "Name:\tthoth\nSigIgn:\t0000000000001001\nSigCgt:\tffffffffffffffff\n";
        assert!(ignores(status, 1) && ignores(status, 13));
        assert!(!ignores(status, 2) && !ignores("", 1));
    }
}
