//! What every governor component has around the core: the HTTP exchange with its deadline, clocks,
//! chance and the environment, all of it from WASI 0.2, and what `std` would otherwise bring.
//!
//! Nothing is decided here. Components on it are built without `std`, which would import standard
//! streams, files and `exit` for its own use.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod http;
#[cfg(target_family = "wasm")]
mod runtime;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use thoth_core::{Fault, Outside, Request, Response, Timestamp, Waiting};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::random::get_random_bytes;

/// Random bytes for all ids of a call.
const RANDOM: u64 = 48;

/// The outside of an instance, by its imports of WASI. All of its state is the host's, but for random
/// bytes that were not used yet.
#[derive(Debug, Default)]
pub struct Wasi {
    random: Vec<u8>,
}

/// The environment's variables.
#[must_use]
pub fn vars() -> Vec<(String, String)> {
    wasip2::cli::environment::get_environment()
}

/// The longest line that is said.
const LINE_MAX: usize = 4000;

/// Writes a line where the host shows what its guests say. It is cut where it is long, and where the
/// host takes nothing at the moment nobody waits for that.
pub fn say(line: &str) {
    let mut text = line.as_bytes();
    text = text.get(..LINE_MAX).unwrap_or(text);
    let stderr = wasip2::cli::stderr::get_stderr();
    if stderr
        .check_write()
        .is_ok_and(|room| room > LINE_MAX as u64)
    {
        let _unheard = stderr.write(&[text, b"\n"].concat());
        let _unheard = stderr.flush();
    }
}

impl Outside for Wasi {
    fn exchange(&mut self, request: Request, timeout: Duration) -> Result<Response, Fault> {
        http::exchange(request, timeout)
    }

    fn now(&mut self) -> Timestamp {
        let now = wall_clock::now();
        Timestamp {
            seconds: now.seconds,
            nanoseconds: now.nanoseconds,
        }
    }

    fn monotonic(&mut self) -> Duration {
        Duration::from_nanos(monotonic_clock::now())
    }

    fn random(&mut self) -> [u8; 16] {
        if self.random.len() < 16 {
            self.random = get_random_bytes(RANDOM);
        }
        let rest = self.random.len().saturating_sub(16);
        let mut random = [0; 16];
        for (to, from) in random.iter_mut().zip(self.random.drain(rest..)) {
            *to = from;
        }
        random
    }
}

impl Waiting for Wasi {
    fn wait(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        monotonic_clock::subscribe_duration(nanoseconds).block();
    }
}
