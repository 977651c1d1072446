//! Which cryptography TLS has. The library brings none unless the feature `ring` says so: a program that has another would
//! then have two, and between two `rustls` does not choose.

use rustls::crypto::CryptoProvider;

use crate::error::{Error, ErrorKind, Result};
use crate::sync::Arc;

/// What the program has. Never made the process's default: that choice is the program's alone.
pub(super) fn of_program() -> Result<Arc<CryptoProvider>> {
    chosen(CryptoProvider::get_default().cloned(), named(), ours())
}

/// That one, whatever the program has.
#[cfg(feature = "ring")]
pub(super) fn ring() -> Result<Arc<CryptoProvider>> {
    Ok(Arc::new(rustls::crypto::ring::default_provider()))
}

/// What is installed for the process, else the only one that `rustls` was built with, else what our feature names.
fn chosen(
    installed: Option<Arc<CryptoProvider>>,
    named: [Option<CryptoProvider>; 2],
    ours: Option<CryptoProvider>,
) -> Result<Arc<CryptoProvider>> {
    let [first, second] = named;
    let only = first.xor(second);
    installed.or_else(|| only.or(ours).map(Arc::new)).ok_or_else(|| {
        Error::new(ErrorKind::Transport, "there is no cryptography for TLS").with_hint(
            "build with the feature `ring` of cdse-auth, or install a rustls::crypto::CryptoProvider as the default of \
             the process",
        )
    })
}

/// Those that the features of `rustls` name. No other crate can see these features, and `rustls` tells of them by a panic
/// where it has none or two. So its modules are asked for by their names: an inner `use` of all names hides an outer one,
/// and where `rustls` lacks a module, the empty one below is left.
#[allow(unused_imports, clippy::useless_conversion, reason = "where rustls has neither, or both")]
fn named() -> [Option<CryptoProvider>; 2] {
    use absent::*;
    {
        use rustls::crypto::*;
        [ring::default_provider().into(), aws_lc_rs::default_provider().into()]
    }
}

/// What stands in the place of a provider that `rustls` was built without.
#[allow(dead_code, reason = "of what rustls has, nothing is used")]
mod absent {
    pub(super) mod ring {
        pub(in super::super) fn default_provider() -> Option<rustls::crypto::CryptoProvider> {
            None
        }
    }

    pub(super) use ring as aws_lc_rs;
}

fn ours() -> Option<CryptoProvider> {
    #[cfg(feature = "ring")]
    let ours = Some(rustls::crypto::ring::default_provider());
    #[cfg(not(feature = "ring"))]
    let ours = None;
    ours
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A provider that is told from others by how many cipher suites it has.
    fn with(suites: usize) -> CryptoProvider {
        let mut provider = rustls::crypto::ring::default_provider();
        provider.cipher_suites.truncate(suites);
        provider
    }

    #[test]
    fn e3_the_cryptography_is_the_processs_or_the_only_one_or_that_of_our_feature() {
        let installed = || Some(Arc::new(with(1)));
        let (ring, aws, ours) = (|| Some(with(2)), || Some(with(3)), || Some(with(4)));
        for (nth, (chosen, suites)) in [
            (chosen(installed(), [ring(), aws()], ours()), 1),
            (chosen(installed(), [None, None], None), 1),
            (chosen(None, [ring(), None], ours()), 2),
            (chosen(None, [None, aws()], ours()), 3),
            (chosen(None, [None, aws()], None), 3),
            (chosen(None, [ring(), aws()], ours()), 4),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(chosen.unwrap().cipher_suites.len(), suites, "{nth}");
        }
        for named in [[None, None], [ring(), aws()]] {
            let error = chosen(None, named, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Transport);
            assert!(error.hint().is_some_and(|hint| hint.contains("feature `ring` of cdse-auth")), "{error}");
        }
    }

    /// The build of these tests has ring, and nothing else.
    #[test]
    fn e3_what_rustls_was_built_with_is_known() {
        let [ring, aws] = named();
        assert!(ring.is_some() && aws.is_none());
    }
}
