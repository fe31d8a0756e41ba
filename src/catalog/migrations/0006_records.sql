-- What people record of the CRM programme's evaluation. A record is a document; each change is a row more, and none is ever
-- changed or removed: what stood when, by whom and why can always be told.
CREATE TABLE record (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind         TEXT NOT NULL,
    id           TEXT NOT NULL,
    version      INTEGER NOT NULL CHECK (version > 0),
    organisation TEXT NOT NULL,
    body         TEXT NOT NULL CHECK (json_valid(body)),
    reason       TEXT NOT NULL,
    recorded_by  TEXT NOT NULL,
    recorded_at  INTEGER NOT NULL,
    UNIQUE (kind, id, version)
) STRICT;
CREATE TRIGGER record_stays BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'records are added, never changed'); END;
CREATE TRIGGER record_remains BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'records are added, never removed'); END;

-- What only one record at a time may stand on, such as a measured fact of a month under a benefit. It follows from the newest
-- versions.
CREATE TABLE record_claim (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    id   TEXT NOT NULL
) STRICT;
CREATE INDEX record_claim_holder ON record_claim (kind, id);
