//! 6.2: pine's way to call sendmail: `-oem -oi -t`, with the recipients in the header.

use crate::site::Site;
use harness::HOST;

#[test]
fn sendmail_takes_the_options_that_pine_gives_it() {
    let Some(site) = Site::new() else { return };
    site.boots();
    // The link that stands in a system's /usr/lib, and a lone dot, which ends nothing.
    site.types("ln -s /var/qmail/bin/sendmail /etc/sendmail");
    site.types(&format!(
        "printf 'To: postmaster@{HOST}\nSubject: pine\n\none\n.\ntwo\n' | /etc/sendmail -oem -oi -t"
    ));
    site.delivers_all();
    let text = site.postmasters_mailbox();
    assert!(text.ends_with("\n\none\n.\ntwo\n\n"), "{text}");
}
