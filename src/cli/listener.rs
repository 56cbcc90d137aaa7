//! An address that is taken before anything is made: what is wrong with it leaves no directory behind.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, anyhow};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with};

use crate::config::Listen;

/// Connections that wait to be taken.
const BACKLOG: i32 = 1_024;

/// Addresses that are ours, and where nobody is answered yet.
pub struct Reserved(Vec<OwnedFd>);

impl Reserved {
    /// Each address that is meant. One that this machine does not have is left out, as `::1` is where IPv6
    /// is switched off, unless there is no other. `flag` is the one that names them.
    pub fn new(at: &Listen, flag: &str) -> Result<Reserved> {
        let (mut sockets, mut missing) = (Vec::new(), None);
        let addresses = at.addresses().with_context(|| format!("{at} cannot be looked up ({flag})"))?;
        // Port 0 is drawn once.
        let mut drawn = None;
        for mut addr in addresses {
            if let (0, Some(port)) = (addr.port(), drawn) {
                addr.set_port(port);
            }
            match taken(addr) {
                Ok(socket) => {
                    drawn = SocketAddr::try_from(getsockname(&socket)?).ok().map(|addr| addr.port());
                    sockets.push(socket);
                }
                Err(error @ (Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)) => missing = Some((addr, error)),
                Err(error) => return Err(why(addr, flag, error)),
            }
        }
        match missing {
            Some((addr, error)) if sockets.is_empty() => return Err(why(addr, flag, error)),
            Some((addr, _)) => log::warn!("{at} also stands for {addr}, which this machine does not have"),
            None => {}
        }
        Ok(Reserved(sockets))
    }

    /// From now on connections are taken.
    pub fn open(self) -> Result<Vec<TcpListener>> {
        let open = |socket: OwnedFd| {
            listen(&socket, BACKLOG).context("cannot listen on the bound address")?;
            Ok(TcpListener::from(socket))
        };
        self.0.into_iter().map(open).collect()
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
            "another program is using this address, maybe another Usher: stop it, or use another address with {flag}"
        ),
        Errno::ACCESS | Errno::PERM => format!(
            "this user may not use a port below 1024: use a higher one with {flag} behind a proxy, or give the \
             service the capability CAP_NET_BIND_SERVICE"
        ),
        Errno::ADDRNOTAVAIL => format!(
            "this machine does not have this address: use one of its own with {flag}, or 0.0.0.0 or [::] for all"
        ),
        error => {
            return anyhow!(std::io::Error::from(error)).context(format!("cannot listen on {addr} ({flag})"));
        }
    };
    anyhow!("cannot listen on {addr}: {todo}")
}
