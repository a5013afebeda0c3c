//! What a governed call costs, beside what it cannot cost less than: `cargo bench -p thoth-host`.
//!
//! Six modes take turns, round by round, against one loopback server, at 1, 8 and 64 callers:
//!
//! | mode | what is timed |
//! |---|---|
//! | N | a question to the server over a kept-alive connection, from native code |
//! | R | a fresh instance of the tool and one typed call, with the shipped engine settings |
//! | O | the same with the on-demand allocator |
//! | N+R | both in a row: what an isolated governed call cannot cost less than |
//! | G | a governed call: log, governor, `wasi:http`, server, fresh tool, log |
//! | P | a governed call with the policy in this process |
//!
//! The tool (`read_doc` of `tests/tools/docs-search`) and the server do next to nothing, so that what
//! is around them shows. G and P also deliver their events meanwhile; the column `with delivery` counts
//! the time until the last one has arrived.
//!
//! Only ratios of one run mean anything, and a latency with one caller only on one processor: waking
//! another one costs more than the call itself.
//!
//! ```text
//! taskset -c 0 cargo bench -p thoth-host --bench governed              # processor time
//! cargo bench -p thoth-host --bench governed                           # all processors
//! SRV_CPU=1 taskset -c 0 cargo bench -p thoth-host --bench governed    # the server on its own one
//! cargo bench --profile dist -p thoth-host --bench governed            # numbers to publish
//! cargo bench -p thoth-host --bench governed -- --breakdown            # where the time goes
//! cargo bench -p thoth-host --bench governed -- --quick                # does it run at all
//! perf record -g target/release/deps/governed-… --only G --callers 1 --calls 50000 --rounds 1
//! ```
//!
//! Pin the benchmark and not the build: `cargo bench --no-run` first. The last line of the output is
//! JSON. Take the median of three runs.

mod bed;
mod breakdown;
mod engine;
mod measure;
mod raw;
mod report;
mod server;

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::runtime::Builder;

use crate::bed::{Bed, Mode};
use crate::measure::Phase;
use crate::report::Row;

/// As `thoth` has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Arguments {
    rounds: usize,
    /// Calls of a phase, whatever the callers; else by the number of callers. A mode that takes a tenth of
    /// the time makes ten times as many, so that all of them see what else the machine does.
    calls: Option<usize>,
    callers: Vec<usize>,
    modes: Vec<Mode>,
    breakdown: bool,
    /// Only some modes or callers: numbers, but no ratios.
    part: bool,
}

impl Arguments {
    fn parse() -> Result<Self> {
        let mut arguments = Self {
            rounds: 5,
            calls: None,
            callers: vec![1, 8, 64],
            modes: Mode::ALL.to_vec(),
            breakdown: false,
            part: false,
        };
        let mut given = std::env::args().skip(1);
        while let Some(argument) = given.next() {
            let mut value = || {
                given
                    .next()
                    .with_context(|| format!("`{argument}` needs a value"))
            };
            match argument.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "--quick" => (arguments.rounds, arguments.calls) = (1, Some(64)),
                "--breakdown" => arguments.breakdown = true,
                "--rounds" => arguments.rounds = value()?.parse()?,
                "--calls" => arguments.calls = Some(value()?.parse()?),
                "--callers" => {
                    (arguments.callers, arguments.part) = (vec![value()?.parse()?], true);
                }
                "--only" => {
                    let modes = value()?
                        .split(',')
                        .map(Mode::parse)
                        .collect::<Result<_>>()?;
                    (arguments.modes, arguments.part) = (modes, true);
                }
                other => bail!("`{other}` is not known; see the head of benches/governed/main.rs"),
            }
        }
        Ok(arguments)
    }

    fn calls(&self, mode: Mode, callers: usize) -> usize {
        let calls = self.calls.unwrap_or(match callers {
            1 => 1_000,
            2..=16 => 4_000,
            _ => 6_400,
        });
        match mode {
            Mode::Native | Mode::Raw | Mode::OnDemand | Mode::NativeRaw => 10 * calls,
            Mode::Governed | Mode::InProcess => calls,
        }
    }
}

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("--server") {
        return server::main();
    }
    // As `thoth` has it.
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true)?;
    let arguments = Arguments::parse()?;
    // As many workers as processors that this process may run on.
    Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> Result<()> {
    let bed = Arc::new(Bed::new().await?);
    if arguments.breakdown {
        return breakdown::run(&bed, arguments.rounds, arguments.calls(Mode::Governed, 1)).await;
    }
    let mut rows = Vec::new();
    for &callers in &arguments.callers {
        rows.extend(arguments.modes.iter().map(|&mode| Row::new(mode, callers)));
    }
    for round in 0..=arguments.rounds {
        for row in &mut rows {
            let calls = arguments.calls(row.mode, row.callers);
            let phase = Phase::run(&bed, row.mode, row.callers, calls).await?;
            row.add(phase, round == 0);
        }
    }
    report::print(&rows, &bed, arguments.part);
    Ok(())
}
