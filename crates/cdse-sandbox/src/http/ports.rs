//! The ports that the hosts listen on: four, one after the other, so that one number names them all.

use std::io;
use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that may wait to be accepted. A burst must not lose its first packets, which come again a second later.
const BACKLOG: u32 = 4096;

/// How often a free port is taken that may not be followed by free ones.
const ATTEMPTS: usize = 100;

/// Listeners in the order in which [`Host`](crate::Host) has the hosts, the first on this port; 0 stands for any.
pub(super) fn bind(port: u16) -> io::Result<[TcpListener; 4]> {
    if port != 0 {
        return following(listen(port)?);
    }
    for _ in 1..ATTEMPTS {
        match following(listen(0)?) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            done => return done,
        }
    }
    following(listen(0)?)
}

fn following(first: TcpListener) -> io::Result<[TcpListener; 4]> {
    let port = first.local_addr()?.port();
    let next = |offset: u16| match port.checked_add(offset) {
        Some(port) => listen(port),
        // As good as taken.
        None => Err(io::ErrorKind::AddrInUse.into()),
    };
    Ok([first, next(1)?, next(2)?, next(3)?])
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(BACKLOG)
}
