//! A program without any cryptography.
#![cfg(not(any(feature = "defaults", feature = "ring")))]

use cdse_auth::{ErrorKind, PasswordAuth, TokenManager, blocking};

#[test]
fn e3_without_any_the_error_says_which_feature_is_missing() {
    let manager = TokenManager::builder(PasswordAuth::new("user@example.com", "s3cret!"))
        .realm_url("https://127.0.0.1:1/realms/CDSE")
        .build()
        .unwrap();
    let error = blocking::TokenManager::from(manager).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    assert!(error.to_string().contains("feature `ring` of cdse-auth"), "{error}");
}
