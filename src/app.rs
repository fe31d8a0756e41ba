//! Builds everything from the configuration.
