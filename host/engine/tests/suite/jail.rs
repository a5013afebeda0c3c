//! What the compiler process may do, what it may answer, and how it ends.

use std::time::{Duration, Instant};

use thoth_engine::{CompileError, Jail, Limit, Source};
use wasmtime::Store;
use wasmtime::component::Linker;

use crate::components::{answering, sized};
use crate::{compiler, engine, facts, own_jail, script};

facts![
    a_component_comes_back_and_runs,
    in_this_process_the_same_comes_back,
    a_real_size_takes_this_long,
    what_is_no_component_is_refused_with_the_reason,
    a_component_of_hostile_names_is_refused_on_one_line,
    more_bytes_than_allowed_are_not_looked_at,
    more_code_than_allowed_is_not_taken,
    a_program_that_is_not_there_is_named,
    a_program_that_hangs_is_killed_at_the_deadline,
    a_program_that_closes_its_output_and_hangs_is_killed,
    what_a_hanging_program_started_is_killed_too,
    a_program_that_floods_its_output_is_killed,
    a_program_that_floods_stderr_is_read_to_its_end,
    another_programs_output_is_not_taken_for_code,
    a_crash_names_its_signal,
    an_exit_code_of_another_program_is_reported_with_its_words,
    the_compiler_gets_no_environment,
    the_compiler_cannot_be_asked_for_another_engine,
    a_compiler_without_a_job_ends,
    eight_threads_that_ask_for_one_component_compile_it_once,
];

pub(crate) fn ask(compiled: &thoth_engine::Compiled) -> u32 {
    let mut store = Store::new(engine(), ());
    store.set_fuel(u64::MAX).unwrap();
    store.set_epoch_deadline(1_000);
    let instance = Linker::new(engine())
        .instantiate(&mut store, &compiled.component)
        .unwrap();
    let answer = instance
        .get_typed_func::<(), (u32,)>(&mut store, "answer")
        .unwrap();
    answer.call(&mut store, ()).unwrap().0
}

fn failing(jail: Jail) -> CompileError {
    compiler(|options| options.jail = jail)
        .component(&answering(1))
        .unwrap_err()
}

fn failing_in_time(jail: Jail) -> CompileError {
    let start = Instant::now();
    let error = compiler(|options| {
        options.jail = jail;
        options.limits.wall_time = Duration::from_millis(200);
        options.limits.wall_time_per_mebibyte = Duration::ZERO;
    })
    .component(&answering(1))
    .unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10), "{error}");
    error
}

fn a_component_comes_back_and_runs() {
    let compiled = compiler(|_| {}).component(&answering(42)).unwrap();
    assert_eq!(ask(&compiled), 42);
    assert!(matches!(compiled.source, Source::Compiled { .. }));
    assert_eq!(compiled.sha256.len(), 64);
}

fn in_this_process_the_same_comes_back() {
    let compiled = compiler(|options| options.jail = Jail::InProcess)
        .component(&answering(7))
        .unwrap();
    assert_eq!(ask(&compiled), 7);
    let error = compiler(|options| options.jail = Jail::InProcess).component(b"\0asm\x0d\0\x01\0?");
    assert!(matches!(error, Err(CompileError::Invalid(_))));
}

fn a_real_size_takes_this_long() {
    let bytes = sized(100_000);
    let compiler = compiler(|_| {});
    let small = Instant::now();
    compiler.component(&answering(1)).unwrap();
    let small = small.elapsed();
    let start = Instant::now();
    assert_eq!(ask(&compiler.component(&bytes).unwrap()), 42);
    println!(
        "{} bytes: {:?}; the least: {small:?}",
        bytes.len(),
        start.elapsed()
    );
}

fn what_is_no_component_is_refused_with_the_reason() {
    let good = answering(1);
    let module = wat::parse_str("(module)").unwrap();
    let threads = wat::parse_str("(component (core module (memory 1 1 shared)))").unwrap();
    let memory64 = wat::parse_str("(component (core module (memory i64 1)))").unwrap();
    let inputs: [(&str, &[u8]); 11] = [
        ("nothing", b""),
        ("a core module", &module),
        ("text", b"(component)"),
        ("machine code", b"\x7fELF\x02\x01\x01\xc8\0\0\0\0\0\0\0\0"),
        ("a program of another system", b"MZ\x90\0\x03\0\0\0"),
        ("compressed", &[0x1f, 0x8b, 8, 0]),
        ("the beginning", &good[..8 + 3]),
        ("all but the end", &good[..good.len() - 1]),
        ("trailing bytes", &[&good[..], b"\xff\xff"].concat()),
        ("shared memory", &threads),
        ("a 64-bit memory", &memory64),
    ];
    let compiler = compiler(|_| {});
    for (what, bytes) in inputs {
        match compiler.component(bytes) {
            Err(CompileError::Invalid(why)) => {
                assert!(!why.is_empty() && !why.contains('\n'), "{what}: {why}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    let cut = compiler.component(&good[..good.len() - 1]).unwrap_err();
    assert!(cut.to_string().contains("offset 0x"), "{cut}");
}

fn a_component_of_hostile_names_is_refused_on_one_line() {
    // The validator's message repeats the name.
    let bytes = wat::parse_str(
        r#"(component (core module
            (func (export "\1b]0;x\07\0a\e2\80\ae")) (func (export "\1b]0;x\07\0a\e2\80\ae"))))"#,
    )
    .unwrap();
    let error = compiler(|_| {}).component(&bytes).unwrap_err().to_string();
    assert!(error.contains("duplicate"), "{error}");
    assert!(
        !error.contains(['\u{1b}', '\u{7}', '\n', '\u{202e}']),
        "{error:?}"
    );
}

fn more_bytes_than_allowed_are_not_looked_at() {
    let error = compiler(|options| {
        options.limits.input = 10;
        options.jail = script("exit 1");
    })
    .component(&[0; 11])
    .unwrap_err();
    assert!(matches!(
        error,
        CompileError::TooLarge {
            size: 11,
            limit: 10
        }
    ));
}

fn more_code_than_allowed_is_not_taken() {
    for jail in [own_jail(), Jail::InProcess] {
        let error = compiler(|options| {
            options.limits.output = 1_000;
            options.jail = jail;
        })
        .component(&answering(1))
        .unwrap_err();
        let limit = Limit::Output(1_000);
        assert!(
            matches!(error, CompileError::Limit { limit: hit } if hit == limit),
            "{error}"
        );
    }
}

fn a_program_that_is_not_there_is_named() {
    let error = failing(Jail::Command {
        program: "/no/such/compiler".into(),
        args: Vec::new(),
    });
    assert!(matches!(error, CompileError::Jail(_)));
    assert!(error.to_string().contains("`/no/such/compiler`"), "{error}");
}

fn late(error: &CompileError) -> bool {
    matches!(
        error,
        CompileError::Limit {
            limit: Limit::Time(_)
        }
    )
}

fn a_program_that_hangs_is_killed_at_the_deadline() {
    let error = failing_in_time(script("exec sleep 1000"));
    assert!(late(&error), "{error}");
}

fn a_program_that_closes_its_output_and_hangs_is_killed() {
    let error = failing_in_time(script("exec sleep 1000 >&- 2>&-"));
    assert!(late(&error), "{error}");
}

fn what_a_hanging_program_started_is_killed_too() {
    // It would hold the pipes open for longer than any test runs.
    let error = failing_in_time(script("sleep 1000 & exec sleep 1000"));
    assert!(late(&error), "{error}");
}

fn a_program_that_floods_its_output_is_killed() {
    let error = compiler(|options| {
        options.limits.output = 1 << 20;
        options.jail = script("exec cat /dev/zero");
    })
    .component(&answering(1))
    .unwrap_err();
    let flooded = matches!(
        error,
        CompileError::Limit {
            limit: Limit::Output(_)
        }
    );
    assert!(flooded, "{error}");
}

fn a_program_that_floods_stderr_is_read_to_its_end() {
    let error = failing(script("head -c 10000000 /dev/zero >&2; exit 3"));
    assert!(
        matches!(&error, CompileError::Command(why) if why.len() < 3_000),
        "{error}"
    );
}

fn another_programs_output_is_not_taken_for_code() {
    // Nothing, text, the job itself, and what looks like an answer at first.
    for text in [
        "exit 0",
        "echo hello",
        "head -c 80",
        "printf 'thothobj%08192d' 0",
    ] {
        let error = failing(script(text));
        assert!(matches!(error, CompileError::Command(_)), "{text}: {error}");
    }
}

fn a_crash_names_its_signal() {
    for (name, signal) in [("ABRT", 6), ("SEGV", 11), ("KILL", 9)] {
        let error = failing(script(&format!("kill -{name} $$")));
        assert!(
            matches!(error, CompileError::Killed { signal: by } if by == signal),
            "{error}"
        );
    }
}

fn an_exit_code_of_another_program_is_reported_with_its_words() {
    let error = failing(script("echo 'no such subcommand' >&2; exit 2")).to_string();
    assert!(error.contains("no such subcommand"), "{error}");
    assert!(error.contains("compile_stdin_to_stdout"), "{error}");
}

fn the_compiler_gets_no_environment() {
    // The shell sets a few of its own.
    let error = failing(script(
        "echo ${HOME-no} ${CARGO_MANIFEST_DIR-none} >&2; exit 2",
    ));
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(error.to_string().contains("no none"), "{error}");
}

fn the_compiler_cannot_be_asked_for_another_engine() {
    // An engine whose settings `compile_stdin_to_stdout` does not have.
    let mut config = wasmtime::Config::new();
    config.consume_fuel(true);
    let other = wasmtime::Engine::new(&config).unwrap();
    let compiler = thoth_engine::Compiler::new(&other, thoth_engine::Options::new(own_jail()));
    let error = compiler.component(&answering(1)).unwrap_err();
    assert!(
        matches!(&error, CompileError::Command(why) if why.contains("settings")),
        "{error}"
    );
}

fn a_compiler_without_a_job_ends() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("compile")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdin.take());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        said.starts_with("thoth-compile: internal reading the job"),
        "{said}"
    );
}

fn eight_threads_that_ask_for_one_component_compile_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let own = std::env::current_exe().unwrap();
    let counting = script(&format!(
        "echo x >>'{}'; exec '{}' compile",
        log.display(),
        own.display()
    ));
    let compiler = compiler(|options| {
        options.jail = counting;
        options.cache = Some(folder.path().join("cache"));
        options.key = Some(folder.path().join("key"));
    });
    let bytes = answering(5);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(ask(&compiler.component(&bytes).unwrap()), 5));
        }
    });
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "x\n");
}
