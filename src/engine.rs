//! Runs checked plans: sessions, scans, budgets.
