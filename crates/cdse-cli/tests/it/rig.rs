//! A way to the service as organisations have it: TLS with an authority of one's own, and a proxy that alone knows the name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::{Call, World};

/// A name that no resolver knows.
pub(crate) const NAME: &str = "identity.cdse.test";
pub(crate) const PROXY_USER: &str = "mallory";
/// As it stands in an address; what is sent is decoded. The calls look for its beginning everywhere.
pub(crate) const PROXY_PASSWORD: &str = "CANARY%40proxy";
const PROXY_PASSWORD_SENT: &str = "CANARY@proxy";

/// What a certificate is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificate {
    Good,
    Expired,
    OfTomorrow,
    OfAnotherName,
}

/// How a proxy behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    Pass,
    /// It wants a user and a password, and passes those.
    WantsPassword,
    Answer(&'static str),
    Hang,
    Close,
}

pub(crate) struct Rig {
    pub(crate) world: World,
    folder: tempfile::TempDir,
    runtime: Runtime,
    authority: Issuer<'static, KeyPair>,
}

/// Something that listens, and what it was told.
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Listening {
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(folder.path().join("authority.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { world: World::new(), folder, runtime, authority: Issuer::new(params, key) }
    }

    /// The file with the authority's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn acceptor(&self, certificate: Certificate) -> TlsAcceptor {
        let name = if certificate == Certificate::OfAnotherName { "portal.example" } else { NAME };
        let mut params = CertificateParams::new([name.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        match certificate {
            Certificate::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Certificate::OfTomorrow => params.not_before = date_time_ymd(3000, 1, 1),
            Certificate::Good | Certificate::OfAnotherName => {}
        }
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.authority).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// Each connection, in a task of its own.
    fn listen<F>(&self, each: impl Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> F + Send + 'static) -> Listening
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let theirs = Arc::clone(&seen);
        self.runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(each(stream, Arc::clone(&theirs)));
            }
        });
        Listening { address, seen }
    }

    /// TLS in front of the service. It tells when a conversation in TLS has begun.
    pub(crate) fn front(&self, certificate: Certificate) -> Listening {
        let (acceptor, service) = (self.acceptor(certificate), self.world.sandbox.address());
        self.listen(move |stream, seen| {
            let acceptor = acceptor.clone();
            async move {
                let mut outside = acceptor.accept(stream).await?;
                seen.lock().unwrap().push("TLS".to_owned());
                let mut inside = TcpStream::connect(service).await?;
                copy_bidirectional(&mut outside, &mut inside).await.map(drop)
            }
        })
    }

    /// Speaks HTTP where TLS is expected.
    pub(crate) fn plain_front(&self) -> Listening {
        self.listen(|mut stream, seen| async move {
            let mut bytes = vec![0; 4096];
            let read = stream.read(&mut bytes).await?;
            seen.lock().unwrap().push(String::from_utf8_lossy(&bytes[..read]).into_owned());
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await
        })
    }

    /// A proxy for CONNECT that knows one name. It tells the head of each request.
    pub(crate) fn http_proxy(&self, front: &Listening, habit: Habit) -> Listening {
        let target = front.address;
        self.listen(move |stream, seen| connect(stream, seen, target, habit))
    }

    /// The same, in TLS.
    pub(crate) fn https_proxy(&self, front: &Listening, certificate: Certificate) -> Listening {
        let (target, acceptor) = (front.address, self.acceptor(certificate));
        self.listen(move |stream, seen| {
            let acceptor = acceptor.clone();
            async move { connect(acceptor.accept(stream).await?, seen, target, Habit::Pass).await }
        })
    }

    /// A proxy for SOCKS5 (RFC 1928, RFC 1929) that knows one name. It tells what it was asked for.
    pub(crate) fn socks_proxy(&self, front: &Listening, habit: Habit) -> Listening {
        let target = front.address;
        self.listen(move |stream, seen| socks(stream, seen, target, habit))
    }

    /// A call of the binary whose service is behind the proxy at an address.
    pub(crate) fn cdse<const N: usize>(&self, proxy: &str, arguments: [&str; N]) -> Call {
        let call = self.world.cdse(arguments).env("CDSE_IDENTITY_URL", format!("https://{NAME}/auth/realms/CDSE"));
        call.env("HTTPS_PROXY", proxy).env("SSL_CERT_FILE", self.authority())
    }
}

async fn connect(
    mut outside: impl AsyncRead + AsyncWrite + Unpin,
    seen: Arc<Mutex<Vec<String>>>,
    target: SocketAddr,
    habit: Habit,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(outside.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().unwrap().push(head.clone());
    let known = head.starts_with(&format!("CONNECT {NAME}:443 "));
    let password = format!("Basic {}", BASE64.encode(format!("{PROXY_USER}:{PROXY_PASSWORD_SENT}").as_bytes()));
    match habit {
        Habit::Hang => std::future::pending().await,
        Habit::Close => Ok(()),
        Habit::Answer(status) => outside.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await,
        Habit::WantsPassword if !head.contains(&password) => {
            outside.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n").await
        }
        _ if !known => outside.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await,
        _ => {
            outside.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            let mut inside = TcpStream::connect(target).await?;
            copy_bidirectional(&mut outside, &mut inside).await.map(drop)
        }
    }
}

async fn socks(
    mut outside: TcpStream,
    seen: Arc<Mutex<Vec<String>>>,
    target: SocketAddr,
    habit: Habit,
) -> std::io::Result<()> {
    let text = async |stream: &mut TcpStream| -> std::io::Result<String> {
        let mut bytes = vec![0; usize::from(stream.read_u8().await?)];
        stream.read_exact(&mut bytes).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    assert_eq!(outside.read_u8().await?, 5);
    let methods = text(&mut outside).await?;
    if habit == Habit::Hang {
        return std::future::pending().await;
    }
    if habit == Habit::WantsPassword {
        if !methods.contains('\u{2}') {
            return outside.write_all(&[5, 0xff]).await;
        }
        outside.write_all(&[5, 2]).await?;
        assert_eq!(outside.read_u8().await?, 1);
        let (user, password) = (text(&mut outside).await?, text(&mut outside).await?);
        let good = user == PROXY_USER && password == PROXY_PASSWORD_SENT;
        outside.write_all(&[1, u8::from(!good)]).await?;
        if !good {
            return Ok(());
        }
    } else {
        outside.write_all(&[5, 0]).await?;
    }
    let mut request = [0; 4];
    outside.read_exact(&mut request).await?;
    let name = match request[3] {
        3 => text(&mut outside).await?,
        _ => format!("an address of type {}", request[3]),
    };
    let port = outside.read_u16().await?;
    seen.lock().unwrap().push(format!("{name}:{port}"));
    let refused = habit == Habit::Close || name != NAME;
    outside.write_all(&[5, if refused { 2 } else { 0 }, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    if refused {
        return Ok(());
    }
    let mut inside = TcpStream::connect(target).await?;
    copy_bidirectional(&mut outside, &mut inside).await.map(drop)
}
