//! The JSON interface.

pub(super) mod cubes;
pub(super) mod evaluation;
pub(super) mod openapi;
pub(super) mod rows;
pub(super) mod sql;
