//! Cubes: wide views, measures, the form of a question and its plan.
