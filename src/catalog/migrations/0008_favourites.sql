-- The reports that a login has marked, to find them first.
CREATE TABLE favourite (
    login     TEXT NOT NULL REFERENCES login (name),
    report    TEXT NOT NULL,
    marked_at INTEGER NOT NULL,
    PRIMARY KEY (login, report)
) STRICT;
