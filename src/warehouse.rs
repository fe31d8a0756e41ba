//! Delta tables, snapshots, publications.
