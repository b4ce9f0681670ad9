//! What it feeds, and what must hold: `backstop_checks::deflate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| backstop_checks::deflate(data));
