//! A proxy in front of a real server: it counts token requests and refusals of used tokens, can hold answers back, and
//! keeps its address when the server behind it is started again.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// It sees the first request of a connection; the programs under test make one a connection.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default, Debug)]
struct Shared {
    target: Mutex<Option<SocketAddr>>,
    token_requests: AtomicU64,
    reuse_detected: AtomicU64,
    /// How long the answer to a token request is held back, in ms.
    delay: AtomicU64,
}

impl Proxy {
    /// On a free port of the loopback, in front of nothing yet.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared: Arc<Shared> = Arc::default();
        let theirs = Arc::clone(&shared);
        // It ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&theirs);
                // A connection that breaks is the business of both of its ends.
                std::thread::spawn(move || drop(forward(client, &shared)));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set_target(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap() = Some(target);
    }

    pub(crate) fn token_requests(&self) -> u64 {
        self.shared.token_requests.load(Ordering::SeqCst)
    }

    pub(crate) fn reuse_detected(&self) -> u64 {
        self.shared.reuse_detected.load(Ordering::SeqCst)
    }

    pub(crate) fn delay(&self, time: Duration) {
        self.shared.delay.store(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

fn forward(mut client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut bytes = [0; 16 * 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = client.read(&mut bytes)?;
        if read == 0 {
            return Ok(());
        }
        head.extend_from_slice(&bytes[..read]);
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let is_token_request = line.windows(22).any(|path| path == b"/openid-connect/token ");
    let target = *shared.target.lock().unwrap();
    let mut server = TcpStream::connect(target.expect("a server"))?;
    server.write_all(&head)?;
    if is_token_request {
        shared.token_requests.fetch_add(1, Ordering::SeqCst);
    }
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let mut held_back = is_token_request;
    let mut answer = Vec::new();
    loop {
        let read = server.read(&mut bytes)?;
        if read == 0 {
            return client.shutdown(Shutdown::Write);
        }
        if is_token_request {
            let known = is_reuse(&answer);
            answer.extend_from_slice(&bytes[..read]);
            shared.reuse_detected.fetch_add(u64::from(!known && is_reuse(&answer)), Ordering::SeqCst);
        }
        if std::mem::take(&mut held_back) {
            wait(Duration::from_millis(shared.delay.load(Ordering::SeqCst)));
        }
        client.write_all(&bytes[..read])?;
    }
}

/// Of the newest token and of an older one.
fn is_reuse(answer: &[u8]) -> bool {
    let words: [&[u8]; 2] = [b"Maximum allowed refresh token reuse exceeded", b"Stale token"];
    words.iter().any(|words| answer.windows(words.len()).any(|part| part == *words))
}

#[expect(clippy::disallowed_methods, reason = "a real server's time cannot be moved")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}
