//! 4.3: majordomo is gone, and with it what the answer points to. What its instructions for qmail came to still works: an alias
//! gives the commands of subscribers to a program, and the file of addresses that this program keeps is the list, by a link
//! from its `.qmail` file. A program of a few lines stands for majordomo.

use crate::site::{Site, heard};
use harness::{HOST, uid_of};

/// Takes `subscribe LIST` and `unsubscribe LIST` from a message for whoever sent it. The new file takes the old one's place in
/// one step, so that a message that comes meanwhile meets the one or the other.
const MAJORDOMO: &str = "#!/bin/sh
cd /var/run/lists || exit 111
sed '1,/^$/d' | while read -r command list; do
    [ -e \"$list\" ] || continue
    case $command in subscribe) add=$SENDER ;; unsubscribe) add= ;; *) continue ;; esac
    { grep -vxF \"$SENDER\" \"$list\"; [ -z \"$add\" ] || echo \"$add\"; } >\"$list.new\"
    mv \"$list.new\" \"$list\"
done
";

#[test]
fn a_program_keeps_the_file_that_is_the_list() {
    let Some(site) = Site::new() else { return };
    let far = site.routes("far.example", 1);
    site.write_program("/usr/local/bin/majordomo", MAJORDOMO);
    site.types("mkdir /var/run/lists && touch /var/run/lists/sos && chown -R alias /var/run/lists");
    site.write("/var/qmail/alias/.qmail-majordomo", "| /usr/local/bin/majordomo\n");
    site.types("ln -s /var/run/lists/sos /var/qmail/alias/.qmail-sos");
    site.types("touch /var/qmail/alias/.qmail-sos-owner");
    site.boots();
    let command = |sender: &str, text: &str| {
        site.types(&format!(
            "printf '\\n{text}\\n' | /var/qmail/bin/qmail-inject -f {sender} majordomo@{HOST}"
        ));
        site.delivers_all();
    };
    command("a@far.example", "subscribe sos");
    command("b@far.example", "subscribe sos");
    assert_eq!(site.read("/var/run/lists/sos"), "a@far.example\nb@far.example\n");
    command("b@far.example", "unsubscribe sos");

    site.sends("s@src.example", &format!("sos@{HOST}"), "news");
    site.delivers_all();
    let session = heard(&far);
    for line in [format!("MAIL FROM:<sos-owner@{HOST}>"), "RCPT TO:<a@far.example>".to_owned()] {
        assert!(session.contains(&format!("{line}\r\n")), "{line} in {session}");
    }
    assert!(!session.contains("RCPT TO:<b@far.example>"), "{session}");
    // The program ran as the alias user: the list is still that user's.
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(site.path("/var/run/lists/sos")).expect("the list").uid();
    assert_eq!(owner, uid_of("alias"));
}
