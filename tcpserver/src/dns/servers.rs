//! Which DNS servers to ask.

use super::name;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use unix::{environment, file};

/// The servers of `$DNSCACHEIP`, else of `/etc/resolv.conf`, else the one of this machine.
///
/// # Errors
/// If `/etc/resolv.conf` is there and cannot be read.
pub(super) fn of_system() -> io::Result<Vec<SocketAddr>> {
    let named = environment::get("DNSCACHEIP").map(|text| in_variable(&text)).unwrap_or_default();
    if !named.is_empty() {
        return Ok(named);
    }
    let configured = file::read_if_present(Path::new("/etc/resolv.conf"))?.unwrap_or_default();
    let configured = in_resolv_conf(&configured);
    Ok(if configured.is_empty() { vec![at_port_53(Ipv4Addr::LOCALHOST)] } else { configured })
}

/// Addresses with or without a port, separated by commas or blanks; words that are none are passed over.
fn in_variable(text: &[u8]) -> Vec<SocketAddr> {
    let words = text.split(|byte| *byte == b',' || byte.is_ascii_whitespace());
    words.filter(|word| !word.is_empty()).flat_map(in_word).take(SERVER_LIMIT).collect()
}

fn in_word(word: &[u8]) -> Vec<SocketAddr> {
    let text = std::str::from_utf8(word).unwrap_or("");
    if let Ok(address) = text.parse::<SocketAddr>() {
        return vec![address];
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return vec![at_port_53(address)];
    }
    if word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return name::ipv4_list(word).into_iter().map(at_port_53).collect();
    }
    Vec::new()
}

/// The `nameserver` lines of resolv.conf(5).
fn in_resolv_conf(text: &[u8]) -> Vec<SocketAddr> {
    let lines = text.split(|byte| *byte == b'\n');
    let addresses = lines.filter_map(|line| {
        let rest = line.strip_prefix(b"nameserver")?;
        rest.first().filter(|byte| byte.is_ascii_whitespace())?;
        std::str::from_utf8(rest.trim_ascii()).ok()?.parse::<IpAddr>().ok()
    });
    addresses.map(at_port_53).take(SERVER_LIMIT).collect()
}

fn at_port_53(address: impl Into<IpAddr>) -> SocketAddr {
    SocketAddr::new(address.into(), 53)
}

/// How many servers are asked.
const SERVER_LIMIT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(servers: &[SocketAddr]) -> Vec<String> {
        servers.iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn the_variable_takes_addresses_with_ports_and_the_dotted_form() {
        let servers = in_variable(b"127.0.0.1:5300, ::1 [::1]:54,192.0.2.1");
        assert_eq!(texts(&servers), ["127.0.0.1:5300", "[::1]:53", "[::1]:54", "192.0.2.1:53"]);
        assert_eq!(texts(&in_variable(b"1.2.3.4.5.6.7.8")), ["1.2.3.4:53", "5.6.7.8:53"]);
        assert!(in_variable(b"").is_empty());
        assert!(in_variable(b"nonsense").is_empty());
    }

    #[test]
    fn resolv_conf_names_servers_line_by_line() {
        let text = b"# local\nsearch example.org\nnameserver 192.0.2.53\nnameserver\t2001:db8::53 \n\
            nameservers 192.0.2.9\nnameserver fe80::1%eth0\n";
        assert_eq!(texts(&in_resolv_conf(text)), ["192.0.2.53:53", "[2001:db8::53]:53"]);
    }
}
