//! One thing that happened, as it is kept and delivered.

/// One thing that happened, as it is kept and delivered.
///
/// The outbox does not look into `body` and `facts`; the other fields are what the log is searched by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The stable id, chosen once by whoever made the event; the same over every delivery.
    pub id: String,
    /// The session it belongs to; order is kept within it.
    pub session_id: String,
    /// The call it belongs to.
    pub call_id: String,
    /// What happened, `TOOL_CALL_PRE` for instance.
    pub event_type: String,
    /// The event as it goes over the wire, JSON text.
    pub body: String,
    /// What only the log keeps: it is hashed with the rest and never delivered. JSON text, or empty.
    pub facts: String,
}

impl Event {
    /// What this event counts for against the cap on waiting bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes = self.id.len()
            + self.session_id.len()
            + self.call_id.len()
            + self.event_type.len()
            + self.body.len()
            + self.facts.len();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}
