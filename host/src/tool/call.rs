//! One call of a tool: a fresh store, a fresh instance, one function, and the store is gone.

use serde_json::Value;
use thoth_core::{FailureCause, ToolFailure};
use thoth_values::{Function, LiftError, Lifted};
use tokio::time::{Instant, timeout_at};
use wasmtime::component::{ComponentExportIndex, InstancePre, Val};
use wasmtime::{PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi::I32Exit;

use super::state::{self, ToolState};
use super::{Entry, Tool, one_line};

impl Tool {
    /// Runs one function. The arguments are checked against its parameters before anything of the
    /// component is instantiated: `unknown-tool` and `invalid-arguments` mean that nothing ran.
    ///
    /// # Cancel safety
    /// Dropping the future drops the store, and with it whatever the tool was doing.
    pub(crate) async fn run(&self, name: &str, arguments: &Value) -> Result<Value, ToolFailure> {
        let Some(at) = self.position(name) else {
            return Err(failure(FailureCause::UnknownTool, self.unknown(name)));
        };
        // A pool that is full is waited for, within the call's own time.
        let deadline = Instant::now() + self.0.limits.time;
        let Ok(Ok(_slot)) = timeout_at(deadline, self.0.slots.acquire()).await else {
            let busy = "no free slot for another instance within the time limit";
            return Err(failure(FailureCause::HostFault, busy.into()));
        };
        match &self.0.entry {
            Entry::Provider(_) => self.provide(name, arguments).await,
            Entry::Functions { pre, functions } => match functions.get(at) {
                Some((function, index)) => self.enter(pre, function, *index, arguments).await,
                None => Err(failure(FailureCause::UnknownTool, self.unknown(name))),
            },
        }
    }

    async fn enter(
        &self,
        pre: &InstancePre<ToolState>,
        function: &Function,
        index: ComponentExportIndex,
        arguments: &Value,
    ) -> Result<Value, ToolFailure> {
        let arguments = function
            .lower(arguments)
            .map_err(|misfit| failure(FailureCause::InvalidArguments, misfit.to_string()))?;
        let limits = &self.0.limits;
        let mut store = self.store()?;
        let called = timeout_at(Instant::now() + limits.time, async {
            let instance = pre.instantiate_async(&mut store).await?;
            let entry = instance
                .get_func(&mut store, index)
                .ok_or_else(|| wasmtime::format_err!("the function is gone"))?;
            let mut results = vec![Val::Bool(false); function.result_slots()];
            entry
                .call_async(&mut store, &arguments, &mut results)
                .await?;
            Ok::<_, wasmtime::Error>(results)
        });
        let results = match called.await {
            Err(_elapsed) => return Err(self.out_of_time()),
            Ok(Err(error)) => return Err(self.classify(&store, &error)),
            Ok(Ok(results)) => results,
        };
        match function.lift(&results, limits.result) {
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

    pub(super) fn store(&self) -> Result<Store<ToolState>, ToolFailure> {
        state::store(&self.0.engine, &self.0.limits)
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
        let limits = &self.0.limits;
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
            None if text.contains("instance count too high")
                || text.contains("memory count too high")
                || text.contains("table count too high") =>
            {
                failure(FailureCause::LimitInstances, text)
            }
            // The host's address space is full: nothing of the tool was entered.
            None if text.contains("mmap failed") => failure(
                FailureCause::HostFault,
                format!("the host has no memory for another instance: {text}"),
            ),
            None => failure(
                FailureCause::Trap,
                format!("the tool did not return: {text}"),
            ),
        }
    }

    pub(super) fn out_of_time(&self) -> ToolFailure {
        let message = format!("the tool took longer than {:?}", self.0.limits.time);
        failure(FailureCause::LimitTime, message)
    }

    pub(super) fn too_large(&self) -> ToolFailure {
        let message = format!(
            "the result is over the limit of {} bytes",
            self.0.limits.result
        );
        failure(FailureCause::LimitResult, message)
    }
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
