//! A component that exports `thoth:governance/tool` itself: it says what it offers, and takes JSON.

use serde::de::IgnoredAny;
use serde_json::Value;
use thoth_core::{FailureCause, ToolFailure};
use wasmtime::Store;

use self::bindings::exports::thoth::governance::tool as wit_tool;
use self::bindings::thoth::governance::types as wit;
use super::call::failure;
use super::state::{Surroundings, ToolState};
use super::{Definition, Entry, Tool, inert};
use crate::clock::Clock;
use crate::error::Error;

/// The bindings of the world that such a component has.
pub(super) mod bindings {
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "tool-provider",
        exports: { default: async },
    });
}

/// The interface that makes a component a provider.
pub(crate) const INTERFACE: &str = "thoth:governance/tool@0.1.0";

/// The most tools that one provider may offer.
const TOOLS_MAX: usize = 1_000;

/// The most bytes that the schemas of one provider may have together.
const SCHEMAS_MAX: usize = 1 << 20;

impl Tool {
    /// Asks a provider what it offers, in a fresh and limited instance. Any other tool is as it was.
    pub(crate) async fn discover(mut self) -> Result<Self, Error> {
        let Entry::Provider(pre) = &self.0.entry else {
            return Ok(self);
        };
        let component = self.0.name.clone();
        let fail = |why: String| Error::Load {
            name: component.clone(),
            why,
        };
        let limits = &self.0.powers.limits;
        // Before any call there is nobody to ask about effects, so there are none.
        let around = Surroundings {
            clock: Clock::new(limits.time),
            effects: None,
        };
        let mut store = self
            .store(&around)
            .map_err(|failure| fail(failure.message))?;
        let listed = around.clock.limit(async {
            let provider = pre.instantiate_async(&mut store).await?;
            provider
                .thoth_governance_tool()
                .call_list_tools(&mut store)
                .await
        });
        let listed = match listed.await {
            None => {
                return Err(fail(format!(
                    "`list-tools` took longer than {:?}",
                    limits.time
                )));
            }
            Some(Err(error)) => return Err(fail(self.classify(&store, &error).message)),
            Some(Ok(listed)) => listed,
        };
        let schemas = listed.iter().map(|tool| {
            tool.input_schema.len() + tool.output_schema.as_ref().map_or(0, String::len)
        });
        if schemas.sum::<usize>() > SCHEMAS_MAX {
            return Err(fail(format!("its schemas are over {SCHEMAS_MAX} bytes")));
        }
        if listed.len() > TOOLS_MAX {
            return Err(fail(format!("it offers more than {TOOLS_MAX} tools")));
        }
        let mut definitions: Vec<Definition> = Vec::with_capacity(listed.len());
        for tool in listed {
            let name = inert(&tool.name, 80);
            if definitions
                .iter()
                .any(|known| self.0.own(&known.name) == tool.name)
            {
                return Err(fail(format!("it offers `{name}` twice")));
            }
            let mut definition =
                definition(tool).map_err(|why| fail(format!("its tool `{name}`: {why}")))?;
            definition.name = self.0.offered(&definition.name).map_err(fail)?;
            definitions.push(definition);
        }
        if let Some(loaded) = std::sync::Arc::get_mut(&mut self.0) {
            loaded.define(definitions).map_err(fail)?;
        }
        Ok(self)
    }

    /// Hands a call to a provider.
    pub(super) async fn provide(
        &self,
        store: &mut Store<ToolState>,
        name: &str,
        arguments: &Value,
        around: &Surroundings,
    ) -> Result<Value, ToolFailure> {
        let Entry::Provider(pre) = &self.0.entry else {
            return Err(failure(FailureCause::UnknownTool, self.unknown(name)));
        };
        let limits = &self.0.powers.limits;
        let name = self.0.own(name);
        let arguments = arguments.to_string();
        let called = around.clock.limit(async {
            let provider = pre.instantiate_async(&mut *store).await?;
            let interface = provider.thoth_governance_tool();
            interface
                .call_call_tool(&mut *store, name, &arguments)
                .await
        });
        let result = match called.await {
            None => return Err(self.out_of_time()),
            Some(Err(error)) => return Err(self.classify(store, &error)),
            Some(Ok(Err(error))) => return Err(claimed(error, limits.result)),
            Some(Ok(Ok(result))) => result,
        };
        if result.len() > limits.result {
            return Err(self.too_large());
        }
        serde_json::from_str(&result).map_err(|error| {
            failure(
                FailureCause::ToolError,
                format!("the tool's result is not JSON: {error}"),
            )
        })
    }
}

fn definition(tool: wit_tool::Definition) -> Result<Definition, String> {
    let valid = (1..=128).contains(&tool.name.len())
        && tool
            .name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !valid {
        return Err("the name is not 1 to 128 of `A-Z a-z 0-9 _`".into());
    }
    let schema = |what: &str, text: &str| {
        thoth_core::json::parse(text.as_bytes())
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| format!("its {what} schema is not a JSON object"))
    };
    Ok(Definition {
        input_schema: schema("input", &tool.input_schema)?,
        output_schema: tool
            .output_schema
            .map(|text| schema("output", &text))
            .transpose()?,
        name: tool.name,
        description: tool.description.chars().take(4_096).collect(),
        export: None,
        annotations: Default::default(),
    })
}

/// What a provider says went wrong. Whatever cause it names, its code ran: that nothing did is not
/// its to say, nor that the host failed or a limit was hit.
fn claimed(error: wit::ToolFailure, longest: usize) -> ToolFailure {
    ToolFailure {
        cause: FailureCause::ToolError,
        message: inert(&error.message, 500),
        error: error.error.filter(|text| {
            text.len() <= longest && serde_json::from_str::<IgnoredAny>(text).is_ok()
        }),
    }
}
