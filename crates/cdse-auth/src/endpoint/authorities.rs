//! The certificate authorities that are trusted: read when the first request is made, and not before.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls_platform_verifier::Verifier;

use crate::error::{Error, ErrorKind, Result};
use crate::sync::Arc;
use crate::text::printable;

/// The bundles of the systems are some 300 kB.
const LARGEST: u64 = 16 << 20;
const FILE: &str = "SSL_CERT_FILE";
const FOLDERS: &str = "SSL_CERT_DIR";

/// Authorities beside the system's.
#[derive(Clone, Default, Debug)]
pub(super) struct Authorities {
    given: Vec<CertificateDer<'static>>,
    /// What each is called by whoever has named it, and where it is.
    files: Vec<(String, PathBuf)>,
}

impl Authorities {
    pub(super) fn add_pem(&mut self, pem: &[u8]) -> Result<()> {
        let found = certificates(pem);
        if found.is_empty() {
            return Err(Error::new(ErrorKind::Configuration, "there is no certificate in the given PEM text"));
        }
        self.given.extend(found);
        Ok(())
    }

    pub(super) fn add_file(&mut self, name: String, path: PathBuf) {
        self.files.push((name, path));
    }

    /// What tells a certificate that may be trusted from one that may not.
    pub(super) fn verifier(&self, crypto: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
        let mut extra = self.given.clone();
        for (name, path) in &self.files {
            extra.extend(of_file(name, path)?);
        }
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        match (variable(FILE), variable(FOLDERS)) {
            (None, None) => of_system(extra, crypto),
            (file, folders) => of_environment(file.as_deref(), folders.as_deref(), extra, crypto),
        }
    }
}

/// The system's own, and these.
fn of_system(extra: Vec<CertificateDer<'static>>, crypto: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    if env::var_os(FILE).is_some() {
        // The library that looks for the system's takes it for a file.
        return Err(Error::new(ErrorKind::Transport, format!("{FILE} is set, but empty")).with_hint("unset it"));
    }
    let verifier = Verifier::new_with_extra_roots(extra, crypto).map_err(|error| {
        Error::new(ErrorKind::Configuration, format!("no certificate authorities were found: {error}"))
            .with_hint(format!("install those of the system (ca-certificates), or name a file with them in {FILE}"))
            .with_source(error)
    })?;
    Ok(Arc::new(verifier))
}

/// Those that the environment names in place of the system's, and these.
fn of_environment(
    file: Option<&OsStr>,
    folders: Option<&OsStr>,
    extra: Vec<CertificateDer<'static>>,
    crypto: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    let mut found = file.map_or(Ok(Vec::new()), |file| of_file(FILE, Path::new(file)))?;
    if let Some(folders) = folders {
        found.extend(of_folders(folders)?);
    }
    let mut roots = RootCertStore::empty();
    let _ = roots.add_parsable_certificates(found.into_iter().chain(extra));
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crypto).build().map_err(|_| {
        let name = if file.is_some() { FILE } else { FOLDERS };
        Error::new(ErrorKind::Transport, format!("{name}: none of the certificates there can be an authority's"))
    })?;
    Ok(verifier)
}

fn of_file(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unusable = |why: &str| {
        let path = printable(&path.to_string_lossy(), 300);
        Error::new(ErrorKind::Transport, format!("{name}: {path} {why}"))
    };
    let unreadable = |error: io::Error| unusable(&format!("cannot be read: {error}")).with_source(error);
    // A pipe could let this wait for ever.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unusable("is not a regular file"));
    }
    let text = read(path).map_err(unreadable)?;
    if text.len() as u64 > LARGEST {
        return Err(unusable("is too large for a file of certificates"));
    }
    let found = certificates(&text);
    let mut usable = RootCertStore::empty();
    match (found.is_empty(), usable.add_parsable_certificates(found.iter().cloned())) {
        (true, _) => Err(unusable("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")),
        (false, (0, _)) => Err(unusable("holds only damaged certificates")),
        _ => Ok(found),
    }
}

/// Every certificate in these folders; what else is there is not looked at.
fn of_folders(folders: &OsStr) -> Result<Vec<CertificateDer<'static>>> {
    let (mut found, mut first_failure) = (Vec::new(), None);
    for folder in env::split_paths(folders).filter(|folder| !folder.as_os_str().is_empty()) {
        match fs::read_dir(&folder) {
            Ok(entries) => {
                let files = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
                let texts = files.filter_map(|path| read(&path).ok());
                found.extend(texts.flat_map(|text| certificates(&text)));
            }
            Err(error) => {
                let folder = printable(&folder.to_string_lossy(), 300);
                let why = format!("{FOLDERS}: {folder} cannot be read: {error}");
                first_failure.get_or_insert_with(|| Error::new(ErrorKind::Transport, why).with_source(error));
            }
        }
    }
    if found.is_empty() {
        return Err(first_failure.unwrap_or_else(|| {
            Error::new(ErrorKind::Transport, format!("{FOLDERS}: no file there holds a certificate in PEM"))
        }));
    }
    Ok(found)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).filter_map(std::result::Result::ok).collect()
}

#[cfg(test)]
#[cfg(not(cdse_model))]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    /// An authority in PEM.
    fn authority() -> String {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    fn refused<T>(result: Result<T>) -> (ErrorKind, String) {
        let error = result.err().expect("a refusal");
        (error.kind(), error.message().to_owned())
    }

    #[test]
    fn e3_a_file_of_authorities_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("two.pem");
        fs::write(&path, format!("# two of them\n{}{}", authority(), authority())).unwrap();
        assert_eq!(of_file("--ca-bundle", &path).unwrap().len(), 2);
        assert_eq!(of_folders(folder.path().as_os_str()).unwrap().len(), 2);
    }

    #[test]
    fn e3_a_file_that_holds_no_authority_is_named_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.pem");
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (text, why) in [
            ("no certificate", "holds no certificate in PEM"),
            ("", "holds no certificate in PEM"),
            (damaged, "holds only damaged certificates"),
        ] {
            fs::write(&path, text).unwrap();
            let (kind, said) = refused(of_file("--ca-bundle", &path));
            assert_eq!(kind, ErrorKind::Transport);
            assert!(said.starts_with("--ca-bundle: ") && said.contains("bundle.pem") && said.contains(why), "{said}");
        }
        fs::write(&path, format!("{damaged}{}", authority())).unwrap();
        assert_eq!(of_file("--ca-bundle", &path).unwrap().len(), 2, "one that is good is enough");
        assert!(refused(of_file("--ca-bundle", folder.path())).1.contains("is not a regular file"));
        assert!(refused(of_file("--ca-bundle", &folder.path().join("missing"))).1.contains("cannot be read"));
    }

    #[test]
    fn e3_a_file_may_be_as_large_as_any_bundle_and_no_larger() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.pem");
        let mut text = authority().into_bytes();
        text.resize(usize::try_from(LARGEST).unwrap(), b'\n');
        fs::write(&path, &text).unwrap();
        assert_eq!(of_file("--ca-bundle", &path).unwrap().len(), 1);
        text.push(b'\n');
        fs::write(&path, &text).unwrap();
        assert!(refused(of_file("--ca-bundle", &path)).1.contains("is too large"));
        text.resize(text.len() + 1_000, b'\n');
        fs::write(&path, &text).unwrap();
        assert_eq!(read(&path).unwrap().len() as u64, LARGEST + 1, "the rest is not read");
    }

    #[test]
    fn e3_of_several_folders_one_that_holds_an_authority_is_enough() {
        let (empty, good) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(good.path().join("note.txt"), "no certificate").unwrap();
        fs::write(good.path().join("one.pem"), authority()).unwrap();
        let missing = empty.path().join("missing");
        let list = |folders: &[&Path]| env::join_paths(folders).unwrap();
        assert_eq!(of_folders(&list(&[&missing, empty.path(), Path::new(""), good.path()])).unwrap().len(), 1);
        let (kind, said) = refused(of_folders(&list(&[&missing, empty.path()])));
        assert_eq!(kind, ErrorKind::Transport);
        assert!(said.contains("missing cannot be read"), "{said}");
        assert!(refused(of_folders(&list(&[empty.path(), Path::new("")]))).1.contains("no file there holds"));
    }

    #[test]
    fn e3_what_is_given_is_trusted_beside_what_the_file_holds() {
        let crypto = || Arc::new(rustls::crypto::ring::default_provider());
        let mut authorities = Authorities::default();
        assert_eq!(refused(authorities.add_pem(b"nothing")).0, ErrorKind::Configuration);
        authorities.add_pem(authority().as_bytes()).unwrap();
        assert_eq!(authorities.given.len(), 1);
        let file = tempfile::NamedTempFile::new().unwrap();
        authorities.add_file("--ca-bundle".to_owned(), file.path().to_owned());
        assert!(refused(authorities.verifier(crypto())).1.starts_with("--ca-bundle: "));
        fs::write(file.path(), authority()).unwrap();
        authorities.verifier(crypto()).unwrap();
        let of_file = |file: &OsStr, extra| of_environment(Some(file), None, extra, crypto());
        of_file(file.path().as_os_str(), Vec::new()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (kind, said) = refused(of_environment(None, Some(folder.path().as_os_str()), Vec::new(), crypto()));
        assert!(kind == ErrorKind::Transport && said.starts_with(FOLDERS), "{said}");
    }
}
