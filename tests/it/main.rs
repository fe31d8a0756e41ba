//! One binary for what needs the whole stack.

mod load;
