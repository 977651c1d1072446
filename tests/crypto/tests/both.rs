//! A program that has both: `rustls` with its default features, and the library with `ring`. `rustls` does not choose then.
#![cfg(all(feature = "defaults", feature = "ring"))]

use cdse_crypto::Service;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

#[test]
fn e3_between_two_the_feature_decides_for_the_library_and_the_program_for_itself() {
    let service = Service::start(aws_lc_rs::default_provider());
    service.log_in(service.transport()).unwrap();
    assert!(CryptoProvider::get_default().is_none());
    aws_lc_rs::default_provider().install_default().unwrap();
    service.ask();
    service.log_in(service.transport()).unwrap();
    service.log_in(service.transport().with_ring()).unwrap();
}
