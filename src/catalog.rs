//! The catalog database: the server's own records, one writer.
