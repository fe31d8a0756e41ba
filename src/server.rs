//! Listeners and the order of shutdown.
