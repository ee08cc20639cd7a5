//! `qbiff`.

use harness::Call;
use std::path::Path;

/// What a terminal shows when a message comes for root, who lets messages come there or not.
///
/// In a mount namespace of its own, where `/run` is ours, a list of logins names the terminal.
fn shown_on_terminal(mode: &str, user: &str) -> String {
    let directory = harness::scratch();
    let script = directory.path().join("inner");
    harness::put_program(
        &script,
        "#!/bin/sh\nset -e\npad() { printf '%s' \"$1\"; head -c $(($2 - ${#1})) /dev/zero; }\n\
         tty=$(tty); chmod $MODE $tty\nmount -t tmpfs none /run\n\
         { printf '\\007\\0\\0\\0\\001\\0\\0\\0'; pad ${tty#/dev/} 32; pad x 4; pad root 32; head -c 308 /dev/zero; } >/run/utmp\n\
         [ $(wc -c </run/utmp) = 384 ]\n\
         stty -echo -opost\n\
         printf 'Subject: news\\n\\nbody \\033[2J\\n' | USER=$WHO SENDER=s@x LOCAL=root-ext \"$QBIFF\"\n",
    );
    let output = directory.path().join("typescript");
    let command = format!("unshare -m {}", script.display());
    let outcome = Call::path(Path::new("/usr/bin/script"))
        .args(["-qec", &command])
        .arg(&output)
        .env("MODE", mode)
        .env("WHO", user)
        .env("QBIFF", harness::program("qbiff"))
        .run();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let text = String::from_utf8_lossy(&std::fs::read(output).unwrap()).into_owned();
    // The first line and the last one are script's.
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines[1..lines.len() - 1].concat().trim_end_matches('\n').to_owned()
}

#[test]
fn a_user_is_told_on_his_terminal_if_he_wants_that() {
    let tools = ["script", "unshare"].iter().all(|name| harness::installed(name).is_some());
    let may = harness::is_root() && tools && {
        let call = Call::path(Path::new("/usr/bin/unshare"));
        call.args(["-m", "mount", "-t", "tmpfs", "none", "/run"]).run().code == 0
    };
    if !may {
        return harness::skipped("a list of logins needs root, script and a mount namespace");
    }
    let notice = "\r\n\x07*** TO <root-ext> FROM <s@x>\r\n     news//body /[2J/\r\n";
    assert_eq!(shown_on_terminal("0720", "root").trim_end(), notice.trim_end());
    assert_eq!(shown_on_terminal("0620", "root"), "");
    assert_eq!(shown_on_terminal("0720", "nobody"), "");
}

#[test]
fn mail_is_delivered_whether_somebody_is_told_or_not() {
    for variables in [&[][..], &[("USER", "no-such-user"), ("SENDER", ""), ("LOCAL", "x")]] {
        let mut call = Call::ours("qbiff").env_clear().input("Subject: x\n\n");
        for (name, value) in variables {
            call = call.env(name, value);
        }
        let outcome = call.arg("ignored").run();
        assert_eq!((outcome.code, outcome.out.len(), outcome.err.len()), (0, 0, 0));
    }
}
