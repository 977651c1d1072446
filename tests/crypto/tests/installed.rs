//! A program that has installed a provider of its own making.
#![cfg(feature = "defaults")]

use cdse_crypto::Service;
use rustls::CipherSuite;
use rustls::crypto::aws_lc_rs;

/// With a cipher suite that nobody agrees on by chance.
#[test]
fn e3_what_is_installed_for_the_process_is_used_by_both() {
    let service = Service::start(aws_lc_rs::default_provider());
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256];
    provider.install_default().unwrap();
    service.ask();
    service.log_in(service.transport()).unwrap();
    assert_eq!(service.suites(), [CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256; 2]);
}
