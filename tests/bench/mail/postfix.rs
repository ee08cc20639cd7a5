//! Postfix as Debian packages it, in a configuration of its own beside the machine's.
//!
//! Its queue is as durable as it comes. It does the same work as the others: no TLS, no DNS, no chroot, no table of
//! local recipients to ask, a log in a file of its own. What would hold twenty clients of one address or twenty deliveries
//! to one user back is raised.

use super::server::{Server, Site, door};
use super::{HOST, PARALLEL};
use harness::{Call, free_port, installed};
use std::fs;

/// What the tables call it.
pub const NAME: &str = "Postfix";

/// Starts it. None if it is not installed.
pub fn start(site: &Site) -> Option<Server> {
    let postfix = installed("postfix")?;
    let port = free_port();
    let place = site.directory("postfix");
    let (settings, queue, data) = (place.join("etc"), place.join("queue"), place.join("data"));
    for directory in [&settings, &queue, &data] {
        fs::create_dir(directory).expect("a directory");
    }
    let postfix_user = unix::account::find_user(b"postfix").expect("the users").expect("Postfix's user");
    std::os::unix::fs::chown(&data, Some(postfix_user.uid), Some(postfix_user.gid)).expect("its owner");
    let sink = site.sink.port;
    let main = format!(
        "compatibility_level = 3.6\n\
         queue_directory = {queue}\n\
         data_directory = {data}\n\
         maillog_file = {log}\n\
         maillog_file_prefixes = {place}\n\
         command_directory = /usr/sbin\n\
         daemon_directory = /usr/lib/postfix/sbin\n\
         mail_owner = postfix\n\
         setgid_group = postdrop\n\
         myhostname = {HOST}\n\
         mydestination = {HOST}\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         mynetworks = 127.0.0.0/8\n\
         relayhost = [127.0.0.1]:{sink}\n\
         alias_maps =\n\
         alias_database =\n\
         local_recipient_maps =\n\
         home_mailbox = Maildir/\n\
         biff = no\n\
         smtpd_peername_lookup = no\n\
         smtp_dns_support_level = disabled\n\
         smtpd_tls_security_level = none\n\
         smtp_tls_security_level = none\n\
         smtpd_client_connection_count_limit = 0\n\
         in_flow_delay = 0\n\
         initial_destination_concurrency = {PARALLEL}\n\
         default_destination_concurrency_limit = {PARALLEL}\n\
         local_destination_concurrency_limit = {PARALLEL}\n",
        place = place.display(),
        queue = queue.display(),
        data = data.display(),
        log = place.join("log").display(),
    );
    fs::write(settings.join("main.cf"), main).expect("main.cf");
    let services = format!("127.0.0.1:{port} inet n - n - - smtpd\n{SERVICES}");
    fs::write(settings.join("master.cf"), services).expect("master.cf");
    let parts = ["maildrop", "incoming", "active", "deferred"].iter().map(|part| queue.join(part)).collect();
    Server::start(NAME, vec![door(port)], parts, move || {
        let outcome = Call::path(&postfix).arg("-c").arg(&settings).arg("start").run();
        assert_eq!(outcome.code, 0, "{}", outcome.err_text());
        // It is a daemon, and ends with its group.
        Box::new(())
    })
}

/// What Debian's master.cf has, without a chroot and without what nobody uses here.
const SERVICES: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";
