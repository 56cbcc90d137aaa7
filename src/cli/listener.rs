//! An address that is taken before anything is made: what is wrong with it leaves no directory behind.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, anyhow};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

/// Connections that wait to be taken.
const BACKLOG: i32 = 1_024;

/// An address that is ours, and where nobody is answered yet.
pub struct Reserved(OwnedFd);

impl Reserved {
    /// `flag` is the one that names the address.
    pub fn new(addr: SocketAddr, flag: &str) -> Result<Reserved> {
        taken(addr).map(Reserved).map_err(|error| why(addr, flag, error))
    }

    /// From now on connections are taken.
    pub fn open(self) -> Result<TcpListener> {
        listen(&self.0, BACKLOG).context("the address that is ours cannot be listened on")?;
        Ok(TcpListener::from(self.0))
    }
}

fn taken(addr: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Else a server that has just stopped would keep the next one out for a minute.
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &addr)?;
    Ok(socket)
}

/// Each cause in words of its own, with what to do.
fn why(addr: SocketAddr, flag: &str, error: Errno) -> anyhow::Error {
    let todo = match error {
        Errno::ADDRINUSE => format!(
            "another program listens there, maybe another Usher: stop it, or give another address with {flag}"
        ),
        Errno::ACCESS | Errno::PERM => format!(
            "this user may not take a port below 1024: give a higher one with {flag} and put a proxy in front, or \
             give the service the capability CAP_NET_BIND_SERVICE"
        ),
        Errno::ADDRNOTAVAIL => format!(
            "this machine has no such address: give one of its own with {flag}, or 0.0.0.0 or [::] for all"
        ),
        error => {
            return anyhow!(std::io::Error::from(error)).context(format!("cannot listen on {addr} ({flag})"));
        }
    };
    anyhow!("cannot listen on {addr}: {todo}")
}
