//! 8.3: from sendmail to qmail step by step. A host without mail gets qmail, under a name of its own; users of the network, whose
//! mail sendmail delivers on the hub, have theirs sent on to that name when they like. At the end the new host takes the
//! network's mail, and the addresses of the transition still work.

use crate::network::{Network, Place};

use harness::{Call, Running, settles, skipped, wait_until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Debian's package, unpacked by `tests/install-needed`.
const SENDMAIL: &str = "/usr/local/lib/sendmail-tests/usr/libexec/sendmail/sendmail";
const SENDMAIL_CF: &str = "/usr/local/lib/sendmail-tests/usr/share/sendmail/cf";
const JOE: &str = "suite-q8-3-joe";
const BILL: &str = "suite-q8-3-bill";

/// The hub of the network as it was: sendmail delivers into the mailboxes of the system, in a directory of the test's.
struct Hub {
    scratch: tempfile::TempDir,
    sendmail: Running,
}

impl Hub {
    fn start(place: &Place) -> Hub {
        let scratch = harness::scratch();
        let path = |name: &str| scratch.path().join(name).display().to_string();
        for name in ["mail", "queue"] {
            fs::create_dir(path(name)).expect("a directory of the hub");
        }
        fs::set_permissions(path("mail"), fs::Permissions::from_mode(0o1777)).expect("its mode");
        let define = |name: &str, value: &str| format!("define(`{name}', `{value}')dnl\n");
        let settings = [
            "divert(0)dnl\nOSTYPE(`linux')dnl\n".to_owned(),
            define("confDOMAIN_NAME", "hub.heaven.af.mil"),
            define("QUEUE_DIR", &path("queue")),
            define("confPID_FILE", &path("pid")),
            define("STATUS_FILE", ""),
            define("ALIAS_FILE", &path("aliases")),
            define("confTO_IDENT", "0"),
            // However busy the machine is with other tests.
            define("confQUEUE_LA", "1000"),
            define("confREFUSE_LA", "1000"),
            // Everything of this test is below a directory that everybody may write.
            define("confDONT_BLAME_SENDMAIL", "truststickybit"),
            "LOCAL_DOMAIN(`heaven.af.mil')dnl\nFEATURE(`nocanonify')dnl\n".to_owned(),
            "MAILER(`local')dnl\nMAILER(`smtp')dnl\n".to_owned(),
        ];
        let m4 = Call::path(Path::new("/usr/bin/m4")).arg(format!("-D_CF_DIR_={SENDMAIL_CF}/"));
        let outcome = m4.arg(format!("{SENDMAIL_CF}/m4/cf.m4")).arg("-").input(settings.concat()).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
        fs::write(path("sendmail.cf"), outcome.out).expect("sendmail.cf");
        fs::write(path("aliases"), "MAILER-DAEMON: root\n").expect("aliases");
        // It looks for its own name before anything else.
        let named = "echo hub.heaven.af.mil >/proc/sys/kernel/hostname";
        let mounts = format!("mount --bind {} \"$(readlink -f /var/mail)\"", path("mail"));
        let log = format!(">{} 2>&1", path("log"));
        let settings = path("sendmail.cf");
        let command = format!(
            "{named} && {mounts} && {SENDMAIL} -C{settings} -bi {log} && exec {SENDMAIL} -C{settings} -bD -q1s -X{} {log}",
            path("traffic")
        );
        let sendmail = place.runs(&format!("unshare -u /bin/sh -c '{command}'"));
        let hub = Hub { scratch, sendmail };
        assert!(settles(|| hub.scratch.path().join("pid").exists()), "{}", hub.log());
        hub
    }

    /// What sendmail has put into the mailbox of a user.
    fn mailbox(&self, user: &str) -> String {
        fs::read_to_string(self.scratch.path().join("mail").join(user)).unwrap_or_default()
    }

    fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.scratch.path().join(name)).unwrap_or_default();
        read("log") + &read("traffic")
    }
}

#[test]
fn users_move_one_by_one_and_then_all_of_them() {
    let Some(mut network) = Network::new() else { return };
    if !Path::new(SENDMAIL).exists() || harness::installed("m4").is_none() {
        return skipped("sendmail is not unpacked: see tests/install-needed");
    }
    let hub_place = network.place("hub.heaven.af.mil");
    let (Some(pc), Some(far)) = (network.host("pc.heaven.af.mil"), network.host("far.example")) else {
        return;
    };
    let (joe, bill) = (pc.user(JOE), pc.user(BILL));
    let mut hub = Hub::start(&hub_place);
    // Nobody has addresses at the new host's own name: sendmail would not send to an exchanger that it takes mail for.
    network.exchanger("heaven.af.mil", "hub.heaven.af.mil");
    far.boots();
    far.serves_smtp_as_a_host("-HRl0");
    let sends = |recipient: &str, subject: &str| far.sends("s@far.example", recipient, subject);
    let has = |text: &str, subject: &str| text.contains(&format!("\nSubject: {subject}\n"));

    // The new host, under its other name.
    network.exchanger("lists.heaven.af.mil", "pc.heaven.af.mil");
    pc.types("sed -i s/pc/lists/ /var/qmail/control/*");
    pc.boots();
    pc.serves_smtp_as_a_host("-HRl0");
    let at_pc =
        |user: &harness::OrdinaryUser| fs::read_to_string(user.home.join("Mailbox")).unwrap_or_default();

    // Joe tries it, and has a list; Bill does not know of anything. Both have their homes on the hub, too.
    joe.write(".forward", format!("{JOE}@lists.heaven.af.mil\n"));
    joe.write(".qmail-sos", format!("{BILL}@heaven.af.mil\n"));
    sends(&format!("{JOE}@heaven.af.mil"), "to joe");
    sends(&format!("{BILL}@heaven.af.mil"), "to bill");
    sends(&format!("{JOE}-sos@lists.heaven.af.mil"), "to the list");
    let logs =
        || far.postmasters_mailbox() + &far.read("/var/log/qmail") + &hub.log() + &pc.read("/var/log/qmail");
    assert!(settles(|| has(&at_pc(&joe), "to joe")), "{}", logs());
    let bills = || hub.mailbox(BILL);
    for subject in ["to bill", "to the list"] {
        assert!(settles(|| has(&bills(), subject)), "{}", logs());
    }
    assert!(!has(&hub.mailbox(JOE), "to joe") && at_pc(&bill).is_empty(), "{}", hub.log());

    // sendmail is turned off.
    hub.sendmail.signal(unix::signal::Signal::SIGTERM);
    hub.sendmail.wait();
    pc.types(
        "echo heaven.af.mil >> /var/qmail/control/locals; echo heaven.af.mil >> /var/qmail/control/rcpthosts",
    );
    pc.gives_a_hup();
    network.exchanger("heaven.af.mil", "pc.heaven.af.mil");
    sends(&format!("{BILL}@heaven.af.mil"), "by qmail");
    sends(&format!("{JOE}@lists.heaven.af.mil"), "still there");
    wait_until("Bill has his mail where qmail delivers", || has(&at_pc(&bill), "by qmail"));
    wait_until("the address of the transition works", || has(&at_pc(&joe), "still there"));
}
