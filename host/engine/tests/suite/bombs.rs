//! Components that are made to hold their compiler up or to eat memory: it is ended, we are not.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use thoth_engine::{CompileError, Limit};

use crate::components::{
    answering, branch_tables, many_functions, many_locals, many_types, nested_blocks,
    nested_components, nested_lists,
};
use crate::jail::ask;
use crate::{compiler, facts, script};

facts![
    a_million_functions_end_at_the_processor_time,
    a_million_functions_end_at_the_memory,
    any_bomb_ends_within_its_limits,
    the_compiler_is_limited_and_ends_with_its_parent,
];

/// What comes of a bomb when compiling has so much; the next component compiles all the same.
fn explode(what: &str, bytes: &[u8], cpu: u64, memory: u64) -> Result<(), CompileError> {
    let compiler = compiler(|options| {
        let limits = &mut options.limits;
        limits.cpu_time = Duration::from_secs(cpu);
        limits.cpu_time_per_mebibyte = Duration::ZERO;
        limits.memory = memory;
        limits.memory_per_mebibyte = 0;
        limits.wall_time = Duration::from_secs(60);
        limits.wall_time_per_mebibyte = Duration::ZERO;
    });
    let start = Instant::now();
    let result = compiler.component(bytes).map(drop);
    println!(
        "{what}, {} bytes: {result:?} after {:?}",
        bytes.len(),
        start.elapsed()
    );
    assert_eq!(ask(&compiler.component(&answering(1)).unwrap()), 1);
    result
}

fn limit(result: Result<(), CompileError>) -> Limit {
    match result {
        Err(CompileError::Limit { limit }) => limit,
        other => panic!("{other:?}"),
    }
}

fn a_million_functions_end_at_the_processor_time() {
    let result = explode("a million functions", &many_functions(), 1, 4 << 30);
    assert_eq!(limit(result), Limit::Cpu(1));
}

fn a_million_functions_end_at_the_memory() {
    let result = explode("a million functions", &many_functions(), 600, 0);
    assert_eq!(limit(result), Limit::Memory(0));
}

fn any_bomb_ends_within_its_limits() {
    let bombs = [
        ("many locals", many_locals()),
        ("branch tables", branch_tables()),
        ("nested blocks", nested_blocks()),
        ("many types", many_types()),
        ("nested components", nested_components(5_000)),
        ("nested lists", nested_lists(100_000)),
    ];
    for (what, bytes) in bombs {
        let start = Instant::now();
        let result = explode(what, &bytes, 1, 256 << 20);
        // Most end at a limit; which of them compile in time depends on the machine.
        let expected = matches!(
            result,
            Ok(()) | Err(CompileError::Limit { .. } | CompileError::Invalid(_))
        );
        assert!(expected, "{what}: {result:?}");
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
    }
}

/// The parent of a compiler that is busy, whose number goes to the named file.
pub(crate) fn wait_for_one() -> ExitCode {
    let own = std::env::current_exe().unwrap();
    let number = std::env::args().nth(2).unwrap();
    let text = format!("echo $$ >'{number}'; exec '{}' compile", own.display());
    let bomb = compiler(|options| options.jail = script(&text)).component(&many_functions());
    panic!("{bomb:?}");
}

fn the_compiler_is_limited_and_ends_with_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let number = folder.path().join("number");
    let made = Command::new("mkfifo").arg(&number).status().unwrap();
    assert!(made.success());
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .arg("wait-for-a-bomb")
        .arg(&number)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut compiler = String::new();
    BufReader::new(fs::File::open(&number).unwrap())
        .read_line(&mut compiler)
        .unwrap();
    let process = std::path::Path::new("/proc").join(compiler.trim());

    // The last limit that it takes; before it is there, the others are.
    let limit = |name: &str| {
        let limits = fs::read_to_string(process.join("limits")).unwrap();
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let value = line[name.len()..].split_whitespace().next().unwrap();
        value.to_owned()
    };
    while limit("Max processes") != "0" {
        std::thread::yield_now();
    }
    assert_eq!(limit("Max core file size"), "0");
    assert_eq!(limit("Max file size"), "0");
    assert_eq!(limit("Max open files"), "16");
    assert_eq!(limit("Max cpu time"), "35");
    let space: u64 = limit("Max address space").parse().unwrap();
    assert!(space < 4 << 30, "{space}");

    parent.kill().unwrap();
    parent.wait().unwrap();
    let runs = || {
        fs::read_to_string(process.join("stat"))
            // Whoever is first of all processes may not have waited for it yet.
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
    };
    let start = Instant::now();
    while runs() {
        assert!(start.elapsed() < Duration::from_secs(5));
        std::thread::yield_now();
    }
}
