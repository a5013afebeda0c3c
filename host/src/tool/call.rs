//! One call of a tool: a fresh store, a fresh instance, one function, and the store is gone.

use serde_json::Value;
use thoth_core::{FailureCause, ToolFailure};
use thoth_values::{Function, LiftError, Lifted};
use tokio::sync::SemaphorePermit;
use wasmtime::component::{ComponentExportIndex, InstancePre, Val};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi::I32Exit;

use super::output::readable;
use super::state::{self, Surroundings, ToolState};
use super::usage::Traces;
use super::{Entry, Tool, mask, one_line};

/// The store of one call, and where it leaves what was used when it goes: at the end of the call, and where
/// the call is given up.
struct Measured<'a> {
    tool: &'a Tool,
    store: Store<ToolState>,
    traces: &'a mut Traces,
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        self.tool.take_stock(&self.store, self.traces);
    }
}

impl Tool {
    /// Runs one function. The arguments are checked against its parameters before anything of the
    /// component is instantiated: `unknown-tool` and `invalid-arguments` mean that nothing ran. All but the
    /// time that it took is in `traces` afterwards.
    ///
    /// # Cancel safety
    /// Dropping the future drops the store, and with it whatever the tool was doing. What it used until then
    /// is in `traces`.
    pub(crate) async fn run(
        &self,
        name: &str,
        arguments: &Value,
        around: Surroundings,
        traces: &mut Traces,
    ) -> Result<Value, ToolFailure> {
        let effects = around.effects.clone();
        let mut result = match self.slot(&around).await {
            Ok(_slot) => self.enter(name, arguments, &around, traces).await,
            Err(failure) => Err(failure),
        };
        traces.masked |= effects.is_some_and(|effects| effects.has_masked());
        if let Some(policy) = &self.0.powers.egress {
            traces.masked |= mask::outcome(&policy.secrets, &mut result);
        }
        result
    }

    /// A pool that is full is waited for, within the call's own time.
    async fn slot(&self, around: &Surroundings) -> Result<SemaphorePermit<'_>, ToolFailure> {
        match around.clock.limit(self.0.slots.acquire()).await {
            Some(Ok(slot)) => Ok(slot),
            Some(Err(_)) | None => Err(failure(
                FailureCause::HostFault,
                "no free slot for another instance within the time limit".into(),
            )),
        }
    }

    async fn enter(
        &self,
        name: &str,
        arguments: &Value,
        around: &Surroundings,
        traces: &mut Traces,
    ) -> Result<Value, ToolFailure> {
        let unknown = || failure(FailureCause::UnknownTool, self.unknown(name));
        let at = self.position(name).ok_or_else(unknown)?;
        let prepared = match &self.0.entry {
            Entry::Provider(_) => None,
            Entry::Functions { functions, .. } => {
                let (function, index) = functions.get(at).ok_or_else(unknown)?;
                let arguments = function.lower(arguments);
                let arguments = arguments.map_err(|misfit| {
                    failure(FailureCause::InvalidArguments, misfit.to_string())
                })?;
                Some((function, *index, arguments))
            }
        };
        let mut measured = Measured {
            tool: self,
            store: self.store(around)?,
            traces,
        };
        let store = &mut measured.store;
        match (&self.0.entry, prepared) {
            (Entry::Functions { pre, .. }, Some((function, index, values))) => {
                let called = around
                    .clock
                    .limit(invoke(store, pre, function, index, &values));
                match called.await {
                    Some(Ok(results)) => self.lifted(function, &results),
                    Some(Err(error)) => Err(self.classify(store, &error)),
                    None => Err(self.out_of_time()),
                }
            }
            _ => self.provide(store, name, arguments, around).await,
        }
    }

    fn lifted(&self, function: &Function, results: &[Val]) -> Result<Value, ToolFailure> {
        match function.lift(results, self.0.powers.limits.result) {
            Ok(Lifted::Completed(value)) => Ok(value),
            Ok(Lifted::ToolError(error)) => Err(ToolFailure {
                cause: FailureCause::ToolError,
                message: "the tool returned an error".into(),
                error: Some(error.to_string()),
            }),
            Err(LiftError::TooLarge { .. }) => Err(self.too_large()),
            Err(error) => Err(failure(FailureCause::HostFault, error.to_string())),
        }
    }

    /// What the call used and said, before its store goes.
    fn take_stock(&self, store: &Store<ToolState>, traces: &mut Traces) {
        let state = store.data();
        let usage = &mut traces.usage;
        let fuel = self.0.powers.limits.fuel;
        usage.fuel = fuel.saturating_sub(store.get_fuel().unwrap_or(fuel));
        usage.memory_peak = state.limiter.memory_peak();
        if let Some(egress) = &state.egress {
            let used = egress.usage();
            usage.requests = used.requests;
            usage.request_bytes = used.request_bytes;
            usage.response_bytes = used.response_bytes;
        }
        let files = state.files.usage();
        usage.files_opened = files.files_opened;
        usage.read_bytes = files.bytes_read;
        usage.write_bytes = files.bytes_written;
        for (output, text) in [
            (&state.stdout, &mut traces.stdout),
            (&state.stderr, &mut traces.stderr),
        ] {
            let (total, kept) = output.taken();
            usage.output_bytes = usage.output_bytes.saturating_add(total);
            // What is masked has another length than what was written.
            let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let left_out = total.saturating_sub(length(&kept));
            let policy = self.0.powers.egress.as_ref();
            let (kept, masked) = match policy.map(|policy| policy.secrets.mask(&kept)) {
                Some((kept_masked, true)) => (kept_masked.into_owned(), true),
                Some((_, false)) | None => (kept, false),
            };
            traces.masked |= masked;
            *text = readable(length(&kept).saturating_add(left_out), &kept);
        }
    }

    pub(super) fn store(&self, around: &Surroundings) -> Result<Store<ToolState>, ToolFailure> {
        state::store(&self.0.engine, &self.0.powers, around)
            .map_err(|error| failure(FailureCause::HostFault, one_line(&error)))
    }

    /// Names what ended a call: a limit where one was hit, else the trap.
    pub(super) fn classify(
        &self,
        store: &Store<ToolState>,
        error: &wasmtime::Error,
    ) -> ToolFailure {
        if let Some(I32Exit(code)) = error.downcast_ref() {
            let message =
                format!("the tool ended the program with code {code} instead of returning");
            return failure(FailureCause::Exit, message);
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return failure(
                FailureCause::HostFault,
                "no room for another instance".into(),
            );
        }
        let limits = &self.0.powers.limits;
        if let Some(hit) = store.data().limiter.hit() {
            let message = match hit {
                FailureCause::LimitMemory => format!(
                    "the tool asked for more than {} bytes of memory",
                    limits.memory
                ),
                _ => format!(
                    "the tool asked for more than {} table elements",
                    limits.table_elements
                ),
            };
            return failure(hit, message);
        }
        let text = one_line(error);
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => self.out_of_time(),
            Some(Trap::OutOfFuel) => {
                let message = format!("the tool used up its fuel of {}", limits.fuel);
                failure(FailureCause::LimitFuel, message)
            }
            Some(Trap::StackOverflow) => failure(
                FailureCause::LimitStack,
                "the tool ran out of call stack".into(),
            ),
            Some(trap) => {
                // What the tool said last on its standard error is usually its panic message.
                let said = store.data().stderr.last_line();
                let said = said.map(|line| format!(": {line}")).unwrap_or_default();
                failure(
                    FailureCause::Trap,
                    format!("the tool trapped ({}){said}", trap_name(*trap)),
                )
            }
            None if text.contains("fuel allocated for hostcalls") => failure(
                FailureCause::LimitHostcall,
                format!(
                    "the tool passed more than {} bytes in one go",
                    limits.hostcall
                ),
            ),
            None if text.contains("resource table has no free keys") => failure(
                FailureCause::LimitResources,
                format!("the tool holds more than {} resources", limits.resources),
            ),
            None if text.contains("store handle limit exceeded") => failure(
                FailureCause::LimitResources,
                format!("the tool holds more than {} handles", limits.handles),
            ),
            None if text.contains("instance count too high")
                || text.contains("memory count too high")
                || text.contains("table count too high") =>
            {
                failure(FailureCause::LimitInstances, text)
            }
            // Nothing of the tool was entered: the host is out of address space, or of files.
            None if text.contains("mmap failed")
                || store.get_fuel().is_ok_and(|left| left == limits.fuel) =>
            {
                failure(
                    FailureCause::HostFault,
                    format!("the host cannot start another instance: {text}"),
                )
            }
            None => failure(
                FailureCause::Trap,
                format!("the tool did not return: {text}"),
            ),
        }
    }

    pub(super) fn out_of_time(&self) -> ToolFailure {
        let message = format!("the tool took longer than {:?}", self.0.powers.limits.time);
        failure(FailureCause::LimitTime, message)
    }

    pub(super) fn too_large(&self) -> ToolFailure {
        let message = format!(
            "the result is over the limit of {} bytes",
            self.0.powers.limits.result
        );
        failure(FailureCause::LimitResult, message)
    }
}

async fn invoke(
    store: &mut Store<ToolState>,
    pre: &InstancePre<ToolState>,
    function: &Function,
    index: ComponentExportIndex,
    arguments: &[Val],
) -> wasmtime::Result<Vec<Val>> {
    let instance = pre.instantiate_async(&mut *store).await?;
    let entry = instance
        .get_func(&mut *store, index)
        .ok_or_else(|| wasmtime::format_err!("the function is gone"))?;
    let mut results = vec![Val::Bool(false); function.result_slots()];
    entry.call_async(store, arguments, &mut results).await?;
    Ok(results)
}

fn trap_name(trap: Trap) -> String {
    trap.to_string().trim_start_matches("wasm trap: ").into()
}

pub(super) fn failure(cause: FailureCause, message: String) -> ToolFailure {
    ToolFailure {
        cause,
        message,
        error: None,
    }
}
