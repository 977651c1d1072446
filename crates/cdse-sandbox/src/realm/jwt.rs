//! Tokens in the shape of signed JWTs.
//!
//! The signature part is random, of the size that the algorithm in the header makes: nothing can verify these tokens,
//! and nothing needs to, because the service knows its own.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

use crate::random;

/// A token with these claims, in their order, and a signature of `N` bytes.
pub(super) fn encode<const N: usize>(algorithm: &str, kid: &str, claims: &impl Serialize) -> String {
    // The blanks are Keycloak's.
    let header = format!(r#"{{"alg":"{algorithm}","typ" : "JWT","kid" : "{kid}"}}"#);
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    [header.as_bytes(), &claims, &random::bytes::<N>()].map(|part| BASE64URL_NOPAD.encode(part)).join(".")
}
