#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quorate_fuzz_targets::run("runs", data));
