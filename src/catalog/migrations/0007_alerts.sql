-- How something that an alert watches stands: one row for each of its members in each scope that it is judged in.
CREATE TABLE alert (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    report           TEXT NOT NULL,
    alert            TEXT NOT NULL,
    scope            TEXT NOT NULL,
    scope_label      TEXT NOT NULL CHECK (json_valid(scope_label)),
    member           TEXT NOT NULL,
    label            TEXT NOT NULL CHECK (json_valid(label)),
    state            TEXT NOT NULL CHECK (state IN ('ok', 'pending', 'firing', 'acknowledged', 'no_data', 'ended')),
    held             TEXT CHECK (held IN ('firing', 'acknowledged')),
    streak           INTEGER NOT NULL,
    told             TEXT NOT NULL CHECK (told IN ('ok', 'firing', 'no_data')),
    told_programs    TEXT NOT NULL CHECK (told_programs IN ('ok', 'firing', 'no_data')),
    seen             TEXT NOT NULL,
    value            TEXT,
    as_of            INTEGER NOT NULL,
    snapshot_id      INTEGER NOT NULL,
    reading          TEXT NOT NULL CHECK (json_valid(reading)),
    since            INTEGER NOT NULL,
    checked_at       INTEGER NOT NULL,
    acknowledged_by  TEXT,
    acknowledged_why TEXT,
    snoozed_by       TEXT,
    snoozed_why      TEXT,
    snoozed_until    INTEGER,
    UNIQUE (report, alert, scope, member)
) STRICT;
CREATE INDEX alert_state ON alert (state, since);
CREATE INDEX alert_since ON alert (since);
CREATE INDEX alert_open ON alert (report, alert, snapshot_id) WHERE state <> 'ended';

-- What happened to it: a change of its state, or what somebody said, with what its readers must be allowed to see. Rows are added
-- and never changed.
CREATE TABLE alert_event (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id    INTEGER NOT NULL REFERENCES alert (id),
    at          INTEGER NOT NULL,
    was         TEXT,
    state       TEXT NOT NULL,
    value       TEXT,
    as_of       INTEGER NOT NULL,
    snapshot_id INTEGER NOT NULL,
    reading     TEXT NOT NULL CHECK (json_valid(reading)),
    changed_by  TEXT,
    reason      TEXT,
    until       INTEGER
) STRICT;
CREATE INDEX alert_event_of ON alert_event (alert_id, id);
CREATE TRIGGER alert_event_stays BEFORE UPDATE ON alert_event
    BEGIN SELECT RAISE(ABORT, 'what happened to an alert is added, never changed'); END;
CREATE TRIGGER alert_event_remains BEFORE DELETE ON alert_event
    BEGIN SELECT RAISE(ABORT, 'what happened to an alert is added, never removed'); END;

-- The latest runs of a schedule or an alert.
CREATE INDEX run_latest ON run (schedule);
