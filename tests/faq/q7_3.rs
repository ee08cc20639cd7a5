//! 7.3: touching the info file of a message, while qmail runs, gives it all its time again: it is not bounced for its
//! age. Another one of that age is.

use crate::site::Site;
use harness::{HOST, free_port, wait_until};
use std::path::PathBuf;

#[test]
fn a_touched_message_stays_in_the_queue() {
    let Some(site) = Site::new() else { return };
    let closed = free_port();
    site.write("/var/qmail/control/smtproutes", &format!(":[127.0.0.1]:{closed}\n"));
    site.boots();
    let sender = format!("postmaster@{HOST}");
    for recipient in ["eric@computer.example", "old@computer.example"] {
        site.sends(&sender, recipient, recipient);
    }
    wait_until("both wait", || site.read("/var/log/qmail").matches(": deferral: ").count() == 2);
    let info: Vec<PathBuf> =
        site.types("find /var/qmail/queue/info -type f").lines().map(PathBuf::from).collect();
    assert_eq!(info.len(), 2);
    // Eight days ago is more than the week that messages have.
    site.types("find /var/qmail/queue/info -type f | xargs touch -d '8 days ago'");
    let number = |path: &PathBuf| path.file_name().expect("a number").to_string_lossy().into_owned();
    let erics = info
        .iter()
        .find(|path| {
            let mess = format!("/var/qmail/queue/mess/*/{}", number(path));
            site.types(&format!("cat {mess}")).contains("Subject: eric@computer.example\n")
        })
        .expect("the message for Eric");
    site.types(&format!("touch {}", erics.display()));
    site.types(&format!("kill -ALRM {}", site.pid_of("qmail-send")));
    site.wait_for_text("/var/qmail/alias/Mailbox", "<old@computer.example>:\n");
    wait_until("Eric's is tried", || site.read("/var/log/qmail").matches(": deferral: ").count() >= 3);
    assert!(!site.postmasters_mailbox().contains("<eric@computer.example>:\n"));
    assert!(erics.exists());
}
