//! Tests of the parts; the whole executive overview is in `overview`.

mod overview;
