//! Feeds in: checked rows or reasons.
