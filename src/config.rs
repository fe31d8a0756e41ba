//! Settings of a project: one struct per area, unknown keys refused.
