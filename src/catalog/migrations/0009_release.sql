-- Something that people are told besides editions: that a close is late, that a figure crossed its threshold. Its id says what
-- it is about, so that it is told once, whoever finds it out and however often.
CREATE TABLE notice (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    report     TEXT NOT NULL,
    scope      TEXT NOT NULL,
    roles      TEXT NOT NULL,
    reading    TEXT,
    texts      TEXT NOT NULL,
    link       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- A sending is of an edition or of a notice; one of a notice has no run.
CREATE TABLE sending (
    key        TEXT PRIMARY KEY,
    run_id     INTEGER REFERENCES run (id),
    edition    TEXT REFERENCES edition (id),
    notice     TEXT REFERENCES notice (id),
    channel    TEXT NOT NULL,
    recipient  TEXT NOT NULL,
    address    TEXT,
    lang       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('rendered', 'handed_over', 'accepted', 'unknown', 'failed', 'refused')),
    process    TEXT,
    tries      INTEGER NOT NULL,
    bytes      INTEGER,
    answer     TEXT NOT NULL,
    planned_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    next_at    INTEGER,
    CHECK ((edition IS NULL) <> (notice IS NULL))
) STRICT;
INSERT INTO sending SELECT key, run_id, edition, NULL, channel, recipient, address, lang, state, process, tries, bytes, answer,
    planned_at, changed_at, next_at FROM delivery;
CREATE TABLE sending_attempt (
    key     TEXT NOT NULL REFERENCES sending (key),
    at      INTEGER NOT NULL,
    state   TEXT NOT NULL,
    bytes   INTEGER,
    answer  TEXT NOT NULL
) STRICT;
INSERT INTO sending_attempt SELECT key, at, state, bytes, answer FROM delivery_attempt ORDER BY rowid;
DROP TABLE delivery_attempt;
DROP TABLE delivery;
ALTER TABLE sending RENAME TO delivery;
ALTER TABLE sending_attempt RENAME TO delivery_attempt;
CREATE INDEX delivery_open ON delivery (next_at) WHERE state IN ('rendered', 'handed_over');
CREATE INDEX delivery_newest ON delivery (changed_at);
CREATE INDEX delivery_of ON delivery (edition);
CREATE INDEX delivery_attempt_of ON delivery_attempt (key, at);

-- Who made a run start: a login, or a person at the machine; none where the server planned it. Who let it go though a gate held
-- it, and what was let go, as JSON.
ALTER TABLE run ADD COLUMN started_by TEXT;
ALTER TABLE run ADD COLUMN release TEXT;

-- The newest edition of a part of the bank.
CREATE INDEX edition_of ON edition (report, scope, as_of);
