//! A way to the service on which anything may happen to a request and its answer.
//!
//! One connection carries one request. What happens to it is said beforehand; what is not said passes.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// In order: FIN.
    Closed,
    /// RST.
    Reset,
}

/// What happens on one connection. Unless said otherwise the service gets the whole request and answers it.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    Pass,
    /// Nobody reads; the connection ends as soon as it is there.
    NotRead(Ending),
    /// So many bytes of the request reach the service, then both connections end.
    RequestCut(usize, Ending),
    /// The client gets so many bytes of the answer.
    AnswerCut(usize, Ending),
    /// The client gets so many bytes of the answer, and nothing more until it leaves.
    AnswerStalls(usize),
    /// The client gets the answer byte by byte.
    AnswerDrips(Duration),
    /// The client is told that nothing will come (FIN) once the service has answered; what it sends is still read.
    HalfClosed,
    /// The answer says that the connection stays open, and it does.
    KeptOpen,
    /// Nobody understands the client: after its first bytes it is told this, and then the connection ends, or stays as it
    /// is until the client leaves.
    Speaks(Vec<u8>, Option<Ending>),
    /// Whatever is said is passed in both directions, until the client got so many bytes.
    RawCut(usize),
    /// In place of the answer this, and then this over and over, `.2` bytes of it at most.
    Endless(Vec<u8>, Vec<u8>, u64),
}

/// What was seen of one connection.
#[derive(Clone, Default, Debug)]
pub(crate) struct Seen {
    /// The request, as far as it was passed.
    request: Vec<u8>,
    /// How long the service's answer was.
    pub(crate) answer: usize,
    /// How much of an endless answer went out.
    pub(crate) sent: u64,
    /// Whatever came after the first request.
    pub(crate) after: usize,
    pub(crate) over: bool,
}

#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    service: SocketAddr,
    ways: Mutex<VecDeque<Way>>,
    seen: Mutex<Vec<Seen>>,
    closed: AtomicBool,
}

impl Proxy {
    pub(crate) fn before(service: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (ways, seen, closed) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        let proxy = Self { address, shared: Arc::new(Shared { service, ways, seen, closed }) };
        proxy.listen(listener);
        proxy
    }

    fn listen(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        // It ends with the process, if it is not closed.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.closed.load(Ordering::SeqCst) {
                    return;
                }
                let way = shared.ways.lock().unwrap().pop_front().unwrap_or(Way::Pass);
                let nth = {
                    let mut seen = shared.seen.lock().unwrap();
                    seen.push(Seen::default());
                    seen.len() - 1
                };
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // A connection that breaks is what this is about.
                    let _ = carry(&client, way, &shared, nth);
                    drop(client);
                    shared.seen.lock().unwrap()[nth].over = true;
                });
            }
        });
    }

    /// From now on connections are refused.
    pub(crate) fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Its thread notices at the next connection; the one after that is refused.
        while TcpStream::connect(self.address).is_ok() {}
    }

    /// From now on they are taken again.
    pub(crate) fn open(&self) {
        self.shared.closed.store(false, Ordering::SeqCst);
        self.listen(TcpListener::bind(self.address).unwrap());
    }

    /// What happens to the next connection for which nothing has been said.
    pub(crate) fn next(&self, way: Way) {
        self.shared.ways.lock().unwrap().push_back(way);
    }

    /// The connections, oldest first.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(crate) fn longest_answer(&self) -> usize {
        self.seen().iter().map(|seen| seen.answer).max().unwrap_or(0)
    }

    /// The length of the last whole request for this grant.
    pub(crate) fn request_of(&self, grant: &str) -> usize {
        let grant = format!("grant_type={grant}");
        let seen = self.seen();
        let mut requests = seen.iter().rev().map(|seen| &seen.request);
        requests.find(|request| String::from_utf8_lossy(request).contains(&grant)).unwrap().len()
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen().last().cloned().unwrap_or_default()
    }
}

fn carry(mut client: &TcpStream, way: Way, shared: &Shared, nth: usize) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    if let Way::NotRead(ending) = way {
        return end(client, ending);
    }
    if let Way::Speaks(text, ending) = way {
        let _ = client.read(&mut [0; 4096])?;
        client.write_all(&text)?;
        return match ending {
            Some(ending) => end(client, ending),
            None => until_it_leaves(client).map(drop),
        };
    }
    if let Way::RawCut(length) = way {
        return pass_raw(client, length, shared, nth);
    }
    if let Way::RequestCut(length, ending) = way {
        let request = read_request(client, length)?;
        let mut service = TcpStream::connect(shared.service)?;
        service.write_all(&request)?;
        if missing(&request) > 0 {
            if ending == Ending::Reset {
                set_socket_linger(&service, Some(Duration::ZERO))?;
            }
            service.shutdown(Shutdown::Write)?;
        }
        // It has read what there is when it closes its side.
        let _ = service.read_to_end(&mut Vec::new());
        return end(client, ending);
    }
    let request = read_request(client, usize::MAX)?;
    let mut service = TcpStream::connect(shared.service)?;
    service.write_all(&request)?;
    let mut answer = Vec::new();
    service.read_to_end(&mut answer)?;
    let note = |change: &dyn Fn(&mut Seen)| change(&mut shared.seen.lock().unwrap()[nth]);
    note(&|seen| (seen.answer, seen.request) = (answer.len(), request.clone()));
    match way {
        Way::AnswerCut(length, ending) => {
            client.write_all(&answer[..length.min(answer.len())])?;
            end(client, ending)
        }
        Way::HalfClosed => {
            client.shutdown(Shutdown::Write)?;
            until_it_leaves(client).map(drop)
        }
        Way::AnswerStalls(length) => {
            client.write_all(&answer[..length.min(answer.len())])?;
            until_it_leaves(client).map(drop)
        }
        Way::AnswerDrips(pause) => {
            for byte in answer {
                client.write_all(&[byte])?;
                std::thread::park_timeout(pause);
            }
            Ok(())
        }
        Way::KeptOpen => {
            let text = String::from_utf8(answer).unwrap();
            client.write_all(text.replace("connection: close", "connection: keep-alive").as_bytes())?;
            let after = until_it_leaves(client)?;
            note(&|seen| seen.after = after);
            Ok(())
        }
        Way::Endless(head, again, most) => {
            client.write_all(&head)?;
            let mut sent = 0;
            while sent < most && client.write_all(&again).is_ok() {
                sent += again.len() as u64;
                note(&|seen| seen.sent = sent);
            }
            Ok(())
        }
        _ => client.write_all(&answer),
    }
}

fn pass_raw(mut client: &TcpStream, length: usize, shared: &Shared, nth: usize) -> std::io::Result<()> {
    let mut service = TcpStream::connect(shared.service)?;
    let (mut from, mut to) = (client.try_clone()?, service.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut passed, mut bytes) = (0, [0; 4096]);
    loop {
        let read = service.read(&mut bytes)?;
        let part = read.min(length - passed);
        client.write_all(&bytes[..part])?;
        passed += part;
        shared.seen.lock().unwrap()[nth].answer = passed;
        if read == 0 || passed == length {
            return client.shutdown(Shutdown::Both);
        }
    }
}

/// The connection ends when it is dropped; how, is said here.
fn end(connection: &TcpStream, ending: Ending) -> std::io::Result<()> {
    if ending == Ending::Reset {
        set_socket_linger(connection, Some(Duration::ZERO))?;
    }
    Ok(())
}

/// How many bytes came until then.
fn until_it_leaves(mut client: &TcpStream) -> std::io::Result<usize> {
    let mut after = Vec::new();
    match client.read_to_end(&mut after) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
        _ => Ok(after.len()),
    }
}

/// The request, or as much of it.
fn read_request(mut client: &TcpStream, most: usize) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut bytes = [0; 4096];
    while request.len() < most && missing(&request) > 0 {
        let read = client.read(&mut bytes)?;
        if read == 0 {
            break;
        }
        request.extend_from_slice(&bytes[..read]);
    }
    request.truncate(most);
    Ok(request)
}

/// How much of the request has not come yet; 1 if that is not known.
pub(crate) fn missing(request: &[u8]) -> usize {
    let Some(head) = request.windows(4).position(|end| end == b"\r\n\r\n") else { return 1 };
    let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap();
    (head + 4 + length.trim().parse::<usize>().unwrap()).saturating_sub(request.len())
}
