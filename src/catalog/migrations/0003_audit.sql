-- What happened, one record after the other. `record` is the text that was hashed, after the hash of the record before it; the
-- other columns are read from it.
CREATE TABLE audit (
    sequence  INTEGER PRIMARY KEY,
    record    TEXT NOT NULL,
    hash      TEXT NOT NULL,
    at        TEXT GENERATED ALWAYS AS (json_extract(record, '$.at')) VIRTUAL,
    action    TEXT GENERATED ALWAYS AS (json_extract(record, '$.action')) VIRTUAL,
    principal TEXT GENERATED ALWAYS AS (json_extract(record, '$.principal')) VIRTUAL
) STRICT;
CREATE INDEX audit_of_principal ON audit (principal, sequence);
CREATE INDEX audit_of_action ON audit (action, sequence);

-- One row: the last record and its hash, and those of the last one that was dropped when its time was over.
CREATE TABLE audit_chain (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    dropped  INTEGER NOT NULL,
    base     TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    hash     TEXT NOT NULL
) STRICT;
INSERT INTO audit_chain (id, dropped, base, sequence, hash) VALUES (1, 0, '', 0, '');

ALTER TABLE statement ADD COLUMN rights TEXT;
ALTER TABLE statement ADD COLUMN parameters TEXT;
