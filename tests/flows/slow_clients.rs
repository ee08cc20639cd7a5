//! Many clients that hold on to their connections, and good ones who come meanwhile. P4

use harness::{HOST, Instance, messages, settles, wait_until};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use unix::limits::Resource;

/// Slow clients without `SLOW_CLIENTS`.
const SLOW: usize = 500;
/// Good clients who come while the slow ones hold on.
const GOOD: usize = 20;
/// Where a slow client stops.
const HALVES: [&str; 4] = [
    "",
    "EH",
    "EHLO slow.example\r\nMAIL FROM:<slow@src.example>\r\nRCPT TO:<",
    "MAIL FROM:<>\r\nRCPT TO:<joe>\r\nDATA\r\nhalf a li",
];

/// P4: who says little keeps nobody from being served, and is served himself when he goes on.
#[test]
fn p4_five_hundred_slow_clients_hold_on_while_good_ones_are_served() {
    let slow = std::env::var("SLOW_CLIENTS")
        .map_or(SLOW, |number| number.parse().expect("SLOW_CLIENTS is a number"));
    // One descriptor for each connection of this test, beside those of the tests that run at the same time.
    let (soft, hard) = unix::limits::soft_and_hard(Resource::RLIMIT_NOFILE).expect("a limit");
    let wanted = soft.max(slow as u64 + 1000);
    unix::limits::set_soft(Resource::RLIMIT_NOFILE, wanted, hard).expect("a higher limit");
    let mut instance = Instance::in_memory();
    let maildir = instance.mailbox("joe");
    instance.start();
    let limit = format!("-c{}", slow + GOOD);
    let server = instance.serve(&["-HRl0", "-b500", &limit], "qmail-smtpd", &[]);

    let mut waiting: Vec<TcpStream> = Vec::new();
    for number in 0..slow {
        let mut stream = server.connect("127.0.0.1");
        stream.write_all(HALVES[number % HALVES.len()].as_bytes()).expect("a server");
        waiting.push(stream);
    }
    wait_until("each slow client has a server of its own", || {
        instance.processes().iter().filter(|(_, name)| name == "qmail-smtpd").count() == slow
    });
    for number in 0..GOOD {
        let mut stream = server.connect("127.0.0.1");
        let text = format!(
            "EHLO good.example\r\nMAIL FROM:<>\r\nRCPT TO:<joe@{HOST}>\r\nDATA\r\nSubject: good {number}\r\n\r\nx\r\n.\r\nQUIT\r\n"
        );
        stream.write_all(text.as_bytes()).expect("a server that reads");
        let mut replies = String::new();
        stream.read_to_string(&mut replies).expect("a server that replies");
        assert!(replies.contains("\r\n354 go ahead\r\n250 ok "), "{replies}");
    }
    assert!(settles(|| messages(&maildir).len() == GOOD), "good mail is delivered meanwhile");

    // Each one who was in the middle of a message ends it now.
    let mut late = 0;
    for stream in waiting.iter_mut().skip(3).step_by(HALVES.len()) {
        stream.write_all(b"ne\r\n.\r\n").expect("a server that has waited");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
        let replies = BufReader::new(&*stream).lines().map_while(Result::ok);
        assert!(
            replies.into_iter().any(|line| line.starts_with("250 ok ")),
            "no reply to a message that ended late"
        );
        late += 1;
    }
    drop(waiting);
    wait_until("all mail is delivered", || messages(&maildir).len() == GOOD + late);
    instance.wait_until_delivered();
    drop(server);
    instance.stop();
}
