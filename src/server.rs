//! Listeners and the order of shutdown.
pub mod flight;
