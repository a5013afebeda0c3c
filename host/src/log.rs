//! The durable log as it is read: by an auditor, by a script, or by a session that goes on.

pub use thoth_outbox::{
    Archive, Checkpoint, Delivery, Entry, Flaw, Hash, Head, Verified, checkpoints_path, public_key,
    verify,
};

/// The log's name in the state folder.
pub const FILE: &str = "events.db";
