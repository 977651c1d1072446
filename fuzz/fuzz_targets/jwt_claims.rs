#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = cdse_auth::fuzz::jwt_claims(data);
});
