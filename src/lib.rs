//! Countinghouse: an OLAP reporting and decision-support server for a bank's customer relationship management.
//!
//! The modules stand in data-flow order; `ARCHITECTURE.md` says what each may know of the others.

pub mod model;

pub mod analysis;
pub mod chart;

pub mod assets;
pub mod auth;
pub mod catalog;
pub mod clock;
pub mod config;
pub mod error;
pub mod locale;
pub mod storage;

pub mod cube;
pub mod engine;
pub mod ingest;
pub mod query;
pub mod warehouse;

pub mod evaluation;
pub mod report;

pub mod publish;
pub mod schedule;

pub mod sample;
pub mod server;

pub mod app;
pub mod command;

#[cfg(feature = "failpoints")]
pub mod fuzzing;
