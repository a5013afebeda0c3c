-- The enforcer's store. Times are milliseconds since 1970.

CREATE TABLE IF NOT EXISTS holds (
    token             TEXT PRIMARY KEY,
    -- pending, approved or denied; a pending hold past expires_at has expired.
    status            TEXT NOT NULL DEFAULT 'pending',
    tenant_id         TEXT NOT NULL,
    agent_id          TEXT NOT NULL,
    user_id           TEXT NOT NULL,
    session_id        TEXT NOT NULL,
    tool_name         TEXT NOT NULL,
    -- Canonical JSON (RFC 8785) and its SHA-256.
    arguments         TEXT NOT NULL,
    arguments_digest  TEXT NOT NULL,
    reason            TEXT NOT NULL,
    -- What every answer about this hold repeats, as a JSON object.
    evidence          TEXT NOT NULL,
    -- Named in the answer if the hold ends in a block.
    violation_id      TEXT NOT NULL,
    requested_at      INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL,
    resolved_by       TEXT,
    resolved_at       INTEGER,
    resolution_reason TEXT,
    -- From version 1 on; a file of version 0 gets them when it is opened.
    -- The arguments as the agent gave them, where a policy has changed them.
    asked             TEXT,
    -- The SHA-256 of the tool's component, where the client said so.
    component         TEXT,
    policy            TEXT NOT NULL DEFAULT '',
    nonce             TEXT NOT NULL DEFAULT '',
    -- The SHA-256 of all that the approval is for.
    digest            TEXT NOT NULL DEFAULT '',
    -- 1 if an approval goes only to a host that names what it runs, and whose use it was then.
    claimed           INTEGER NOT NULL DEFAULT 0,
    used_by           TEXT,
    -- What the call is for, as a JSON object.
    context           TEXT NOT NULL DEFAULT '{}',
    -- expires_at once more, in milliseconds since the start of the machine named in boot.
    deadline          INTEGER NOT NULL DEFAULT 0,
    boot              TEXT NOT NULL DEFAULT 'another'
) STRICT;
CREATE INDEX IF NOT EXISTS holds_by_status ON holds (status, requested_at);
-- All that it takes to tell which holds a page shows, without reading them.
CREATE INDEX IF NOT EXISTS holds_by_time ON holds (requested_at, status, expires_at, deadline, boot);
DROP INDEX IF EXISTS holds_by_age;

CREATE TABLE IF NOT EXISTS events (
    tenant_id   TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    event_type  TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    -- The event with snake case keys.
    body        TEXT NOT NULL,
    PRIMARY KEY (tenant_id, event_id)
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_age ON events (received_at);

-- Blocks. Other decisions are in a file only if an earlier version wrote them.
CREATE TABLE IF NOT EXISTS decisions (
    id            INTEGER PRIMARY KEY,
    decided_at    INTEGER NOT NULL,
    tenant_id     TEXT NOT NULL,
    agent_id      TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    session_id    TEXT NOT NULL,
    tool_name     TEXT NOT NULL,
    decision      TEXT NOT NULL,
    reason_code   TEXT NOT NULL,
    reason        TEXT NOT NULL,
    -- The rules that matched, as a JSON array.
    matched_rules TEXT NOT NULL,
    pack_version  TEXT NOT NULL,
    violation_id  TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS decisions_by_violation ON decisions (violation_id)
    WHERE violation_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS decisions_by_age ON decisions (decided_at);
