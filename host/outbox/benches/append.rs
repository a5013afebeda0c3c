//! What a durable append costs: for a caller alone, and for many that share a commit.
//!
//! Pin it (`taskset -c 0 cargo bench -p thoth-outbox`) for the cost in processor time; unpinned, a
//! caller alone also pays for waking the writer on another core.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use thoth_outbox::{Event, Options, Outbox};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// As large as an event of a governed call.
fn event() -> Event {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // Ids are random in practice, so they land all over their index; an odd multiplier does the same.
    let id = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Event {
        id: format!("acme:{id:016x}-{number:016x}"),
        session_id: "2b9e3f3c-6f0c-4b6a-9a3d-1c5b8f0e7d21".into(),
        call_id: format!("{id:032x}"),
        event_type: "TOOL_CALL_PRE".into(),
        body: format!("{{\"content\":\"{}\"}}", "x".repeat(1000)),
        facts: String::new(),
    }
}

/// The time for `appends` appends by `callers` tasks.
async fn append(outbox: &Outbox, callers: u64, appends: u64) -> Result<Duration> {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let outbox = outbox.clone();
        tasks.spawn(async move {
            for _ in 0..appends.div_ceil(callers) {
                outbox.append(event()).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(start.elapsed())
}

fn appends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.throughput(Throughput::Elements(1));
    for (durability, power_loss) in [("killed_process", false), ("power_loss", true)] {
        for callers in [1, 8, 64] {
            group.bench_function(format!("{durability}/{callers}_callers"), |bencher| {
                bencher.iter_custom(|appends| {
                    measure(power_loss, callers, appends).unwrap_or(Duration::MAX)
                });
            });
        }
    }
    group.finish();
}

fn measure(power_loss: bool, callers: u64, appends: u64) -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let options = Options {
        power_loss,
        max_waiting: u64::MAX,
        max_waiting_bytes: u64::MAX,
    };
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let outbox = Outbox::open(&folder.path().join("log.db"), "embedded", options)?;
    runtime.block_on(append(&outbox, callers, appends))
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = appends
}
criterion_main!(benches);
