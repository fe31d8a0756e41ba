#!/bin/sh
# The compiler of `make fuzz`, for this workspace's crates: they report which of their branches an input reaches.
case " $* " in
# cargo builds the program beside its tests. It is not run here, and nothing in it takes the reports.
*" --crate-type bin "*) exec "$@" -Clink-arg=-Wl,--unresolved-symbols=ignore-all ;;
esac
exec "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table
