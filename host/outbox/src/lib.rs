//! The durable outbox: events are kept before they take effect and delivered at least once.
//!
//! [`Outbox::append`] returns when an event is in the log (SQLite, write-ahead), where a killed process
//! cannot lose it. [`deliver`] carries what waits to one destination, oldest first, in batches of at
//! most [`BATCH`], until the destination has accepted or refused every event. An event keeps its id
//! for good, so a receiver that drops ids it has seen sees each event once.
//!
//! Promises:
//! - an event is delivered to the destination it was recorded for and to no other;
//! - events are delivered in the order in which they were appended, so in order within a session;
//! - nothing is dropped silently: what a destination refuses for good stays in the log, counted, with
//!   the reason;
//! - several processes can use one log; one of them delivers for a destination, and when it dies
//!   another takes over.
//!
//! Delivered events stay in the log, which is the record of what happened. Nothing prunes it: the cap
//! in [`Options`] bounds what waits, not what was delivered.
//!
//! Every record is chained by hash to the one before, and the end of the chain is signed now and then
//! ([`Checkpoint`]). [`verify()`] proves that nothing was changed, put in or left out.
//!
//! Unix only: the log's folder and files are kept private by their permission bits.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod archive;
mod chain;
mod checkpoint;
mod count;
mod deliver;
mod error;
mod event;
mod file;
mod ledger;
mod outbox;
mod reader;
mod retry;
mod schema;
mod signer;
mod transaction;
mod turn;
mod verify;
mod wal;
mod writer;

pub use archive::{Archive, Delivery, Entry};
pub use chain::{Hash, Head};
pub use checkpoint::Checkpoint;
pub use deliver::{Carrier, Sent, deliver};
pub use error::{AppendError, OpenError, StatusError};
pub use event::Event;
pub use outbox::{Options, Outbox, Status};
pub use reader::BATCH;
pub use retry::Retry;
pub use signer::{CHECKPOINT_EVERY, checkpoints_path, public_key};
pub use verify::{Flaw, Verified, verify};
