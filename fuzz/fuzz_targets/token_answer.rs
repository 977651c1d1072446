#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = cdse_auth::fuzz::token_answer(data);
});
