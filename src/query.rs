//! The one door for statements.
