-- Times are microseconds since 1970-01-01 UTC, business dates days since the same day.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- One row: who writes the warehouse. The fence rises with each owner, so that a paused writer's late step is recognised.
CREATE TABLE writer_lease (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    fence      INTEGER NOT NULL,
    token      TEXT,
    holder     TEXT,
    process    TEXT,
    acquired_at INTEGER,
    expires_at INTEGER
) STRICT;
INSERT INTO writer_lease (id, fence) VALUES (1, 0);

CREATE TABLE key_sequence (
    name TEXT PRIMARY KEY,
    next INTEGER NOT NULL CHECK (next > 0)
) STRICT;

CREATE TABLE snapshot (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    publication   INTEGER NOT NULL UNIQUE,
    parent        INTEGER REFERENCES snapshot (id),
    business_date INTEGER NOT NULL,
    tables        TEXT NOT NULL,
    facts         TEXT NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE publication (
    number      INTEGER PRIMARY KEY,
    kind        TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('prepared', 'committed', 'published', 'aborted')),
    fence       INTEGER NOT NULL,
    parent      INTEGER REFERENCES snapshot (id),
    intent      TEXT NOT NULL,
    snapshot_id INTEGER REFERENCES snapshot (id),
    prepared_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
-- Forward only: a prepared publication is finished or aborted before another one starts.
CREATE UNIQUE INDEX publication_open ON publication ((1)) WHERE state IN ('prepared', 'committed');

-- One row: the snapshot that new statements pin. Null before the first load.
CREATE TABLE warehouse_head (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    snapshot_id INTEGER REFERENCES snapshot (id)
) STRICT;
INSERT INTO warehouse_head (id) VALUES (1);

CREATE TABLE batch (
    node           TEXT NOT NULL,
    number         INTEGER NOT NULL CHECK (number > 0),
    feed_sha256    TEXT NOT NULL,
    content_sha256 TEXT NOT NULL,
    business_date  INTEGER NOT NULL,
    source         TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('received', 'held', 'refused', 'published')),
    message        TEXT NOT NULL,
    rows_delivered INTEGER NOT NULL,
    rows_loaded    INTEGER NOT NULL,
    rows_unchanged INTEGER NOT NULL,
    rows_rejected  INTEGER NOT NULL,
    snapshot_id    INTEGER REFERENCES snapshot (id),
    received_at    INTEGER NOT NULL,
    finished_at    INTEGER,
    files          TEXT NOT NULL,
    PRIMARY KEY (node, number),
    CHECK ((state = 'published') = (snapshot_id IS NOT NULL))
) STRICT;

CREATE TABLE statement (
    query_id    TEXT PRIMARY KEY,
    process     TEXT NOT NULL,
    principal   TEXT NOT NULL,
    face        TEXT NOT NULL,
    sql         TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    duration_ms INTEGER,
    rows        INTEGER,
    bytes       INTEGER,
    snapshot_id INTEGER,
    rollup      TEXT,
    reasons     TEXT,
    status      TEXT NOT NULL CHECK (status IN ('running', 'ok', 'failed', 'cancelled', 'refused')),
    error_code  TEXT
) STRICT;
CREATE INDEX statement_newest ON statement (started_at);
CREATE INDEX statement_of_principal ON statement (principal, started_at);
CREATE INDEX statement_running ON statement (process) WHERE status = 'running';

-- `user` and `token` are words of other databases.
CREATE TABLE login (
    name          TEXT PRIMARY KEY,
    password_hash TEXT,
    roles         TEXT NOT NULL,
    scope         TEXT NOT NULL,
    disabled      INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE access_token (
    id            TEXT PRIMARY KEY,
    login         TEXT NOT NULL REFERENCES login (name),
    secret_sha256 TEXT NOT NULL,
    label         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    last_used_at  INTEGER,
    revoked       INTEGER NOT NULL CHECK (revoked IN (0, 1))
) STRICT;
CREATE INDEX access_token_of_login ON access_token (login);

CREATE TABLE session (
    sha256       TEXT PRIMARY KEY,
    login        TEXT NOT NULL REFERENCES login (name),
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    idle_seconds INTEGER
) STRICT;
CREATE INDEX session_expiry ON session (expires_at);
