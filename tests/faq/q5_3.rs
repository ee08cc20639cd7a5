//! 5.3: qmail-pop3d serves maildirs, behind qmail-popup and checkpassword, under inetd or tcpserver. Users get their mail with the
//! passwords that they have on the system.

use crate::site::Site;
use harness::{HOST, OrdinaryUser, free_port, messages, skipped, wait_until};
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// `two words`.
const HASH: &str =
    "$6$salt$lULpcGB/Tk.lmGvidlHLAk3npmHK9nWte1pWipipLZakSBRcVSb8/XqfplNIbbo15HTzul0A2ItxiwMmt8tcD.";

/// Sets up maildir delivery for a user, the fourth step, and sends the user a message.
fn receives_mail(site: &Site, name: &str) -> OrdinaryUser {
    let user = site.user(name);
    user.set_hash(HASH);
    let home = user.home.display();
    site.types(&format!("cd {home} && setuidgid {name} maildirmake Maildir && echo ./Maildir/ > .qmail"));
    site.boots();
    site.sends("s@src.example", name, "for pop");
    site.delivers_all();
    // A message of the same second is shown the next time.
    std::thread::sleep(Duration::from_millis(1100));
    user
}

/// fetchmail, as the user: 0 if there was mail, 1 if there was none, 3 if the login was refused; and what was fetched.
fn fetches(user: &OrdinaryUser, port: u16, password: &str) -> Option<(i32, String)> {
    let Some(fetchmail) = harness::installed("fetchmail") else {
        skipped("fetchmail is not installed");
        return None;
    };
    let name = &user.account.name;
    let got = user.home.join("got");
    let rc = format!(
        "poll 127.0.0.1 protocol pop3 port {port} username {name} password \"{password}\" sslproto '' \
         mda \"/bin/cat >>{}\" norewrite nokeep fetchall\n",
        got.display()
    );
    user.write(".fetchmailrc", rc);
    let path = user.home.join(".fetchmailrc");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    let outcome =
        user.call(&fetchmail).env("HOME", &user.home).args(["-v", "--nosyslog", "-f"]).arg(path).run();
    Some((outcome.code, fs::read_to_string(got).unwrap_or_else(|_| outcome.out_text() + &outcome.err_text())))
}

/// Two readers that leave the message there, each with a maildir of its own: what is in it afterwards.
fn looks(user: &OrdinaryUser, port: u16, reader: &str) -> Option<Vec<String>> {
    let Some(program) = harness::installed(reader) else {
        skipped(&format!("{reader} is not installed"));
        return None;
    };
    let maildir = user.home.join(format!("{reader}.maildir"));
    for part in ["", "tmp", "new", "cur"] {
        fs::create_dir(maildir.join(part)).expect("a maildir");
        user.owns(&maildir.join(part));
    }
    let (name, path) = (&user.account.name, maildir.display());
    let rc = match reader {
        "mpop" => format!(
            "account default\nhost 127.0.0.1\nport {port}\ntls off\nauth user\nuser {name}\npassword \"two words\"\n\
             keep on\ndelivery maildir {path}\nreceived_header off\nuidls_file {path}/uidls\n"
        ),
        _ => format!(
            "[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {port}\nusername = {name}\n\
             password = two words\n[destination]\ntype = Maildir\npath = {path}/\n\
             [options]\ndelete = false\ndelivered_to = false\nreceived = false\n"
        ),
    };
    user.write("rc", rc);
    fs::set_permissions(user.home.join("rc"), fs::Permissions::from_mode(0o600)).expect("its mode");
    let call = user.call(&program).env("HOME", &user.home).within(&user.home);
    let call = if reader == "mpop" {
        call.args(["-C", "rc"])
    } else {
        call.args(["--getmaildir", ".", "--rcfile", "rc"])
    };
    let outcome = call.run();
    assert_eq!(outcome.code, 0, "{reader}: {}{}", outcome.out_text(), outcome.err_text());
    Some(messages(&maildir))
}

fn serves(user: &OrdinaryUser, port: u16) {
    for reader in ["mpop", "getmail"] {
        let Some(found) = looks(user, port, reader) else { continue };
        assert_eq!(found.len(), 1, "{reader}");
        assert!(found[0].contains("\nSubject: for pop\n"), "{reader}: {}", found[0]);
    }
    let Some((code, text)) = fetches(user, port, "wrong") else { return };
    assert_eq!(code, 3, "{text}");
    let (code, text) = fetches(user, port, "two words").expect("fetchmail");
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("\nSubject: for pop\n") && text.starts_with("Return-Path: <s@src.example>\n"),
        "{text}"
    );
    // It is gone from the server.
    assert_eq!(fetches(user, port, "two words").expect("fetchmail").0, 1);
}

#[test]
fn inetd_runs_it() {
    let Some(site) = Site::new() else { return };
    if !site.runs_inetd("") {
        return;
    }
    let line = format!(
        "pop3 stream tcp nowait root /var/qmail/bin/qmail-popup qmail-popup {HOST} /usr/local/bin/checkpassword \
         /var/qmail/bin/qmail-pop3d Maildir"
    );
    let port = site.tells_inetd("pop3", &line);
    serves(&receives_mail(&site, "suite-q5-3a"), port);
}

#[test]
fn tcpserver_runs_it() {
    let Some(site) = Site::new() else { return };
    let port = free_port();
    site.types(&format!(
        "tcpserver 0 {port} /var/qmail/bin/qmail-popup {HOST} \\\n\
         /usr/local/bin/checkpassword /var/qmail/bin/qmail-pop3d Maildir >/dev/null 2>&1 &"
    ));
    wait_until("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    serves(&receives_mail(&site, "suite-q5-3b"), port);
}
