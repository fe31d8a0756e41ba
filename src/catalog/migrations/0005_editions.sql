-- Where a login is written to; none: nobody mails it.
ALTER TABLE login ADD COLUMN email TEXT;

-- A frozen report. Rows are added and never changed, but for the end of its files.
CREATE TABLE edition (
    id           TEXT PRIMARY KEY,
    report       TEXT NOT NULL,
    scope        TEXT NOT NULL,
    period       TEXT NOT NULL,
    version      INTEGER NOT NULL CHECK (version > 0),
    schedule     TEXT NOT NULL,
    run_key      TEXT NOT NULL,
    snapshot_id  INTEGER NOT NULL,
    as_of        INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    reading      TEXT NOT NULL,
    manifest     TEXT NOT NULL,
    changes      INTEGER,
    keep_until   INTEGER,
    removed_at   INTEGER,
    removal      TEXT,
    UNIQUE (report, scope, period, version)
) STRICT;
CREATE INDEX edition_newest ON edition (report, published_at);

-- Scheduled work. `logical` is what a run is for; a schedule has one run for it, whoever plans it and however often.
CREATE TABLE run (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    schedule     TEXT NOT NULL,
    logical      TEXT NOT NULL,
    cause        TEXT NOT NULL,
    as_of        INTEGER,
    partial      INTEGER NOT NULL CHECK (partial IN (0, 1)),
    state        TEXT NOT NULL CHECK (state IN ('ready', 'running', 'succeeded', 'held', 'failed', 'dead', 'skipped', 'cancelled')),
    fence        INTEGER NOT NULL,
    process      TEXT,
    lease_until  INTEGER,
    tries        INTEGER NOT NULL,
    not_before   INTEGER NOT NULL,
    published_at INTEGER,
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    finished_at  INTEGER,
    message      TEXT NOT NULL,
    result       TEXT NOT NULL,
    UNIQUE (schedule, logical)
) STRICT;
CREATE INDEX run_open ON run (not_before) WHERE state IN ('ready', 'running');

-- What the scheduler knows of a schedule: up to when its firings were planned, and whether somebody paused it.
CREATE TABLE schedule (
    name          TEXT PRIMARY KEY,
    planned_until INTEGER NOT NULL,
    paused_at     INTEGER,
    paused_by     TEXT,
    reason        TEXT
) STRICT;

-- One sending of one edition to one recipient. The state is written before the act, so that after a crash it is known what may
-- have left.
CREATE TABLE delivery (
    key        TEXT PRIMARY KEY,
    run_id     INTEGER NOT NULL REFERENCES run (id),
    edition    TEXT NOT NULL REFERENCES edition (id),
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
    next_at    INTEGER
) STRICT;
CREATE INDEX delivery_open ON delivery (next_at) WHERE state IN ('rendered', 'handed_over');
CREATE INDEX delivery_newest ON delivery (changed_at);

CREATE TABLE delivery_attempt (
    key     TEXT NOT NULL REFERENCES delivery (key),
    at      INTEGER NOT NULL,
    state   TEXT NOT NULL,
    bytes   INTEGER,
    answer  TEXT NOT NULL
) STRICT;
CREATE INDEX delivery_attempt_of ON delivery_attempt (key, at);
