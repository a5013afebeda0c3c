//! What MCP adds to a governed call, and what tools and clients keep in memory.
//!
//! ```text
//! cargo bench --bench mcp                # numbers
//! cargo bench --bench mcp -- --test      # does it run at all
//! ```
//!
//! `tools_call`: the same call, by a policy in this process, three ways: by the library, as a line on a pair
//! of pipes in memory, and as a request on a kept-alive connection. `clients_64`: one call of each of 64
//! clients at once, until the last is answered. Only the differences within one run mean anything; the
//! medians are in `target/criterion/*/*/new/estimates.json`.

#![allow(
    clippy::expect_used,
    reason = "a bench that measures nothing must not look like one that did"
)]

mod bed;
mod client;
mod memory;

use std::time::Duration;

use anyhow::Result;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::bed::Bed;
use crate::client::{Client, Http, Lines};

const CLIENTS: usize = 64;

fn mcp(criterion: &mut Criterion) {
    measured(criterion).expect("it can be measured");
}

fn measured(criterion: &mut Criterion) -> Result<()> {
    let runtime = Runtime::new()?;
    let bed = runtime.block_on(Bed::new())?;
    one_call(criterion, &runtime, &bed)?;
    many_clients(criterion, &runtime, &bed)?;
    runtime.block_on(memory::print(&bed))
}

fn one_call(criterion: &mut Criterion, runtime: &Runtime, bed: &Bed) -> Result<()> {
    let mut lines = {
        let _within = runtime.enter();
        Lines::new(&bed.server)
    };
    let mut group = criterion.benchmark_group("tools_call");
    group.measurement_time(Duration::from_secs(10));
    group.bench_function("library", |bencher| {
        bencher.iter(|| runtime.block_on(bed.call()).expect("it runs"));
    });
    group.bench_function("stdio", |bencher| {
        bencher.iter(|| runtime.block_on(lines.call()).expect("it runs"));
    });
    // Only now: the server closes a connection that says nothing for long.
    let mut http = runtime.block_on(Http::new(bed.address))?;
    group.bench_function("http", |bencher| {
        bencher.iter(|| runtime.block_on(http.call()).expect("it runs"));
    });
    group.finish();
    Ok(())
}

fn many_clients(criterion: &mut Criterion, runtime: &Runtime, bed: &Bed) -> Result<()> {
    let mut lines: Vec<Lines> = {
        let _within = runtime.enter();
        (0..CLIENTS).map(|_| Lines::new(&bed.server)).collect()
    };
    let mut group = criterion.benchmark_group("clients_64");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(10));
    group.bench_function("stdio", |bencher| {
        bencher.iter(|| {
            lines = runtime.block_on(at_once(std::mem::take(&mut lines)));
        });
    });
    let mut https = Vec::new();
    for _ in 0..CLIENTS {
        https.push(runtime.block_on(Http::new(bed.address))?);
    }
    group.bench_function("http", |bencher| {
        bencher.iter(|| {
            https = runtime.block_on(at_once(std::mem::take(&mut https)));
        });
    });
    group.finish();
    Ok(())
}

/// One call of each of them, all at once.
async fn at_once<C: Client>(clients: Vec<C>) -> Vec<C> {
    let mut calls = JoinSet::new();
    for mut client in clients {
        calls.spawn(async move { client.call().await.map(|()| client) });
    }
    let mut back = Vec::new();
    while let Some(done) = calls.join_next().await {
        back.push(done.expect("no panic").expect("it runs"));
    }
    back
}

criterion_group!(benches, mcp);
criterion_main!(benches);
