//! Tells a person at a terminal what takes longer than a second.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How long nothing is said.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// Waits for some work, and shows a spinner with the time that has passed where a person would wonder.
/// It is gone when the work is done; where stderr is no terminal, nothing is ever written.
pub(super) async fn noticed<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => done,
        () = tokio::time::sleep(PATIENCE) => {
            let bar = ProgressBar::new_spinner().with_elapsed(PATIENCE);
            if let Ok(style) = ProgressStyle::with_template("thoth: {spinner} {msg} … {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(TURN);
            let done = work.await;
            bar.finish_and_clear();
            done
        }
    }
}
