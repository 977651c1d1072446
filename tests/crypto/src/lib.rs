//! A program with TLS of its own, and the library beside it.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, missing_docs, reason = "a surprise ends the test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use cdse_auth::{PasswordAuth, Proxy, Result, TokenManager, TransportConfig, blocking};
use cdse_sandbox::{Config, Sandbox};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// The embedded service behind TLS, with an authority of its own.
pub struct Service {
    sandbox: Sandbox,
    address: SocketAddr,
    authority: rcgen::Certificate,
    /// What each handshake agreed on.
    suites: Arc<Mutex<Vec<CipherSuite>>>,
}

impl Service {
    pub fn start(provider: CryptoProvider) -> Self {
        let sandbox = Sandbox::start(Config::default()).unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let config = server(&Issuer::new(params, key), provider);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let service = sandbox.address();
        let suites = Arc::default();
        let theirs = Arc::clone(&suites);
        // It ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                carry(client, Arc::clone(&config), service, &theirs).unwrap();
            }
        });
        Self { sandbox, address, authority, suites }
    }

    /// The cipher suites of the handshakes so far.
    pub fn suites(&self) -> Vec<CipherSuite> {
        self.suites.lock().unwrap().clone()
    }

    pub fn transport(&self) -> TransportConfig {
        let transport = TransportConfig::new().with_proxy(Proxy::None);
        transport.with_root_certificates(self.authority.pem().as_bytes()).unwrap()
    }

    /// A login of the library over TLS.
    pub fn log_in(&self, transport: TransportConfig) -> Result<()> {
        let before = self.sandbox.counters().token_requests;
        let manager = TokenManager::builder(PasswordAuth::new("user@example.com", "s3cret!"))
            .realm_url(&format!("https://{}/auth/realms/CDSE", self.address))
            .transport(transport)
            .build()?;
        blocking::TokenManager::from(manager).authorization_header()?;
        assert_eq!(self.sandbox.counters().token_requests, before + 1);
        Ok(())
    }

    /// A request of the program itself, with a client that is set up as `rustls` shows it.
    pub fn ask(&self) {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut client = StreamOwned::new(client, TcpStream::connect(self.address).unwrap());
        client.write_all(b"GET /auth/realms/CDSE HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 "), "{answer:?}");
    }
}

fn server(authority: &Issuer<'_, KeyPair>, provider: CryptoProvider) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let chain = vec![CertificateDer::clone(leaf.der())];
    let builder = ServerConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap())
}

/// One request and its answer.
fn carry(
    client: TcpStream,
    config: Arc<ServerConfig>,
    service: SocketAddr,
    suites: &Mutex<Vec<CipherSuite>>,
) -> std::io::Result<()> {
    let mut client = StreamOwned::new(ServerConnection::new(config).unwrap(), client);
    let mut request = Vec::new();
    let mut bytes = [0; 4096];
    while !is_whole(&request) {
        let read = client.read(&mut bytes)?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&bytes[..read]);
    }
    suites.lock().unwrap().push(client.conn.negotiated_cipher_suite().unwrap().suite());
    let mut service = TcpStream::connect(service)?;
    service.write_all(&request)?;
    let mut answer = Vec::new();
    service.read_to_end(&mut answer)?;
    client.write_all(&answer)?;
    client.conn.send_close_notify();
    client.flush()
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}
