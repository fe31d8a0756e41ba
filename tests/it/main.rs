//! One binary for what needs the whole stack.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod addresses;
mod alerts;
mod audit;
mod bank;
mod cache;
mod cubes;
mod evaluation;
mod expected;
mod faces;
mod faults;
mod flight_sql;
mod gate;
mod history;
mod leaks;
mod load;
mod oracle;
mod publish;
mod query;
mod rights;
mod server;
mod tls;
