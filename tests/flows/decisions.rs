//! What is said of an address before there is mail for it, and what then happens: `qmail-explain` and
//! `control/rcptcheck` against real deliveries.

use harness::{
    Call, HOST, Installation, Instance, OrdinaryUser, Outcome, Running, is_root, owner_uid, skipped,
    wait_until,
};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use unix::signal::Signal;

/// What qmail-explain says last, and its exit status.
#[derive(Debug, PartialEq, Eq)]
struct Forecast {
    result: String,
    code: i32,
    told: String,
}

fn forecast(outcome: &Outcome) -> Forecast {
    assert_eq!(outcome.err_text(), "");
    let told = outcome.out_text();
    let last = told.lines().last().expect("a result");
    let result = last.strip_prefix("result: ").unwrap_or_else(|| panic!("no result: {told}")).to_owned();
    Forecast { result, code: outcome.code, told }
}

fn explain(instance: &Instance, address: &str) -> Forecast {
    forecast(&instance.call("qmail-explain").arg("--").arg(address).run())
}

/// The reply to RCPT for an envelope address.
fn rcpt(call: Call, address: &str) -> String {
    let quoted = address.replace('\\', "\\\\").replace('"', "\\\"").replace('>', "\\>");
    let session = format!("HELO c\r\nMAIL FROM:<s@src.example>\r\nRCPT TO:<{quoted}>\r\nQUIT\r\n");
    let text = call.input(session).run().out_text();
    text.lines().nth(3).unwrap_or_else(|| panic!("no reply to RCPT: {text}")).to_owned()
}

/// What a real delivery reports: the verdict, and its text as it is logged.
fn deliver(instance: &Instance, address: &str) -> (String, String) {
    instance.clear_log();
    assert_eq!(instance.enqueue("s@src.example", &[address], "Subject: t\n\nx\n"), 0, "{address}");
    let mut found = None;
    wait_until("a report", || {
        let log = instance.log();
        found = log.lines().find_map(report_line);
        found.is_some()
    });
    found.expect("a report")
}

/// Verdict and text of a line about the end of a delivery.
fn report_line(line: &str) -> Option<(String, String)> {
    let (_, report) = line.strip_prefix("delivery ")?.split_once(": ")?;
    let (verdict, text) = report.split_once(": ")?;
    Some((verdict.to_owned(), text.trim_end_matches('/').to_owned()))
}

/// A text as qmail-send logs it.
fn logged(text: &str) -> String {
    let odd = |byte: char| !('!'..='~').contains(&byte) || byte == '%';
    text.replace(odd, "_")
}

/// The counts that qmail-local reports for a result `deliver: …`.
fn counts(result: &str) -> String {
    let instructions = result.strip_prefix("deliver: ").expect("a delivery");
    let count = |words: &[&str]| {
        let is_one = |text: &&str| words.iter().any(|word| text.starts_with(word));
        instructions.split(", ").filter(is_one).count()
    };
    format!("did_{}+{}+{}", count(&["maildir ", "mbox "]), count(&["forward to "]), count(&["run "]))
}

/// A user of the table of assignments, with a home of his own.
fn user(instance: &Instance, name: &str, mode: u32) -> String {
    let home = instance.path("alias").join(format!("home-{name}"));
    fs::create_dir(&home).expect("a home");
    let uid = owner_uid();
    if is_root() {
        chown(&home, Some(uid), Some(uid)).expect("its owner");
    }
    assert_eq!(instance.call("maildirmake").arg(home.join("Maildir")).run().code, 0);
    fs::set_permissions(&home, Permissions::from_mode(mode)).expect("its mode");
    let home = home.display();
    format!("={name}:{name}:{uid}:{uid}:{home}:::\n+{name}-:{name}:{uid}:{uid}:{home}:-::\n")
}

/// An installation with everything that can be said of a local address.
fn prepared() -> Instance {
    let mut instance = Instance::new();
    let uid = owner_uid();
    let homes = ["joe", "open", "sticky"].map(|name| user(&instance, name, 0o755)).concat();
    let nowhere = format!("=lost:lost:{uid}:{uid}:/nowhere/at/all:::\n=super:root:0:0:/root:::\n");
    let other = format!("=other:other:{0}:{0}:/:::\n", uid + 1);
    let wild = format!("+wild:wild:{uid}:{uid}:{}:-:w-:\n", instance.path("alias").display());
    instance.write("users/assign", format!("{homes}{nowhere}{other}{wild}.\n"));
    assert_eq!(instance.call("qmail-newu").run().code, 0);
    instance.mailbox("plain");
    for (name, text) in [
        ("home-joe/.qmail-list", "&a@far.example\nb@far.example\n./Maildir/\n"),
        ("home-joe/.qmail-sub-default", "|true\n"),
        ("home-joe/.qmail-dots:in:it", ""),
        ("home-joe/.qmail-closed", ""),
        ("home-joe/.qmail-shared", ""),
        ("home-joe/.qmail-listonly", "&a@far.example\n./Maildir/\n"),
        ("home-joe/.qmail-blank", "\n./Maildir/\n"),
        ("home-joe/.qmail-comment", "# nothing\n"),
        ("home-joe/.qmail-mbox", "./Mailbox\n"),
        ("home-open/.qmail-x", ""),
        (".qmail-virt-default", "./plain/\n"),
        (".qmail-prepend-info", "./plain/\n"),
        (".qmail-w-card", "./plain/\n"),
        (".qmail-two words", "./plain/\n"),
    ] {
        instance.write(&format!("alias/{name}"), text);
    }
    let mode = |name: &str, mode: u32| {
        let path = instance.path("alias").join(name);
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    };
    mode("home-joe/.qmail-closed", 0);
    mode("home-joe/.qmail-shared", 0o646);
    mode("home-joe/.qmail-listonly", 0o744);
    fs::create_dir(instance.path("alias/home-joe/.qmail-directory")).expect("a directory");
    symlink("missing", instance.path("alias/home-joe/.qmail-dangling")).expect("a link");
    symlink(".qmail-list", instance.path("alias/home-joe/.qmail-link")).expect("a link");
    mode("home-open", 0o757);
    mode("home-sticky", 0o1755);
    let virtualdomains = "virt.example:alias-virt\n.sub.example:alias-prepend\nex.sub.example:\n\
        me@solo.example:joe-list\nempty.example:\n";
    instance.write("control/virtualdomains", virtualdomains);
    instance.write("control/locals", format!("{HOST}\nSecond.Example\n"));
    instance.write("control/percenthack", "second.example\n");
    instance.write("control/smtproutes", "far.example:relay.example:26\n.sub.example:[192.0.2.1]\n");
    instance.write("control/rcptcheck", "");
    fs::remove_file(instance.path("control/rcpthosts")).expect("rcpthosts");
    instance.write("control/concurrencyremote", "0\n");
    instance.start();
    instance
}

/// Each address with the beginning of what is said about it.
const LOCAL: [(&str, &str); 43] = [
    ("joe", "deliver: maildir ./Maildir/"),
    ("joe@mail.example.org", "deliver: maildir ./Maildir/"),
    ("JOE@Mail.Example.ORG", "deliver: maildir ./Maildir/"),
    ("joe@second.example", "deliver: maildir ./Maildir/"),
    (
        "joe-list@mail.example.org",
        "deliver: forward to a@far.example, forward to b@far.example, maildir ./Maildir/",
    ),
    ("joe-LIST@mail.example.org", "deliver: forward to a@far.example"),
    ("joe-nolist@mail.example.org", "bounce: Sorry, no mailbox here by that name. (#5.1.1)"),
    ("joe-sub-a-b@mail.example.org", "deliver: run true"),
    ("joe-sub@mail.example.org", "bounce: Sorry, no mailbox"),
    ("joe-sub-@mail.example.org", "deliver: run true"),
    ("joe-Dots.In.It@mail.example.org", "deliver: maildir ./Maildir/"),
    ("joe-../../../etc/passwd@mail.example.org", "bounce: Sorry, no mailbox"),
    ("joe-sub-/../x@mail.example.org", "deliver: run true"),
    ("joe-closed@mail.example.org", "defer: Unable to open .qmail-closed: access denied. (#4.3.0)"),
    ("joe-shared@mail.example.org", "defer: Uh-oh: .qmail file is writable. (#4.7.0)"),
    ("joe-listonly@mail.example.org", "defer: Uh-oh: .qmail has file delivery but has x bit set. (#4.7.0)"),
    ("joe-blank@mail.example.org", "defer: Uh-oh: first line of .qmail file is blank. (#4.2.1)"),
    ("joe-comment@mail.example.org", "deliver: to nobody; the message is thrown away"),
    ("joe-mbox@mail.example.org", "deliver: mbox ./Mailbox"),
    ("joe-directory@mail.example.org", "bounce: Sorry, no mailbox"),
    ("joe-dangling@mail.example.org", "bounce: Sorry, no mailbox"),
    ("joe-link@mail.example.org", "deliver: forward to a@far.example"),
    ("joe-@mail.example.org", "bounce: Sorry, no mailbox"),
    ("open@mail.example.org", "defer: Uh-oh: home directory is writable. (#4.7.0)"),
    ("open-none@mail.example.org", "defer: Uh-oh: home directory is writable. (#4.7.0)"),
    (
        "sticky-none@mail.example.org",
        "defer: Home directory is sticky: user is editing his .qmail file. (#4.2.1)",
    ),
    ("lost@mail.example.org", "defer: Unable to switch to /nowhere/at/all: file does not exist. (#4.3.0)"),
    ("super@mail.example.org", "defer: Internal qmail-lspawn bug."),
    ("other@mail.example.org", "defer: Internal qmail-lspawn bug."),
    ("wild-card@mail.example.org", "bounce: Sorry, no mailbox"),
    ("wildcard@mail.example.org", "deliver: maildir ./plain/"),
    ("plain@mail.example.org", "deliver: maildir ./plain/"),
    ("nobody-at-all@mail.example.org", "bounce: Sorry, no mailbox"),
    ("root@mail.example.org", "deliver: maildir ./Maildir/"),
    ("postmaster@mail.example.org", "deliver: maildir ./Maildir/"),
    ("two words@mail.example.org", "deliver: maildir ./plain/"),
    ("\"quoted\"@mail.example.org", "bounce: Sorry, no mailbox"),
    ("joe%mail.example.org@second.example", "deliver: maildir ./Maildir/"),
    ("joe%mail.example.org@mail.example.org", "bounce: Sorry, no mailbox"),
    ("any.thing@virt.example", "deliver: maildir ./plain/"),
    ("info@a.sub.example", "deliver: maildir ./plain/"),
    ("@mail.example.org", "bounce: Sorry, address must include a user name. (#5.1.3)"),
    ("me@solo.example", "bounce: Sorry, no mailbox"),
];

/// B6
#[test]
fn b6_what_is_said_of_a_local_address_is_what_delivery_does_and_rcptcheck_refuses_what_bounces() {
    let instance = prepared();
    let mut wrong = Vec::new();
    for (address, expected) in LOCAL {
        let said = explain(&instance, address);
        let (verdict, text) = deliver(&instance, address);
        let (kind, reason) = said.result.split_once(": ").expect("a kind and a reason");
        let (wanted_verdict, wanted_text, wanted_code) = match kind {
            "deliver" => ("success", counts(&said.result), 0),
            "bounce" => ("failure", logged(reason), 100),
            _ => ("deferral", logged(reason), 111),
        };
        let reply = rcpt(instance.call("qmail-smtpd"), address);
        let refused = reply == "550 5.1.1 sorry, no mailbox here by that name";
        let fits = said.result.starts_with(expected)
            && verdict == wanted_verdict
            && text.starts_with(&wanted_text)
            && said.code == wanted_code
            && (refused || reply == "250 ok")
            && refused == (verdict == "failure");
        if !fits {
            wrong.push(format!("{address}: {said:?}\n  delivery: {verdict} {text}\n  RCPT: {reply}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What happens to the recipients of other hosts: the queue shows under which address they wait for qmail-remote.
#[test]
fn of_an_address_elsewhere_the_way_is_said_and_its_recipients_are_not_checked() {
    let mut instance = prepared();
    for (address, result, queued) in [
        (
            "x@far.example",
            "remote: host far.example, by smtproutes to relay.example port 26",
            "x@far.example",
        ),
        ("x@other.example", "remote: host other.example, by its MX records", "x@other.example"),
        ("x@[192.0.2.7]", "remote: host [192.0.2.7], by its address", "x@[192.0.2.7]"),
        (
            "x@ex.sub.example",
            "remote: host ex.sub.example, by smtproutes to [192.0.2.1] port 25",
            "x@ex.sub.example",
        ),
        ("x@empty.example", "remote: host empty.example, by its MX records", "x@empty.example"),
        ("x%y.example@second.example", "remote: host y.example, by its MX records", "x@y.example"),
        ("x@solo.example", "remote: host solo.example, by its MX records", "x@solo.example"),
    ] {
        let said = explain(&instance, address);
        assert_eq!((said.result.as_str(), said.code), (result, 0), "{address}");
        let relay = instance.call("qmail-smtpd").env("RELAYCLIENT", "");
        assert_eq!(rcpt(relay, address), "250 ok", "{address}");
        assert_eq!(rcpt(instance.call("qmail-smtpd"), address), "250 ok", "{address}");
        assert_eq!(instance.enqueue("s@src.example", &[address], "Subject: t\n\nx\n"), 0);
        wait_until("the recipient waits", || {
            let list = instance.call("qmail-qread").run().out_text();
            list.contains(&format!("\tremote\t{queued}\n"))
        });
    }
    // A relaying client's local recipients are checked like anybody's.
    let relay = instance.call("qmail-smtpd").env("RELAYCLIENT", "");
    assert!(rcpt(relay, "nobody-at-all@mail.example.org").starts_with("550 5.1.1 "));
    instance.stop();
}

#[test]
fn each_step_is_told_with_the_line_that_decided() {
    let instance = prepared();
    let told = explain(&instance, "a%VIRT.example@second.example").told;
    let uid = owner_uid();
    let home = instance.path("alias").display().to_string();
    let expected = format!(
        "address: a%VIRT.example@second.example\n\
         percent hack: a%VIRT.example@second.example becomes a@VIRT.example, by control/percenthack\n\
         channel: local, by the line \"virt.example:alias-virt\" in control/virtualdomains, as \
         alias-virt-a@VIRT.example\n\
         assignment: users/cdb has no line for it\n\
         account alias-virt-a: there is none\n\
         account alias-virt: there is none\n\
         account alias: controls it\n\
         controller: user alias, uid {uid}, gid {uid}, home {home}, dash \"-\", extension \"virt-a\"\n\
         home: {home} is ready for deliveries\n\
         file: .qmail-virt-a: is not there\n\
         file: .qmail-virt-default: controls it\n\
         default: DEFAULT is \"a\"\n\
         instruction: maildir ./plain/\n\
         result: deliver: maildir ./plain/\n"
    );
    if is_root() {
        assert_eq!(told, expected);
    }
    let told = explain(&instance, "Joe-Sub-X").told;
    for line in [
        "host: none, so it is that of control/envnoathost: mail.example.org\n",
        "channel: local, by the line \"mail.example.org\" in control/locals\n",
        "assignment: by the line +joe-: in users/cdb\n",
        "file: .qmail-sub-x: is not there\nfile: .qmail-sub-default: controls it\ndefault: DEFAULT is \"X\"\n",
    ] {
        assert!(told.contains(line), "{line}{told}");
    }
    let told = explain(&instance, "joe").told;
    let line = "default delivery: ./Maildir/, which the running qmail-lspawn was given\n";
    assert!(told.contains(line), "{told}");
    let told = forecast(&instance.call("qmail-explain").args(["-d", "&x@y", "joe"]).run()).told;
    assert!(told.ends_with(
        "default delivery: &x@y, by option -d\ninstruction: forward to x@y\nresult: deliver: forward to x@y\n"
    ));
    // Odd bytes do not reach the terminal.
    let odd = explain(&instance, "a\u{9b}b@mail.example.org").told;
    assert!(odd.is_ascii(), "{odd}");
    let usage = instance.call("qmail-explain").run();
    assert_eq!((usage.code, usage.out_text().as_str()), (100, ""));
    assert_eq!(usage.err_text(), "qmail-explain: usage: qmail-explain [ -d defaultdelivery ] address\n");
}

#[test]
fn while_the_tables_cannot_be_read_nobody_is_refused_and_nobody_is_accepted() {
    let instance = Instance::new();
    instance.write("control/rcptcheck", "1\n");
    let (nobody, known) = ("nobody-at-all@mail.example.org", "postmaster@mail.example.org");
    let ask = |address: &str| rcpt(instance.call("qmail-smtpd"), address);
    assert!(ask(nobody).starts_with("550 5.1.1 "));
    assert_eq!(ask(known), "250 ok");
    instance.write("users/cdb", "damaged");
    for address in [nobody, known] {
        assert_eq!(ask(address), "451 4.3.0 unable to check this recipient for now");
        let said = explain(&instance, address);
        assert_eq!(said.result, "defer: Trouble reading users/cdb in qmail-lspawn.");
    }
    instance.write("control/rcptcheck", "0\n");
    assert_eq!(ask(nobody), "250 ok");
    fs::remove_file(instance.path("control/rcptcheck")).expect("the switch");
    assert_eq!(ask(nobody), "250 ok");
    // What decides is not there to be read: the server does not serve.
    instance.write("control/rcptcheck", "1\n");
    fs::remove_file(instance.path("control/locals")).expect("locals");
    fs::create_dir(instance.path("control/locals")).expect("a directory in its place");
    let outcome = instance.call("qmail-smtpd").input("QUIT\r\n").run();
    assert_eq!(outcome.out_text(), "421 unable to read controls (#4.3.0)\r\n");
}

/// P2: through all programs, no form of address that relay testers try leaves this machine.
#[test]
fn p2_no_known_form_of_address_relays() {
    let mut instance = Instance::new();
    instance.write("control/rcpthosts", "here.example\n.below.example\n");
    instance.write("control/locals", format!("{HOST}\nhere.example\nx.below.example\n"));
    instance.write("control/localiphost", "here.example\n");
    instance.start();
    let mut taken = 0;
    for line in include_str!("../fixtures/relay.tsv").lines() {
        // The form is written with an address of the machine that the fixture imagines.
        let line = line.replace("[192.0.2.1]", "[127.0.0.1]");
        let (verdict, rest) = line.split_once('\t').expect("a verdict and a form");
        let form = rest.split('\t').next().expect("a form");
        let session = format!("MAIL FROM:<>\r\nRCPT TO:{form}\r\nDATA\r\nS: x\r\n\r\nx\r\n.\r\nQUIT\r\n");
        let told = instance.call("qmail-smtpd").input(session).run().out_text();
        assert_eq!(told.contains("\r\n553 "), verdict == "refused", "{form}: {told}");
        assert_eq!(told.contains("\r\n354 go ahead\r\n250 ok "), verdict == "local", "{form}: {told}");
        taken += usize::from(verdict == "local");
    }
    wait_until("each of them ends", || instance.log().matches("\nend msg ").count() >= taken);
    instance.wait_until_delivered();
    instance.stop();
    assert!(!instance.log().contains(" to remote "), "{}", instance.log());
    assert!(taken > 0);
}

/// P3
#[test]
fn p3_a_client_that_guesses_recipients_is_delayed_and_then_sent_away() {
    let instance = Instance::new();
    instance.write("control/rcptcheck", "1\n");
    let guesses: String = (0..30).map(|number| format!("RCPT TO:<guess{number}@{HOST}>\r\n")).collect();
    let session = format!("HELO c\r\nMAIL FROM:<s@src.example>\r\n{guesses}QUIT\r\n");
    let outcome = instance.call("qmail-smtpd").input(session).run();
    let text = outcome.out_text();
    assert_eq!(text.matches("550 5.1.1 ").count(), 20, "{text}");
    assert!(text.ends_with("421 too many recipients refused (#4.7.0)\r\n"), "{text}");
}

/// The account database or a file server that does not answer: here the opening of users/cdb takes longer.
#[test]
fn a_check_that_takes_too_long_is_given_up_and_the_session_goes_on() {
    let instance = Instance::new();
    if harness::installed("strace").is_none() {
        return skipped("strace is not installed");
    }
    instance.write("control/rcptcheck", "1\n");
    let slow = instance.path("users/cdb");
    let call = Call::path(Path::new("strace")).args([
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "inject=openat:delay_enter=40000000",
        "-P",
    ]);
    let call = call.arg(&slow).arg(instance.path("bin/qmail-smtpd")).env_clear();
    let session = format!("HELO c\r\nMAIL FROM:<s@src.example>\r\nRCPT TO:<joe@{HOST}>\r\nNOOP\r\nQUIT\r\n");
    let outcome = harness::as_owner(call).input(session).run();
    if outcome.out.is_empty() {
        return skipped(&format!("strace does not run here: {}", outcome.err_text()));
    }
    let text = outcome.out_text();
    let replies: Vec<&str> = text.lines().skip(3).collect();
    let expected = ["451 4.3.0 unable to check this recipient for now", "250 ok", "221 mail.example.org"];
    assert_eq!(replies, expected);
}

/// What root, the user, qmaild and anybody else know of an address of a user whose home is open or closed.
#[test]
fn b6_a_home_that_qmaild_may_not_look_into_is_no_reason_to_refuse() {
    let Some(installation) = Installation::new() else { return };
    let joe = OrdinaryUser::new("suite-test-ann", installation.beside(""));
    let (home, name) = (&joe.home, joe.account.name.as_str());
    let write = |name: &str, mode: u32| {
        let path = home.join(name);
        fs::write(&path, "./Maildir/\n").expect("instructions");
        chown(&path, Some(joe.account.uid), Some(joe.account.gid)).expect("their owner");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("their mode");
    };
    write(".qmail-there", 0o600);
    write(".qmail-closed", 0);
    fs::write(installation.path("control/rcptcheck"), "1\n").expect("a setting");
    let address = |ext: &str| format!("{name}{ext}@{HOST}");
    let as_qmaild = |ext: &str| {
        let call = Call::path(&installation.path("bin/qmail-smtpd")).env_clear();
        rcpt(installation.as_account("qmaild", call), &address(ext))
    };
    let as_root =
        |ext: &str| rcpt(Call::path(&installation.path("bin/qmail-smtpd")).env_clear(), &address(ext));
    let root_is_told = |ext: &str| {
        forecast(&Call::path(&installation.path("bin/qmail-explain")).arg(address(ext)).run()).result
    };
    let qmaild_is_told = |ext: &str| {
        let call = Call::path(&installation.path("bin/qmail-explain")).arg(address(ext));
        forecast(&installation.as_account("qmaild", call).run()).result
    };
    let refused = "550 5.1.1 sorry, no mailbox here by that name";
    let bounce = "bounce: Sorry, no mailbox here by that name. (#5.1.1)";
    let set_mode = |mode: u32| fs::set_permissions(home, Permissions::from_mode(mode)).expect("a mode");

    set_mode(0o755);
    for (ext, reply, said) in [
        ("", "250 ok", "deliver: mbox ./Mailbox"),
        ("-there", "250 ok", "deliver: maildir ./Maildir/"),
        ("-closed", "250 ok", "defer: Unable to open .qmail-closed: access denied. (#4.3.0)"),
        ("-none", refused, bounce),
        ("else", refused, bounce),
    ] {
        assert_eq!(as_qmaild(ext), reply, "{ext}");
        assert_eq!(as_root(ext), reply, "{ext}");
        assert_eq!(root_is_told(ext), said, "{ext}");
    }
    set_mode(0o700);
    for (ext, reply, said) in [
        ("", "250 ok", "deliver: mbox ./Mailbox"),
        ("-there", "250 ok", "deliver: maildir ./Maildir/"),
        ("-none", "250 ok", bounce),
        ("else", refused, bounce),
    ] {
        assert_eq!(as_qmaild(ext), reply, "{ext}");
        assert_eq!(root_is_told(ext), said, "{ext}");
    }
    // Root becomes the user to look, so it knows.
    assert_eq!(as_root("-none"), refused);
    let unknown = qmaild_is_told("-none");
    assert!(unknown.starts_with("cannot say: "), "{unknown}");
    set_mode(0o1700);
    let sticky = "defer: Home directory is sticky: user is editing his .qmail file. (#4.2.1)";
    assert_eq!((as_qmaild("-none").as_str(), root_is_told("-none").as_str()), ("250 ok", sticky));
}

/// B6: with real accounts, by root, through qmail-lspawn.
#[test]
fn b6_with_accounts_what_is_said_is_what_delivery_does_and_qmaild_refuses_what_bounces() {
    let Some(installation) = Installation::new() else { return };
    let joe = OrdinaryUser::new("suite-test-eve", installation.beside(""));
    let name = joe.account.name.clone();
    let write = |file: &str, text: &str| {
        let path = joe.home.join(file);
        fs::write(&path, text).expect("instructions");
        chown(&path, Some(joe.account.uid), Some(joe.account.gid)).expect("their owner");
    };
    write(".qmail", "./Mailbox\n");
    write(".qmail-list-default", "# nobody\n");
    write(".qmail-one", "|true\n");
    let log = installation.beside("send.log");
    let mut start = Command::new(installation.path("bin/qmail-start"));
    let output = fs::File::create(&log).expect("a log");
    let assign = "=super:root:0:0:/root:::\n+team-:alias:0:0:/:-::\n.\n";
    fs::write(installation.path("users/assign"), assign).expect("assignments");
    for (setting, value) in [("rcptcheck", "1\n"), ("concurrencyremote", "0\n")] {
        fs::write(installation.path("control").join(setting), value).expect("a setting");
    }
    assert_eq!(Call::path(&installation.path("bin/qmail-newu")).run().code, 0);
    let mut running = Running::start(start.stdin(Stdio::null()).stdout(output).arg("./Mailbox"));
    let read = || fs::read_to_string(&log).unwrap_or_default();
    wait_until("qmail-send is ready", || read().contains("status: "));
    let upper = name.to_ascii_uppercase();
    let mut wrong = Vec::new();
    for (local, expected) in [
        (name.clone(), "deliver: mbox ./Mailbox"),
        (upper, "deliver: mbox ./Mailbox"),
        (format!("{name}-one"), "deliver: run true"),
        (format!("{name}-none"), "bounce: Sorry, no mailbox"),
        (format!("{name}-list-a.b"), "deliver: to nobody"),
        (format!("{name}-list"), "bounce: Sorry, no mailbox"),
        ("qmaild".to_owned(), "bounce: Sorry, no mailbox"),
        ("daemon-x".to_owned(), "bounce: Sorry, no mailbox"),
        ("root".to_owned(), "deliver: mbox ./Mailbox"),
        ("root-x".to_owned(), "bounce: Sorry, no mailbox"),
        ("alias".to_owned(), "deliver: mbox ./Mailbox"),
        ("super".to_owned(), "defer: Not allowed to perform deliveries as root."),
        ("team-x".to_owned(), "defer: Not allowed to perform deliveries as root."),
        ("x".repeat(40), "bounce: Sorry, no mailbox"),
    ] {
        let address = format!("{local}@{HOST}");
        let said = forecast(&Call::path(&installation.path("bin/qmail-explain")).arg(&address).run());
        let smtpd = Call::path(&installation.path("bin/qmail-smtpd")).env_clear();
        let reply = rcpt(installation.as_account("qmaild", smtpd), &address);
        let before = read().len();
        let inject =
            Call::path(&installation.path("bin/qmail-inject")).args(["-a", "-fs@far.example", &address]);
        assert_eq!(inject.input("Subject: t\n\nx\n").run().code, 0);
        let mut verdict = None;
        wait_until("a report", || {
            let log = read();
            let lines = log.get(before..).unwrap_or_default();
            let started = lines.lines().find(|line| line.ends_with(&format!(" to local {address}")));
            let number = started.and_then(|line| line.split([' ', ':']).nth(2));
            let report = number.map(|number| format!("delivery {number}: "));
            let is_its =
                |line: &&str| report.as_ref().is_some_and(|report| line.starts_with(report.as_str()));
            verdict = lines.lines().find(is_its).and_then(report_line);
            verdict.is_some()
        });
        let (verdict, text) = verdict.expect("a report");
        let (kind, reason) = said.result.split_once(": ").expect("a kind and a reason");
        let (wanted, wanted_text) = match kind {
            "deliver" => ("success", counts(&said.result)),
            "bounce" => ("failure", logged(reason)),
            _ => ("deferral", logged(reason)),
        };
        let refused = reply == "550 5.1.1 sorry, no mailbox here by that name";
        let fits = said.result.starts_with(expected) && verdict == wanted && text.starts_with(&wanted_text);
        if !fits || refused != (kind == "bounce") || !(refused || reply == "250 ok") {
            wrong.push(format!("{address}: {said:?}\n  delivery: {verdict} {text}\n  RCPT: {reply}"));
        }
    }
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait(), 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// L1: root looks at nothing below a user's directory.
#[test]
fn l1_root_opens_nothing_below_a_home_to_explain_an_address() {
    let Some(installation) = Installation::new() else { return };
    if harness::installed("strace").is_none() {
        return skipped("strace is not installed");
    }
    let joe = OrdinaryUser::new("suite-test-bob", installation.beside(""));
    let trace = installation.beside("trace");
    let call = Call::path(Path::new("strace")).args(["-f", "-o"]).arg(&trace);
    let call = call.arg(installation.path("bin/qmail-explain")).arg(format!("{}-x@{HOST}", joe.account.name));
    let outcome = call.run();
    if outcome.out.is_empty() {
        return skipped(&format!("strace does not run here: {}", outcome.err_text()));
    }
    assert_eq!(forecast(&outcome).code, 100);
    let mut become_user = std::collections::BTreeSet::new();
    let home = format!("\"{}", joe.home.display());
    let mut looked = 0;
    for line in fs::read_to_string(&trace).expect("the trace").lines() {
        let (pid, call) = line.split_once(' ').expect("a process and a call");
        if call.trim_start().starts_with("setuid(") {
            become_user.insert(pid.to_owned());
        }
        if call.contains(&home) {
            looked += 1;
            assert!(become_user.contains(pid), "root: {line}");
        }
    }
    assert!(looked > 0);
}
