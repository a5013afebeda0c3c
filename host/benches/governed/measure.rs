//! One phase: so many callers in one mode, each call timed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::bed::{Bed, Caller, Mode};

/// What one phase measured.
pub(crate) struct Phase {
    /// The time of each call, sorted.
    pub(crate) times: Vec<Duration>,
    /// From the first call's start to the last one's end.
    pub(crate) wall: Duration,
    /// From there until every event was delivered.
    pub(crate) drain: Duration,
    /// Connections that the server accepted meanwhile.
    pub(crate) connections: u64,
}

impl Phase {
    pub(crate) async fn run(
        bed: &Arc<Bed>,
        mode: Mode,
        callers: usize,
        calls: usize,
    ) -> Result<Self> {
        let each = calls.div_ceil(callers);
        let connections = bed.connections().await?;
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let mut caller = Caller::new(Arc::clone(bed), mode);
            tasks.spawn(async move {
                let mut times = Vec::with_capacity(each);
                for _ in 0..each {
                    caller.prepare();
                    let start = Instant::now();
                    caller.call().await?;
                    times.push(start.elapsed());
                }
                anyhow::Ok(times)
            });
        }
        let mut times = Vec::with_capacity(calls);
        while let Some(done) = tasks.join_next().await {
            times.append(&mut done??);
        }
        let wall = start.elapsed();
        // Other modes do not pay for this one's events.
        if let Some(governed) = bed.governed(mode) {
            governed.drain().await?;
        }
        let drain = start.elapsed() - wall;
        times.sort_unstable();
        Ok(Self {
            times,
            wall,
            drain,
            connections: bed.connections().await? - connections,
        })
    }

    /// In calls a second.
    pub(crate) fn rate(&self) -> f64 {
        self.times.len() as f64 / self.wall.as_secs_f64()
    }

    /// In calls a second whose events were delivered as well.
    pub(crate) fn rate_with_delivery(&self) -> f64 {
        self.times.len() as f64 / (self.wall + self.drain).as_secs_f64()
    }

    /// In microseconds.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        at(&self.times, quantile).as_secs_f64() * 1e6
    }
}

/// The value at a quantile of sorted ones; zero where there are none.
fn at(sorted: &[Duration], quantile: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * quantile).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

/// The middle value; for an even number of them, the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = middle.checked_sub(1).and_then(|index| values.get(index));
    lower.map_or(upper, |lower| (lower + upper) / 2.0)
}
