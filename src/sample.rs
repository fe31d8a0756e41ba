//! The sample bank from a seed.
