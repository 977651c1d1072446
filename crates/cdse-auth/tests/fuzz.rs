//! Every reader of foreign bytes, with mutated bytes. `CDSE_FUZZ_SECONDS=300 cargo test -p cdse-auth --test fuzz` goes on
//! for that long with each.

use cdse_auth::fuzz;

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                cdse_fuzz::fuzz(stringify!($name), fuzz::$name);
            }
        )*
    };
}

targets! {
    token_answer,
    error_answer,
    retry_after,
    jwt_claims,
    account_answer,
    discovery,
    session_file,
    otpauth_uri,
    realm_address,
    certificates,
}
