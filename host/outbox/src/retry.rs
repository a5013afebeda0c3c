//! How long to wait: between tries, for a batch to fill, for news from other processes.

use std::time::Duration;

/// How long delivery waits for what.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Before the second try; it doubles with every further one.
    pub first: Duration,
    /// The longest wait between two tries, whatever the destination asks for.
    pub cap: Duration,
    /// The longest that one try may take.
    pub attempt: Duration,
    /// For a batch to fill, so that the events of one call travel together. Nobody waits this long
    /// while somebody waits for the log to drain.
    pub gather: Duration,
    /// Between two looks for what other processes appended.
    pub poll: Duration,
    /// Between two looks whether the process that delivers is gone.
    pub turn: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(250),
            cap: Duration::from_secs(30),
            attempt: Duration::from_secs(30),
            gather: Duration::from_millis(20),
            poll: Duration::from_millis(200),
            turn: Duration::from_secs(1),
        }
    }
}

impl Retry {
    /// The wait after `failures` failures in a row (from one): between half and all of the doubled
    /// first wait, at most the cap. If the destination said when to come back, not before that (within
    /// the cap) and up to the first wait later, so that not everyone comes back at once.
    pub(crate) fn delay(&self, failures: u32, after: Option<Duration>) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        let full = self.first.saturating_mul(1 << doublings).min(self.cap);
        let half = full / 2;
        let wait = half.saturating_add(random(full.saturating_sub(half)));
        match after {
            None => wait,
            Some(after) => wait.max(after.min(self.cap).saturating_add(random(self.first))),
        }
    }
}

/// Evenly from nothing to `most`.
fn random(most: Duration) -> Duration {
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(fastrand::u64(0..=nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_the_cap_and_varies_by_half() {
        let retry = Retry::default();
        for failures in 1..100 {
            let full = Duration::from_millis(250)
                .saturating_mul(1 << (failures - 1).min(20))
                .min(retry.cap);
            let mut waits: Vec<_> = (0..200).map(|_| retry.delay(failures, None)).collect();
            assert!(waits.iter().all(|wait| (full / 2..=full).contains(wait)));
            waits.sort();
            waits.dedup();
            assert!(waits.len() > 100, "waits should differ: {}", waits.len());
        }
    }

    #[test]
    fn a_destination_may_ask_for_a_wait_within_the_cap() {
        let retry = Retry::default();
        for _ in 0..200 {
            let asked = retry.delay(1, Some(Duration::from_secs(7)));
            assert!(asked >= Duration::from_secs(7) && asked <= Duration::from_millis(7250));
            let greedy = retry.delay(1, Some(Duration::MAX));
            assert!(greedy >= retry.cap && greedy <= retry.cap + retry.first);
            assert!(retry.delay(9, Some(Duration::ZERO)) >= Duration::from_secs(15));
        }
    }

    #[test]
    fn extreme_settings_do_not_overflow() {
        let retry = Retry {
            first: Duration::MAX,
            cap: Duration::MAX,
            ..Retry::default()
        };
        assert!(retry.delay(u32::MAX, Some(Duration::MAX)) > Duration::ZERO);
        let retry = Retry {
            first: Duration::ZERO,
            cap: Duration::ZERO,
            ..Retry::default()
        };
        assert_eq!(retry.delay(3, Some(Duration::MAX)), Duration::ZERO);
    }
}
