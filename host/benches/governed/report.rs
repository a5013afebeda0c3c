//! The table for people, and one line of JSON for programs.

use serde_json::{Map, Value, json};

use crate::bed::{Bed, Mode};
use crate::measure::{Phase, median};

/// All rounds of one mode with one number of callers, and the most connections that one of them opened.
pub(crate) struct Row {
    pub(crate) mode: Mode,
    pub(crate) callers: usize,
    phases: Vec<Phase>,
    connections: u64,
}

impl Row {
    pub(crate) fn new(mode: Mode, callers: usize) -> Self {
        Self {
            mode,
            callers,
            phases: Vec::new(),
            connections: 0,
        }
    }

    /// Adds a phase. Connections that a warm-up opens count; its times do not.
    pub(crate) fn add(&mut self, phase: Phase, warm_up: bool) {
        self.connections = self.connections.max(phase.connections);
        if !warm_up {
            self.phases.push(phase);
        }
    }

    fn p50(&self) -> f64 {
        median(self.phases.iter().map(|phase| phase.quantile(0.5)))
    }

    fn p99(&self) -> f64 {
        median(self.phases.iter().map(|phase| phase.quantile(0.99)))
    }

    fn best(&self) -> f64 {
        let bests = self.phases.iter().map(|phase| phase.quantile(0.0));
        bests.fold(f64::INFINITY, f64::min)
    }

    fn rate(&self) -> f64 {
        median(self.phases.iter().map(Phase::rate))
    }

    fn rate_with_delivery(&self) -> f64 {
        median(self.phases.iter().map(Phase::rate_with_delivery))
    }
}

/// A goal: what was measured, and the bound that it is held to.
struct Goal {
    name: &'static str,
    value: f64,
    bound: f64,
    at_most: bool,
    /// Where the goal is set: it says nothing elsewhere.
    applies: bool,
}

impl Goal {
    fn verdict(&self) -> &'static str {
        let met = if self.at_most {
            self.value <= self.bound
        } else {
            self.value >= self.bound
        };
        match (self.applies, met) {
            (false, _) => "not judged here",
            (true, true) => "met",
            (true, false) => "MISSED",
        }
    }
}

/// Prints the table and, unless only a part was measured, the ratios and the line of JSON.
pub(crate) fn print(rows: &[Row], bed: &Bed, part: bool) {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let apart = std::env::var("SRV_CPU").ok();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    println!(
        "profile {}, {processors} processor(s), server {}, load average {load}, question {} bytes",
        profile(),
        apart.as_ref().map_or_else(
            || "on a thread of this process".to_owned(),
            |on| format!("in a process of its own on processor {on}"),
        ),
        bed.question().len(),
    );
    println!("times in microseconds, medians of the rounds\n");
    println!("callers  mode       min      p50      p99   calls/s  with delivery  connections");
    for row in rows {
        println!(
            "{:>7}  {:<4}  {:>8.1} {:>8.1} {:>8.1}  {:>8.0}  {:>13}  {:>11}",
            row.callers,
            row.mode.name(),
            row.best(),
            row.p50(),
            row.p99(),
            row.rate(),
            bed.governed(row.mode).map_or_else(
                || "-".into(),
                |_| format!("{:.0}", row.rate_with_delivery())
            ),
            row.connections,
        );
    }
    if part {
        return;
    }
    println!();
    let goals = goals(rows, processors);
    for goal in &goals {
        let sign = if goal.at_most { "<=" } else { ">=" };
        println!(
            "{:<58} {:>6.2}  (goal {sign} {:.2}: {})",
            goal.name,
            goal.value,
            goal.bound,
            goal.verdict(),
        );
    }
    for callers in [1, 8, 64] {
        let ratio = |of, to| ratio(rows, callers, of, to, |phase| phase.quantile(0.5));
        println!(
            "{callers:>2} caller(s), p50: G {:.2} x (N+R), P {:.2} x (N+R), N+R {:.2} x N",
            ratio(Mode::Governed, Mode::NativeRaw),
            ratio(Mode::InProcess, Mode::NativeRaw),
            ratio(Mode::NativeRaw, Mode::Native),
        );
    }
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "mode": row.mode.name(), "callers": row.callers, "min_us": tenths(row.best()),
                "p50_us": tenths(row.p50()), "p99_us": tenths(row.p99()),
                "calls_per_s": row.rate().round(),
                "calls_per_s_with_delivery": row.rate_with_delivery().round(),
                "connections": row.connections,
            })
        })
        .collect();
    let goals: Map<String, Value> = goals
        .iter()
        .map(|goal| {
            let value = (goal.value * 1000.0).round() / 1000.0;
            let told = json!({"value": value, "bound": goal.bound, "verdict": goal.verdict()});
            (goal.name.to_owned(), told)
        })
        .collect();
    println!(
        "{}",
        json!({
            "bench": "governed", "profile": profile(), "processors": processors,
            "server_processor": apart, "load": load, "rows": rows, "goals": goals,
        })
    );
}

fn goals(rows: &[Row], processors: usize) -> Vec<Goal> {
    let p50 = |phase: &Phase| phase.quantile(0.5);
    let opened = rows
        .iter()
        .filter(|row| row.mode == Mode::Governed)
        // The delivery of events is one more that asks at the same time.
        .map(|row| row.connections as f64 / (row.callers + 1) as f64);
    vec![
        Goal {
            name: "one caller: G p50 / (N+R) p50",
            value: ratio(rows, 1, Mode::Governed, Mode::NativeRaw, p50),
            bound: 2.6,
            at_most: true,
            applies: processors == 1,
        },
        Goal {
            name: "8 callers: G calls/s / (N+R) calls/s",
            value: ratio(rows, 8, Mode::Governed, Mode::NativeRaw, Phase::rate),
            bound: 0.5,
            at_most: false,
            applies: processors > 1,
        },
        Goal {
            name: "connections opened / peak concurrency (callers, delivery)",
            value: opened.fold(0.0, f64::max),
            bound: 1.0,
            at_most: true,
            applies: true,
        },
        Goal {
            name: "one caller: R p50 / O p50 (allocators)",
            value: ratio(rows, 1, Mode::Raw, Mode::OnDemand, p50),
            bound: 0.3,
            at_most: true,
            applies: true,
        },
    ]
}

/// The median over the rounds of one mode's figure to another's in the same round.
fn ratio(rows: &[Row], callers: usize, of: Mode, to: Mode, figure: impl Fn(&Phase) -> f64) -> f64 {
    let phases = |mode| {
        rows.iter()
            .find(|row| row.mode == mode && row.callers == callers)
            .map_or(&[][..], |row| &row.phases)
    };
    let pairs = phases(of).iter().zip(phases(to));
    median(pairs.map(|(of, to)| figure(of) / figure(to)))
}

/// The cargo profile, by the folder of the executable: `target/PROFILE/deps/governed-…`.
fn profile() -> String {
    let executable = std::env::current_exe().unwrap_or_default();
    let folder = executable.ancestors().nth(2);
    folder
        .and_then(|folder| folder.file_name())
        .map_or_else(|| "?".into(), |name| name.to_string_lossy().into_owned())
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
