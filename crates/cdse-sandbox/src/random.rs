//! Randomness in the shapes that Keycloak writes it.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

/// `N` random bytes.
///
/// # Panics
///
/// When the operating system has no randomness, without which nothing here could go on.
#[expect(clippy::expect_used, reason = "no caller could do anything about it")]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A version 4 UUID.
pub(crate) fn uuid() -> String {
    let mut b = bytes::<16>();
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let hex = HEXLOWER.encode(&b);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// `N` random bytes as base64url, but for those that begin with a hyphen: a command line would take one for an option, one
/// time in 64, and whoever tests with this service would not know why.
pub(crate) fn base64url<const N: usize>() -> String {
    loop {
        let text = BASE64URL_NOPAD.encode(&bytes::<N>());
        if !text.starts_with('-') {
            return text;
        }
    }
}
