//! A program that has `rustls` with its default features, and the library with its own.
#![cfg(all(feature = "defaults", not(feature = "ring")))]

use cdse_crypto::Service;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

#[test]
fn e3_with_the_default_features_of_rustls_both_make_connections() {
    let service = Service::start(aws_lc_rs::default_provider());
    service.log_in(service.transport()).unwrap();
    assert!(CryptoProvider::get_default().is_none(), "that choice is the program's");
    service.ask();
    assert!(CryptoProvider::get_default().is_some(), "the program has made it");
    service.log_in(service.transport()).unwrap();
}
