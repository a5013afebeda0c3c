//! The time that a store goes by. A hold must not last longer because somebody set the clock back, so
//! its end is told by a clock that nobody can set.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use super::milliseconds;

/// One moment, by every clock that counts. All are milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Now {
    /// Since 1970, as the system's clock is set. People read it; it decides only after a reboot.
    pub(crate) wall: i64,
    /// Since the machine was started. Every process on it agrees, and nobody can set it.
    pub(crate) uptime: i64,
    /// Which start of the machine that was; random where the system does not tell.
    pub(crate) boot: Arc<str>,
}

/// Where a store has its moments from.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    pub(crate) fn system() -> Self {
        // Where the system does not tell, no two processes agree, and the wall's clock decides.
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .ok()
            .filter(|boot| !boot.trim().is_empty())
            .or_else(|| super::random_hex::<16>().ok());
        let boot: Arc<str> = boot.unwrap_or_default().trim().into();
        Self::new(move || {
            let uptime = clock_gettime(ClockId::Boottime);
            let seconds = Duration::from_secs(u64::try_from(uptime.tv_sec).unwrap_or_default());
            let part = Duration::from_nanos(u64::try_from(uptime.tv_nsec).unwrap_or_default());
            Now {
                wall: since_1970(SystemTime::now()),
                uptime: milliseconds(seconds + part),
                boot: Arc::clone(&boot),
            }
        })
    }

    pub(crate) fn new(now: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Now {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

/// Until when a hold lasts.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    pub(crate) requested_at: i64,
    pub(crate) expires_at: i64,
    /// The same end on [`Now::uptime`]'s clock.
    pub(crate) uptime: i64,
    pub(crate) boot: String,
}

impl Deadline {
    /// The end of what begins now.
    pub(crate) fn after(now: &Now, waits: Duration) -> Self {
        let waits = milliseconds(waits);
        Self {
            requested_at: now.wall,
            expires_at: now.wall.saturating_add(waits),
            uptime: now.uptime.saturating_add(waits),
            boot: now.boot.to_string(),
        }
    }

    /// How much time is left; nothing once it is over.
    ///
    /// Since the machine's last start nobody's clock goes on but the wall's. One that shows a time
    /// before the hold began was set back, and cannot tell: then it is over.
    pub(crate) fn left(&self, now: &Now) -> Duration {
        let left = if *self.boot == *now.boot {
            self.uptime.saturating_sub(now.uptime)
        } else if now.wall < self.requested_at {
            0
        } else {
            self.expires_at.saturating_sub(now.wall)
        };
        Duration::from_millis(u64::try_from(left).unwrap_or_default())
    }
}

/// What [`Deadline::left`] says, as a condition of SQLite's on a row of `holds`: there is time left.
/// Takes `:wall`, `:uptime` and `:boot`.
pub(crate) const HAS_TIME_LEFT: &str = "CASE WHEN boot = :boot THEN deadline > :uptime
     ELSE expires_at > :wall AND requested_at <= :wall END";

pub(crate) fn since_1970(time: SystemTime) -> i64 {
    milliseconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}
