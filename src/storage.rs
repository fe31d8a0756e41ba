//! Object stores from URLs.
