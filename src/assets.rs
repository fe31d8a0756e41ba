//! Bytes compiled in.
