//! The writes: what one group of changes does to the tables, in one transaction.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
};

use crate::chain::{Hash, Head};
use crate::error::{AppendError, plain};
use crate::event::Event;
use crate::file::{self, LogFile};
use crate::schema::NOWHERE;
use crate::signer::Signer;
use crate::wal::WriteAhead;

/// One change to the log.
#[derive(Debug)]
pub(crate) enum Change {
    /// Keep an event.
    Append(Box<Record>),
    /// The destination has answered for everything up to and including a row.
    Settle(Settlement),
    /// The destination cannot be reached, and why.
    Trouble(String),
    /// Sign the head, unless it is signed already.
    Sign,
}

/// An event on its way into the log.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) event: Event,
    /// The digest of what it says, made where nobody waits for it.
    pub(crate) content: Hash,
    /// Whether it is delivered, or only kept.
    pub(crate) deliver: bool,
}

/// What the destination said about the oldest waiting events.
#[derive(Clone, Debug)]
pub(crate) struct Settlement {
    pub(crate) through: i64,
    pub(crate) events: i64,
    pub(crate) bytes: i64,
    /// Why it refused the event (then it is one event), or that it accepted them.
    pub(crate) refused: Option<String>,
}

/// How much may wait for one destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cap {
    pub(crate) events: i64,
    pub(crate) bytes: i64,
}

/// Whether a commit may wait, for another process or for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Not at all: it runs in a place where others wait.
    None,
    /// For as long as it takes, about five seconds for another process.
    Full,
}

/// What became of a group of changes.
#[derive(Debug)]
pub(crate) enum Committed {
    /// It is committed, and this is the answer for each.
    Answers(Vec<Result<(), AppendError>>),
    /// Another process is writing. Nothing was done.
    Busy,
}

/// The writing side of a log, for one destination.
#[derive(Debug)]
pub(crate) struct Ledger {
    connection: Connection,
    patience: Patience,
    write_ahead: WriteAhead,
    file: LogFile,
    /// The beginning of the chain.
    first: Head,
    signer: Signer,
    destination: i64,
    cap: Cap,
}

impl Ledger {
    pub(crate) fn new(
        connection: Connection,
        write_ahead: WriteAhead,
        file: LogFile,
        signer: Signer,
        destination: &str,
        cap: Cap,
    ) -> rusqlite::Result<Self> {
        connection.execute(
            "INSERT INTO destination (name) VALUES (?1) ON CONFLICT (name) DO NOTHING",
            [destination],
        )?;
        let destination = connection.query_row(
            "SELECT id FROM destination WHERE name = ?1",
            [destination],
            |row| row.get(0),
        )?;
        Ok(Self {
            connection,
            patience: Patience::Full,
            write_ahead,
            file,
            first: Head::first(signer.log()),
            signer,
            destination,
            cap,
        })
    }

    /// The destination's row.
    pub(crate) fn destination(&self) -> i64 {
        self.destination
    }

    /// Commits a group of changes as one transaction and answers for each.
    ///
    /// # Errors
    /// Says in one line why nothing of the group was committed. After an error in the commit itself
    /// nobody may rely on either outcome, so it counts as not committed.
    pub(crate) fn commit<'a>(
        &mut self,
        changes: impl Iterator<Item = &'a Change> + Clone,
        patience: Patience,
    ) -> Result<Committed, String> {
        if !self.file.is_in_place() {
            return Err("the file was moved or deleted; restart to begin a new one".into());
        }
        if self.patience != patience {
            file::wait_for_others(&mut self.connection, patience == Patience::Full)
                .map_err(|error| plain(&error))?;
            self.patience = patience;
        }
        match self.transact(changes) {
            Ok(answers) => Ok(Committed::Answers(answers)),
            Err(error)
                if patience == Patience::None
                    && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) =>
            {
                Ok(Committed::Busy)
            }
            Err(error) => Err(plain(&error)),
        }
    }

    /// To be called when a group has been answered: work that callers need not wait for. False means
    /// that it needs more patience.
    pub(crate) fn tidy(&mut self, patience: Patience) -> bool {
        self.signer.sign_if_due();
        self.write_ahead.committed(&self.connection, patience)
    }

    /// Signs what this process appended last. To be called when nothing more is appended.
    pub(crate) fn close(&mut self) {
        // What cannot be signed is in the chain all the same; the next checkpoint covers it.
        let _ = self.signer.sign();
    }

    fn transact<'a>(
        &mut self,
        changes: impl Iterator<Item = &'a Change> + Clone,
    ) -> rusqlite::Result<Vec<Result<(), AppendError>>> {
        // Immediate: the write lock is taken (and waited for) here and not at the first insert, where
        // a reader turned writer would fail at once.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = millis();
        let mut tally = Tally::read(&transaction, self.destination)?;
        let before = tally.clone();
        let last = head(&transaction, self.first)?;
        let mut head = last;
        let mut sign = false;
        let mut answers = Vec::new();
        for change in changes.clone() {
            answers.push(match change {
                Change::Append(record) => append(
                    &transaction,
                    self.destination,
                    self.cap,
                    &mut tally,
                    &mut head,
                    record,
                    now,
                )?,
                Change::Settle(settlement) => {
                    settle(&transaction, &mut tally, settlement, now)?;
                    Ok(())
                }
                Change::Trouble(why) => {
                    tally.last_error = Some(why.clone());
                    Ok(())
                }
                Change::Sign => {
                    sign = true;
                    Ok(())
                }
            });
        }
        if tally != before {
            tally.write(&transaction, self.destination)?;
        }
        transaction.commit()?;
        if head != last {
            self.signer.appended(head);
        }
        if sign {
            // Only what is committed is signed.
            let signed = self.signer.sign();
            for (change, answer) in changes.zip(&mut answers) {
                if matches!(change, Change::Sign) {
                    answer.clone_from(&signed);
                }
            }
        }
        Ok(answers)
    }
}

/// The counters of one destination; they change in the transaction that changes what they count.
#[derive(Clone, Debug, PartialEq)]
struct Tally {
    settled_through: i64,
    waiting: i64,
    waiting_bytes: i64,
    delivered: i64,
    rejected: i64,
    last_error: Option<String>,
}

impl Tally {
    fn read(transaction: &Transaction<'_>, destination: i64) -> rusqlite::Result<Self> {
        transaction
            .prepare_cached(
                "SELECT settled_through, waiting, waiting_bytes, delivered, rejected, last_error
                 FROM destination WHERE id = ?1",
            )?
            .query_row([destination], |row| {
                Ok(Self {
                    settled_through: row.get(0)?,
                    waiting: row.get(1)?,
                    waiting_bytes: row.get(2)?,
                    delivered: row.get(3)?,
                    rejected: row.get(4)?,
                    last_error: row.get(5)?,
                })
            })
    }

    fn write(&self, transaction: &Transaction<'_>, destination: i64) -> rusqlite::Result<()> {
        transaction
            .prepare_cached(
                "UPDATE destination SET settled_through = ?2, waiting = ?3, waiting_bytes = ?4,
                 delivered = ?5, rejected = ?6, last_error = ?7 WHERE id = ?1",
            )?
            .execute(params![
                destination,
                self.settled_through,
                self.waiting,
                self.waiting_bytes,
                self.delivered,
                self.rejected,
                self.last_error,
            ])?;
        Ok(())
    }
}

/// The end of the chain.
fn head(transaction: &Transaction<'_>, first: Head) -> rusqlite::Result<Head> {
    let last = transaction
        .prepare_cached("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(Head {
                index: row.get(0)?,
                hash: Hash(row.get(1)?),
            })
        })
        .optional()?;
    Ok(last.unwrap_or(first))
}

fn append(
    transaction: &Transaction<'_>,
    destination: i64,
    cap: Cap,
    tally: &mut Tally,
    head: &mut Head,
    record: &Record,
    now: i64,
) -> rusqlite::Result<Result<(), AppendError>> {
    let Record {
        event,
        content,
        deliver,
    } = record;
    let destination = if *deliver { destination } else { NOWHERE };
    let bytes = i64::try_from(event.bytes()).unwrap_or(i64::MAX);
    let waiting_bytes = tally.waiting_bytes.saturating_add(bytes);
    if *deliver && (tally.waiting >= cap.events || waiting_bytes > cap.bytes) {
        // What is in the log already needs no room.
        let known = stored(transaction, event)?;
        return Ok(match known {
            Some(stored) => same(&stored, destination, event),
            None => Err(AppendError::Full),
        });
    }
    let next = head.next(now, *content);
    let added = transaction
        .prepare_cached(
            "INSERT INTO event
                 (seq, id, destination, session_id, call_id, event_type, appended_at, hash, facts,
                  body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            next.index,
            event.id,
            destination,
            event.session_id,
            event.call_id,
            event.event_type,
            now,
            next.hash.0,
            event.facts,
            event.body,
        ])?;
    if added == 0 {
        let known = stored(transaction, event)?;
        return Ok(match known {
            Some(stored) => same(&stored, destination, event),
            None => Err(AppendError::Conflict(event.id.clone())),
        });
    }
    *head = next;
    if *deliver {
        tally.waiting = tally.waiting.saturating_add(1);
        tally.waiting_bytes = waiting_bytes;
    }
    Ok(Ok(()))
}

/// The event that has this id, and its destination.
fn stored(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<Option<(i64, Event)>> {
    transaction
        .prepare_cached(
            "SELECT destination, id, session_id, call_id, event_type, body, facts
             FROM event WHERE id = ?1",
        )?
        .query_row([&event.id], |row| {
            Ok((
                row.get(0)?,
                Event {
                    id: row.get(1)?,
                    session_id: row.get(2)?,
                    call_id: row.get(3)?,
                    event_type: row.get(4)?,
                    body: row.get(5)?,
                    facts: row.get(6)?,
                },
            ))
        })
        .optional()
}

fn same(stored: &(i64, Event), destination: i64, event: &Event) -> Result<(), AppendError> {
    if stored.0 == destination && stored.1 == *event {
        Ok(())
    } else {
        Err(AppendError::Conflict(event.id.clone()))
    }
}

fn settle(
    transaction: &Transaction<'_>,
    tally: &mut Tally,
    settlement: &Settlement,
    now: i64,
) -> rusqlite::Result<()> {
    // INVARIANT: what is settled stays settled, so an answer that was counted is not counted again.
    if settlement.through <= tally.settled_through {
        return Ok(());
    }
    tally.settled_through = settlement.through;
    tally.waiting = tally.waiting.saturating_sub(settlement.events);
    tally.waiting_bytes = tally.waiting_bytes.saturating_sub(settlement.bytes);
    match &settlement.refused {
        None => {
            tally.delivered = tally.delivered.saturating_add(settlement.events);
            tally.last_error = None;
        }
        Some(why) => {
            tally.rejected = tally.rejected.saturating_add(settlement.events);
            tally.last_error = Some(why.clone());
            transaction
                .prepare_cached(
                    "INSERT INTO rejection (seq, why, rejected_at) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![settlement.through, why, now])?;
        }
    }
    Ok(())
}

/// Milliseconds of the Unix epoch; a clock set before it reads as zero.
pub(crate) fn millis() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|elapsed| i64::try_from(elapsed.as_millis()).ok())
        .unwrap_or(0)
}
