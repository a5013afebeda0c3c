//! The writes: what one group of changes does to the tables, in one transaction.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use crate::chain::{Hash, Head};
use crate::count::{Cap, Count};
use crate::error::{AppendError, plain};
use crate::event::Event;
use crate::file::{self, LogFile};
use crate::schema::NOWHERE;
use crate::signer::Signer;
use crate::transaction::Immediate;
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
    pub(crate) kind: Kind,
}

/// Whether an event is delivered, and whether there is always room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Delivered; refused where too much waits.
    Begins,
    /// Delivered, whatever waits.
    Ends,
    /// Only kept.
    Local,
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
    /// Where the log stood when this was committed last.
    known: Option<(Head, Count)>,
    /// What was settled when somebody last looked; it only grows.
    settled: Count,
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
            known: None,
            settled: Count::default(),
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
        let transaction = Immediate::begin(&self.connection)?;
        let now = millis();
        let last = head(&transaction, self.first)?;
        let count = match self.known {
            // Nobody else has appended.
            Some((known, count)) if known == last => count,
            known => Count::read(&transaction, self.destination, known)?,
        };
        let mut end = End {
            head: last,
            count,
            settled: self.settled,
        };
        let mut sign = false;
        let mut answers = Vec::new();
        for change in changes.clone() {
            answers.push(match change {
                Change::Append(record) => append(
                    &transaction,
                    self.destination,
                    self.cap,
                    &mut end,
                    record,
                    now,
                )?,
                Change::Settle(settlement) => {
                    settle(&transaction, self.destination, settlement, now)?;
                    Ok(())
                }
                Change::Trouble(why) => {
                    transaction
                        .prepare_cached("UPDATE destination SET last_error = ?2 WHERE id = ?1")?
                        .execute(params![self.destination, why])?;
                    Ok(())
                }
                Change::Sign => {
                    sign = true;
                    Ok(())
                }
            });
        }
        transaction.commit()?;
        self.known = Some((end.head, end.count));
        self.settled = end.settled;
        if end.head != last {
            self.signer.appended(end.head);
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

/// The end of the log, as a transaction moves it on.
struct End {
    head: Head,
    /// For the destination of this ledger.
    count: Count,
    settled: Count,
}

/// The end of the chain.
fn head(transaction: &Connection, first: Head) -> rusqlite::Result<Head> {
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
    transaction: &Connection,
    destination: i64,
    cap: Cap,
    end: &mut End,
    record: &Record,
    now: i64,
) -> rusqlite::Result<Result<(), AppendError>> {
    let Record {
        event,
        content,
        kind,
    } = record;
    let bytes = i64::try_from(event.bytes()).unwrap_or(i64::MAX);
    let (place, count) = match kind {
        Kind::Begins | Kind::Ends => (destination, end.count.with(bytes)),
        Kind::Local => (NOWHERE, Count::default()),
    };
    if *kind == Kind::Begins && count.exceeds(cap, end.settled) {
        // More may be settled by now.
        end.settled = Count::settled(transaction, destination)?;
        if count.exceeds(cap, end.settled) {
            // What is in the log already needs no room.
            let known = stored(transaction, event)?;
            return Ok(match known {
                Some(stored) => same(&stored, place, event),
                None => Err(AppendError::Full),
            });
        }
    }
    let next = end.head.next(now, *content);
    let added = transaction
        .prepare_cached(
            "INSERT INTO event
                 (seq, id, destination, session_id, call_id, event_type, appended_at, nth, bytes,
                  hash, facts, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            next.index,
            event.id,
            place,
            event.session_id,
            event.call_id,
            event.event_type,
            now,
            count.events,
            count.bytes,
            next.hash.0,
            event.facts,
            event.body,
        ])?;
    if added == 0 {
        let known = stored(transaction, event)?;
        return Ok(match known {
            Some(stored) => same(&stored, place, event),
            None => Err(AppendError::Conflict(event.id.clone())),
        });
    }
    end.head = next;
    if *kind != Kind::Local {
        end.count = count;
    }
    Ok(Ok(()))
}

/// The event that has this id, and its destination.
fn stored(transaction: &Connection, event: &Event) -> rusqlite::Result<Option<(i64, Event)>> {
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
    transaction: &Connection,
    destination: i64,
    settlement: &Settlement,
    now: i64,
) -> rusqlite::Result<()> {
    let Settlement {
        through,
        events,
        bytes,
        refused,
    } = settlement;
    let (delivered, rejected) = match refused {
        None => (*events, 0),
        Some(_) => (0, *events),
    };
    // INVARIANT: what is settled stays settled, so an answer that was counted is not counted again.
    let counted = transaction
        .prepare_cached(
            "UPDATE destination SET settled_through = ?2, settled_bytes = settled_bytes + ?3,
                 delivered = delivered + ?4, rejected = rejected + ?5, last_error = ?6
             WHERE id = ?1 AND settled_through < ?2",
        )?
        .execute(params![
            destination,
            through,
            bytes,
            delivered,
            rejected,
            refused
        ])?;
    if let (Some(why), true) = (refused, counted > 0) {
        transaction
            .prepare_cached("INSERT INTO rejection (seq, why, rejected_at) VALUES (?1, ?2, ?3)")?
            .execute(params![through, why, now])?;
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
