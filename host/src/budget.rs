//! What a session may use over all of its calls.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::tool::Usage;

/// What a session may use over all of its calls, those before it was resumed included. Without a limit
/// there is none.
///
/// A call that begins within the budget runs to its end: it may take the session over the limits of
/// time and fuel by what one call may use. One that is given up has used what it had until then, its fuel but for
/// a million units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// Calls that are asked for, refused ones included.
    pub calls: Option<u64>,
    /// Time that tools run, waiting for approvals of their effects included.
    pub wall: Option<Duration>,
    /// Fuel that tools use.
    pub fuel: Option<u64>,
}

/// What a session has used.
#[derive(Debug, Default)]
pub(crate) struct Spent(Mutex<Sums>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) calls: u64,
    pub(crate) wall: Duration,
    pub(crate) fuel: u64,
}

impl Spent {
    pub(crate) fn new(sums: Sums) -> Self {
        Self(Mutex::new(sums))
    }

    /// Counts a call that is asked for, if there is room for it; says what is used up otherwise.
    pub(crate) fn ask(&self, budget: &Budget) -> Result<(), String> {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |limit: String| {
            Err(format!(
                "the session's budget of {limit} is used up; begin a new session"
            ))
        };
        if let Some(calls) = budget.calls.filter(|calls| sums.calls >= *calls) {
            return over(format!("{calls} calls"));
        }
        if let Some(wall) = budget.wall.filter(|wall| sums.wall >= *wall) {
            return over(format!("{wall:?} for running tools"));
        }
        if let Some(fuel) = budget.fuel.filter(|fuel| sums.fuel >= *fuel) {
            return over(format!("{fuel} units of fuel"));
        }
        sums.calls += 1;
        Ok(())
    }

    /// Counts what a call used.
    pub(crate) fn add(&self, usage: &Usage) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sums.wall = sums.wall.saturating_add(usage.wall);
        sums.fuel = sums.fuel.saturating_add(usage.fuel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_ends_in_a_reason_that_names_what_is_used_up() {
        let spent = Spent::default();
        let calls = Some(2);
        let two = Budget {
            calls,
            ..Budget::default()
        };
        assert_eq!(spent.ask(&two), Ok(()));
        assert_eq!(spent.ask(&two), Ok(()));
        let why = spent.ask(&two).unwrap_err();
        assert!(why.contains("budget of 2 calls"), "{why}");
        assert_eq!(spent.ask(&Budget::default()), Ok(()), "without a limit");
        spent.add(&Usage {
            fuel: 7,
            wall: Duration::from_secs(1),
            ..Usage::default()
        });
        let fuel = Budget {
            fuel: Some(7),
            ..Budget::default()
        };
        assert!(spent.ask(&fuel).unwrap_err().contains("7 units of fuel"));
        let wall = Budget {
            wall: Some(Duration::from_secs(1)),
            ..Budget::default()
        };
        assert!(spent.ask(&wall).unwrap_err().contains("1s for running"));
    }
}
