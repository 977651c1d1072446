//! Tokens in the shape of signed JWTs.
//!
//! The signature part is random, of the size that the algorithm in the header makes: nothing can verify these tokens,
//! and nothing needs to, because the service knows its own.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

use crate::random;

/// The algorithms that Keycloak signs with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Algorithm {
    Rs256,
    Hs256,
    Hs512,
}

/// A token with these claims, in their order.
pub(super) fn encode(algorithm: Algorithm, kid: &str, claims: &impl Serialize) -> String {
    let name = match algorithm {
        Algorithm::Rs256 => "RS256",
        Algorithm::Hs256 => "HS256",
        Algorithm::Hs512 => "HS512",
    };
    // The blanks are Keycloak's.
    let header = format!(r#"{{"alg":"{name}","typ" : "JWT","kid" : "{kid}"}}"#);
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    let mut token = BASE64URL_NOPAD.encode(header.as_bytes());
    token.push('.');
    BASE64URL_NOPAD.encode_append(&claims, &mut token);
    token.push('.');
    match algorithm {
        Algorithm::Rs256 => BASE64URL_NOPAD.encode_append(&random::bytes::<256>(), &mut token),
        Algorithm::Hs256 => BASE64URL_NOPAD.encode_append(&random::bytes::<32>(), &mut token),
        Algorithm::Hs512 => BASE64URL_NOPAD.encode_append(&random::bytes::<64>(), &mut token),
    }
    token
}
