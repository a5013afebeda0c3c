//! A log of a million records: how long `verify` takes, and what catching up costs those who append.
//!
//! `THOTH_BENCH_RECORDS` makes it smaller. All figures of one run are comparable with each other only.

use std::env;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use thoth_outbox::{Archive, Carrier, Event, Options, Outbox, Retry, Sent, deliver, verify};
use tokio::runtime::Builder;

/// Events that wait when a destination comes back.
const WAITING: u64 = 100_000;

/// Appends whose median is taken.
const APPENDS: usize = 2_000;

/// As large as an event of a governed call.
fn event(number: u64) -> Event {
    let id = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Event {
        id: format!("acme:{id:016x}-{number:016x}"),
        session_id: "2b9e3f3c-6f0c-4b6a-9a3d-1c5b8f0e7d21".into(),
        call_id: format!("{id:032x}"),
        event_type: "TOOL_CALL_PRE".into(),
        body: format!("{{\"content\":\"{}\"}}", "x".repeat(1000)),
        facts: format!("{{\"arguments_sha256\":\"{}\"}}", "0".repeat(64)),
    }
}

/// A destination that takes everything after the time of a quick request.
struct Quick;

impl Carrier for Quick {
    async fn send(&self, _: &[Event]) -> Sent {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Sent::Accepted
    }
}

/// The median time of an append by a caller alone, which makes a call about every millisecond.
async fn median(outbox: &Outbox, next: &mut u64) -> Result<Duration> {
    let mut times = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let event = event(*next);
        *next += 1;
        let start = Instant::now();
        outbox.append(event).await?;
        times.push(start.elapsed());
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    times.sort_unstable();
    times.get(APPENDS / 2).copied().context("no appends")
}

async fn fill(outbox: &Outbox, numbers: std::ops::Range<u64>) -> Result<()> {
    for number in numbers {
        outbox.append(event(number)).await?;
    }
    Ok(())
}

async fn catching_up(folder: &Path) -> Result<()> {
    let options = Options {
        max_waiting_bytes: u64::MAX,
        ..Options::default()
    };
    let outbox = Outbox::open(&folder.join("waiting.db"), "embedded", options)?;
    let mut next = WAITING;
    fill(&outbox, 0..next).await?;
    let quiet = median(&outbox, &mut next).await?;
    let delivery = tokio::spawn(deliver(
        outbox.clone(),
        Quick,
        Retry::default(),
        std::future::pending(),
    ));
    let busy = median(&outbox, &mut next).await?;
    let left = outbox.status().await?.waiting;
    ensure!(left > 0, "it caught up before the end of the measurement");
    delivery.abort();
    println!(
        "catching up: an append takes {quiet:?} beside nothing and {busy:?} beside delivery ({:+.0} %), \
         {left} still waited",
        (busy.as_secs_f64() / quiet.as_secs_f64() - 1.0) * 100.0
    );
    Ok(())
}

/// The most memory that this process had, in KiB; from now on only, if it is to begin anew.
fn peak(anew: bool) -> Result<u64> {
    if anew {
        std::fs::write("/proc/self/clear_refs", "5")?;
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes.context("no peak")?.parse()?)
}

async fn verifying(folder: &Path, records: u64) -> Result<()> {
    let log = folder.join("long.db");
    let options = Options {
        max_waiting: u64::MAX,
        max_waiting_bytes: u64::MAX,
        ..Options::default()
    };
    let outbox = Outbox::open(&log, "embedded", options)?;
    fill(&outbox, 0..records).await?;
    drop(outbox);
    let before = peak(true)?;
    let start = Instant::now();
    let verified = verify(&Archive::open(&log)?, [], None, |_| {});
    let took = start.elapsed();
    ensure!(
        verified.flaw.is_none() && verified.records == records,
        "{verified:?}"
    );
    println!(
        "verify: {records} records in {took:?}, {:.0} a second, {} KiB of memory more than before",
        records as f64 / took.as_secs_f64(),
        peak(false)?.saturating_sub(before)
    );
    Ok(())
}

fn main() -> Result<()> {
    let records = match env::var("THOTH_BENCH_RECORDS") {
        Ok(records) => records.parse()?,
        Err(_) => 1_000_000,
    };
    let folder = tempfile::tempdir()?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(catching_up(folder.path()))?;
    runtime.block_on(verifying(folder.path(), records))
}
