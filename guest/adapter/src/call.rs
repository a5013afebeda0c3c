//! A governed call, before and after the function of the component runs.
#![expect(unsafe_code, reason = "the trampolines call by address")]

use alloc::string::ToString as _;
use core::cell::Cell;

use thoth_arena::{Linear, trap};
use thoth_interpreter::layout::MANY;
use thoth_interpreter::lift::{self, Returned};
use thoth_interpreter::{
    Fault, Function, MAX_BYTES, Memory as _, Node, Table, denial, flat, lower,
};

use crate::gate::{self, Ended, Ruling, Text};
use crate::slots;

/// What is told where arguments or results are too large. The number is [`MAX_BYTES`].
const TOO_LARGE: &str = "longer than 262144 bytes of JSON";
const _: () = assert!(MAX_BYTES == 262_144);

/// The ticket of the call that runs.
struct Ticket(Cell<u64>);

// SAFETY: the module has one thread.
unsafe impl Sync for Ticket {}

static TICKET: Ticket = Ticket(Cell::new(0));

/// Asks about a call of a function of the table. 0: run it, with what is in the slots now. 1: do not;
/// what to return is in the slots. A refusal that cannot be returned traps.
///
/// # Safety
/// The table is that address and length, as `thoth wrap` wrote it.
#[unsafe(no_mangle)]
unsafe extern "C" fn thoth_enter(table: *const u8, len: usize, function: u32) -> u32 {
    // SAFETY: by the caller's promise.
    let table = unsafe { core::slice::from_raw_parts(table, len) };
    match enter(table, function) {
        Ok(entered) => entered as u32,
        Err(Fault) => trap(),
    }
}

/// Tells what came of the call.
///
/// # Safety
/// As `thoth_enter`.
#[unsafe(no_mangle)]
unsafe extern "C" fn thoth_leave(table: *const u8, len: usize, function: u32) {
    // SAFETY: by the caller's promise.
    let table = unsafe { core::slice::from_raw_parts(table, len) };
    if leave(table, function).is_err() {
        trap();
    }
}

enum Entered {
    Run = 0,
    Refused = 1,
}

fn enter(table: &[u8], function: u32) -> Result<Entered, Fault> {
    let table = Table::new(table)?;
    let function = table.function(function)?;
    let parameters = &function.parameters;

    let arguments = match lift::value(table, parameters, &Linear, in_memory(table, parameters)?) {
        Ok(json) => Ok(json),
        Err(lift::Error::TooLarge) => Err(TOO_LARGE),
        Err(lift::Error::Fault) => return Err(Fault),
    };
    let told = arguments.as_deref().map_err(|why| *why);
    let ticket = match gate::check(function.name, told)? {
        // The arguments that nobody could be told of are never run with.
        Ruling::Allow(ticket) | Ruling::Modify(ticket, _) if told.is_err() => {
            return refuse(table, &function, &gate::reject(ticket, TOO_LARGE));
        }
        // The component gets what its caller gave, to the bit.
        Ruling::Allow(ticket) => ticket,
        Ruling::Modify(ticket, json) => {
            let at = Linear.allocate(parameters.size, parameters.align)?;
            match lower::value(table, parameters, json.bytes()?, &mut Linear, at) {
                Ok(()) => pass(table, parameters, at)?,
                Err(lower::Error::Misfit(misfit)) => {
                    let refusal = gate::reject(ticket, &misfit.to_string());
                    return refuse(table, &function, &refusal);
                }
                Err(lower::Error::Fault) => return Err(Fault),
            }
            ticket
        }
        Ruling::Refuse(refusal) => return refuse(table, &function, &refusal),
    };
    TICKET.0.set(ticket);
    if let Some(result) = function.result.filter(|result| result.flats > 1) {
        slots::set_result(Linear.allocate(result.size, result.align)?.into());
    }
    Ok(Entered::Run)
}

fn leave(table: &[u8], function: u32) -> Result<(), Fault> {
    let table = Table::new(table)?;
    let function = table.function(function)?;
    let at = match &function.result {
        Some(result) if result.flats > 1 => slots::result() as u32,
        Some(result) => {
            let at = Linear.allocate(result.size, result.align)?;
            flat::gather(table, result, &[slots::result()], &mut Linear, at)?;
            at
        }
        None => 0,
    };
    let returned = lift::returned(table, function.result.as_ref(), &Linear, at);
    gate::done(
        TICKET.0.get(),
        match &returned {
            Ok(Returned::Completed(json)) => Ended::Completed(json),
            Ok(Returned::Failed(json)) => Ended::Failed(json),
            Err(lift::Error::TooLarge) => Ended::Untold(TOO_LARGE),
            Err(lift::Error::Fault) => return Err(Fault),
        },
    );
    Ok(())
}

/// Where the parameters are, as a record: there already, or put there.
fn in_memory(table: Table<'_>, parameters: &Node) -> Result<u32, Fault> {
    let given = slots::read();
    if parameters.flats == MANY {
        return given.first().map(|at| *at as u32).ok_or(Fault);
    }
    let at = Linear.allocate(parameters.size, parameters.align)?;
    flat::gather(table, parameters, &given, &mut Linear, at)?;
    Ok(at)
}

/// Passes a record on as the parameters.
fn pass(table: Table<'_>, parameters: &Node, at: u32) -> Result<(), Fault> {
    let mut passed = slots::read();
    if parameters.flats == MANY {
        *passed.first_mut().ok_or(Fault)? = at.into();
    } else {
        flat::spread(table, parameters, &Linear, at, &mut passed)?;
    }
    slots::write(&passed);
    Ok(())
}

/// Returns a refusal as the function's error; where its type has no room for one, traps.
fn refuse(table: Table<'_>, function: &Function<'_>, refusal: &Text) -> Result<Entered, Fault> {
    let Some(result) = function.result.filter(|_| !function.denial.is_empty()) else {
        thoth_refused()
    };
    let json = denial::fill(function.denial, refusal.bytes()?);
    let at = Linear.allocate(result.size, result.align)?;
    Linear.store(at, result.extra, 1)?;
    let error = table.member(&result, 1)?;
    if let Some(payload) = table.payload(&error)? {
        let at = at.checked_add(error.offset).ok_or(Fault)?;
        // What fits the type is checked when the component is wrapped.
        lower::value(table, &payload, &json, &mut Linear, at).map_err(|_| Fault)?;
    }
    if result.flats > 1 {
        slots::set_result(at.into());
    } else {
        let mut direct = [0];
        flat::spread(table, &result, &Linear, at, &mut direct)?;
        let [direct] = direct;
        slots::set_result(direct);
    }
    Ok(Entered::Refused)
}

/// The end of a call that was refused, where the function has no error that could say so. Hosts show
/// the names of the functions in which a trap happened: this one is `thoth-refused`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn thoth_refused() -> ! {
    trap()
}
