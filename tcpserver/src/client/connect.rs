//! Which address is tried when, and for how long.

use super::options::Patience;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A socket for connections to this address.
pub(super) fn socket_for(target: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))
}

/// Gives a socket the local address and port that are asked for, if any are.
pub(super) fn bind(socket: &Socket, ip: Option<IpAddr>, port: u16, target: SocketAddr) -> io::Result<()> {
    if ip.is_none() && port == 0 {
        return Ok(());
    }
    let any: IpAddr =
        if target.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    socket.bind(&SocketAddr::from((ip.unwrap_or(any), port)).into())
}

/// The first target that an attempt reaches, with what the attempt gave.
///
/// Every target is tried in turn with the short time; then those that did not answer in it, with the long one.
/// A single target is tried once, with both times together. Failures are reported when they are final.
///
/// # Errors
/// Whatever is not about the target, but makes all attempts futile.
pub(super) fn first<T, E>(
    targets: &[SocketAddr],
    patience: Patience,
    attempt: impl Fn(SocketAddr, Duration) -> Result<io::Result<T>, E>,
    report: impl Fn(SocketAddr, &io::Error),
) -> Result<Option<(T, SocketAddr)>, E> {
    let Patience { first, second } = patience;
    let rounds = if targets.len() == 1 { vec![first.saturating_add(second)] } else { vec![first, second] };
    let mut left = targets.to_vec();
    for (round, patience) in rounds.iter().enumerate() {
        let again = rounds.iter().skip(round.saturating_add(1)).any(|next| !next.is_zero());
        let mut silent = Vec::new();
        for target in left {
            match attempt(target, *patience)? {
                Ok(reached) => return Ok(Some((reached, target))),
                Err(error) if again && error.kind() == io::ErrorKind::TimedOut => silent.push(target),
                Err(error) => report(target, &error),
            }
        }
        left = silent;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// What is tried and reported, where only `answers` (a port, with the seconds that it takes) answers.
    fn course(
        ports: &[u16],
        patience: (u64, u64),
        answers: Option<(u16, u64)>,
    ) -> (Option<u16>, Vec<String>) {
        let seconds = Duration::from_secs;
        let targets: Vec<SocketAddr> =
            ports.iter().map(|port| SocketAddr::from(([192, 0, 2, 1], *port))).collect();
        let course = RefCell::new(Vec::new());
        let attempt = |target: SocketAddr, patience: Duration| {
            course.borrow_mut().push(format!("{} {}s", target.port(), patience.as_secs()));
            Ok::<_, ()>(match answers {
                Some((port, after)) if port == target.port() && seconds(after) <= patience => Ok(port),
                _ if target.port() == REFUSES => Err(io::ErrorKind::ConnectionRefused.into()),
                _ => Err(io::ErrorKind::TimedOut.into()),
            })
        };
        let report = |target: SocketAddr, _: &io::Error| {
            course.borrow_mut().push(format!("{} failed", target.port()));
        };
        let patience = Patience { first: seconds(patience.0), second: seconds(patience.1) };
        let reached = first(&targets, patience, attempt, report).unwrap();
        (reached.map(|(port, _)| port), course.into_inner())
    }

    const REFUSES: u16 = 9;

    #[test]
    fn targets_that_time_out_are_tried_again_with_more_patience() {
        let (reached, course) = course(&[1, REFUSES, 2], (2, 58), Some((2, 10)));
        assert_eq!(reached, Some(2));
        assert_eq!(course, ["1 2s", "9 2s", "9 failed", "2 2s", "1 58s", "1 failed", "2 58s"]);
    }

    #[test]
    fn a_single_target_gets_all_the_time_at_once() {
        let (reached, course) = course(&[1], (2, 58), None);
        assert_eq!((reached, course), (None, vec!["1 60s".to_owned(), "1 failed".to_owned()]));
    }

    #[test]
    fn without_a_second_time_there_is_one_round() {
        let (reached, course) = course(&[1, 2], (2, 0), None);
        assert_eq!(reached, None);
        assert_eq!(course, ["1 2s", "1 failed", "2 2s", "2 failed"]);
    }
}
