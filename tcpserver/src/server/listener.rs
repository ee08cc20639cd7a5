//! The socket that connections come in through.

use crate::dns::{self, Trouble};
use crate::names::Names;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use unix::failure::Failure;

/// Opens a socket for each of the hosts, which commas separate. Port 0 is chosen by the kernel once, for all.
///
/// A shared port can be opened by other servers of this user as well, so that one can take over from another
/// without a moment in which nobody listens.
pub(super) fn open_all(
    hosts: &[u8],
    port: u16,
    backlog: i32,
    shared: bool,
) -> Result<Vec<TcpListener>, Failure> {
    let mut port = port;
    let mut listeners = Vec::new();
    for host in hosts.split(|byte| *byte == b',') {
        let listener = open(address(host, port)?, backlog, shared)?;
        port = local_port(&listener)?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// The port that a socket listens on.
pub(super) fn local_port(listener: &TcpListener) -> Result<u16, Failure> {
    step("unable to get local address", listener.local_addr()).map(|local| local.port())
}

/// Where to listen: the first address of a host, or every address of this machine for `0` or nothing.
fn address(host: &[u8], port: u16) -> Result<SocketAddr, Failure> {
    if host.is_empty() || host == b"0" {
        return Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    }
    let found = match dns::known_addresses(host) {
        Some(addresses) => Ok(addresses),
        None => Names::beside_us()?.addresses(host),
    };
    let addresses = match found {
        Ok(addresses) => addresses,
        Err(Trouble::Absent) => Vec::new(),
        Err(Trouble::Temporary(why)) => {
            let what = b"temporarily unable to figure out IP address for ";
            return Err(Failure::temporary([what, host, b": ", why.as_bytes()].concat()));
        }
    };
    let first = addresses.first();
    let first = first.ok_or_else(|| Failure::temporary([&b"no IP address for "[..], host].concat()))?;
    Ok(SocketAddr::new(*first, port))
}

/// Opens the socket. One on every IPv6 address takes IPv4 connections too; on a machine without IPv6 it is one
/// on every IPv4 address.
fn open(address: SocketAddr, backlog: i32, shared: bool) -> Result<TcpListener, Failure> {
    let (socket, address) = match socket_for(address) {
        Err(_) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
            (socket_for(address), address)
        }
        socket => (socket, address),
    };
    let socket = step("unable to create socket", socket)?;
    // Without it, connections of an earlier run that wait for their end would keep the port.
    step("unable to create socket", socket.set_reuse_address(true))?;
    step("unable to create socket", socket.set_reuse_port(shared))?;
    step("unable to bind", socket.bind(&address.into()))?;
    step("unable to listen", socket.listen(backlog))?;
    step("unable to listen", socket.set_nonblocking(true))?;
    Ok(socket.into())
}

fn socket_for(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

fn step<T>(what: &str, result: io::Result<T>) -> Result<T, Failure> {
    result.map_err(|error| Failure::temporary(what).because(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Option<String> {
        address(text.as_bytes(), 25).ok().map(|address| address.to_string())
    }

    #[test]
    fn several_hosts_share_the_port_that_the_kernel_chose_for_the_first() {
        let listeners = open_all(b"127.0.0.1,127.0.0.2", 0, 1, false).unwrap();
        let ports: Vec<u16> = listeners.iter().map(|listener| local_port(listener).unwrap()).collect();
        assert!(matches!(ports.as_slice(), [first, second] if first == second));
    }

    #[test]
    fn hosts_in_figures_need_no_lookup() {
        assert_eq!(host("0").unwrap(), "[::]:25");
        assert_eq!(host("").unwrap(), "[::]:25");
        assert_eq!(host("0.0.0.0").unwrap(), "0.0.0.0:25");
        assert_eq!(host("[::1]").unwrap(), "[::1]:25");
        assert_eq!(host("localhost").unwrap(), "127.0.0.1:25");
        assert_eq!(host("1.2.3"), None);
    }
}
