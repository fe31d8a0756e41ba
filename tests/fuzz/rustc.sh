#!/bin/sh
# The compiler of `make fuzz`, for this workspace's crates: they report which of their branches an input reaches.
exec "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table
