//! `dot-forward`, and fastforward with its tools: `setforward`, `printforward`, `newaliases`, `newinclude`,
//! `setmaillist`, `printmaillist`. The reference programs have no control files: every name is `me`.

use harness::{Call, MailHome, Outcome, UserHome, installed, put_program, scratch, skipped};
use std::fs;
use std::path::{Path, PathBuf};

/// Runs a test on the reference program, if that is installed, and on ours.
fn both(name: &str, test: impl Fn(&Path, bool)) {
    let reference = if name == "newaliases" { "qmail-newaliases" } else { name };
    match installed(reference) {
        Some(path) if Path::new("/var/lib/qmail").is_dir() => test(&path, true),
        _ => skipped(&format!("the reference program {reference} is not installed")),
    }
    let home = MailHome::new([]);
    test(&home.program(name), false);
}

fn said(outcome: &Outcome) -> (i32, String) {
    (outcome.code, outcome.err_text())
}

fn dot_forward(program: &Path, text: &str) -> (i32, String) {
    let directory = scratch();
    fs::write(directory.path().join("f"), text).unwrap();
    let call = Call::path(program).args(["-n", "missing", "f"]).within(directory.path());
    said(&call.env("USER", "joe").env("HOST", "h.x").run())
}

#[test]
fn dot_forward_shows_what_a_file_asks_for_from_right_to_left() {
    both("dot-forward", |program, _| {
        for (text, code, expected) in [
            ("a, b c d\n", 99, "forward d@me.me\nforward c@me.me\nforward b@me.me\nforward a@me.me\n"),
            ("a\nb", 99, "forward a@me.me\nforward b@me.me\n"),
            ("A. B. <c@d> (x), e@f.g\n", 99, "forward e@f.g\nforward c@d.me\n"),
            ("grp: a@b;\n", 99, "forward a@b.me\nforward grp@me.me\n"),
            ("<@r1:u@d.e>, x@y+, z+\n", 99, "forward z+@me.me\nforward x@y.me\nforward @r1:u@d.e\n"),
            ("\"|vac bob\"\n", 99, "pipe through vac bob\n"),
            ("|vac bob\n", 99, "forward bob@me.me\npipe through vac\n"),
            ("Joe, JOE@h.X, \"|x\", a\n", 0, "forward a@me.me\npipe through x\ndirect delivery\n"),
            ("#x\n<>\n", 0, "skipping empty file f\ndirect delivery\n"),
            ("", 0, "skipping empty file f\ndirect delivery\n"),
            ("\"/x\"@y, a)b\n", 99, "forward a)b@me.me\nforward /x@y.me\n"),
            ("a (b\nc\n", 111, "dot-forward: fatal: unable to parse this line: a (b\n\n"),
            ("/x\n", 111, "dot-forward: fatal: file delivery /x not supported\n"),
            (":include:/x\n", 111, "dot-forward: fatal: file delivery /x not supported\n"),
        ] {
            assert_eq!(dot_forward(program, text), (code, expected.to_owned()), "{text:?}");
        }
        let usage = "dot-forward: illegal option -- x\ndot-forward: usage: dot-forward [ -nN ] file ...\n";
        assert_eq!(said(&Call::path(program).arg("-x").run()), (100, usage.to_owned()));
        assert_eq!(Call::path(program).run().code, 0);
    });
}

/// A home whose user's dot-forward reads `.forward`.
fn forwarded(text: &str, message: &str) -> (Outcome, UserHome) {
    let home = UserHome::new();
    home.file(".forward", text, 0o644);
    let call = home.call("dot-forward", message).arg(".forward").within(home.path());
    let variables =
        [("USER", "joe"), ("HOST", "h"), ("NEWSENDER", "n@s"), ("DTLINE", "Delivered-To: joe@h\n")];
    let call = variables.iter().fold(call, |call, (name, value)| call.env(name, value));
    let outcome = call.env("UFLINE", "From s date\n").env("RPLINE", "Return-Path: <s>\n").run();
    (outcome, home)
}

#[test]
fn dot_forward_gives_programs_the_lines_of_a_mailbox_and_queues_the_message_once() {
    let text = "\"|cat >>got\"\n\\joe\na@x.y, b@x.y\n\"|cat >>got\"";
    let (outcome, home) = forwarded(text, "Subject: t\n\nbody\n");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.err_text().starts_with("dot-forward: info: qp "), "{outcome:?}");
    let got = "From s date\nReturn-Path: <s>\nDelivered-To: joe@h\nSubject: t\n\nbody\n".repeat(2);
    assert_eq!(fs::read_to_string(home.path().join("got")).unwrap(), got);
    assert_eq!(home.queue().messages(), [b"Delivered-To: joe@h\nSubject: t\n\nbody\n"]);
    assert_eq!(home.queue().envelopes(), [b"Fn@s\0Tb@x.y\0Ta@x.y\0\0"]);
    let (outcome, home) = forwarded("a@x.y\n", "x\n");
    assert_eq!((outcome.code, home.queue().messages().len()), (99, 1));
}

/// The original runs what stands before the mistake, again with each retry.
#[test]
fn a_forward_file_that_cannot_be_understood_does_nothing() {
    let (outcome, home) = forwarded("\"|touch ran\", a@x.y\n(\n", "x\n");
    assert_eq!(outcome.code, 111);
    assert!(!home.path().join("ran").exists() && home.queue().messages().is_empty());
}

#[test]
fn what_a_program_of_a_forward_file_exits_with_decides() {
    for (status, code) in
        [("0", 0), ("100", 100), ("64", 100), ("112", 100), ("99", 111), ("111", 111), ("1", 111)]
    {
        let (outcome, home) = forwarded(&format!("\"|exit {status}\", joe, a@x.y\n"), &"x".repeat(200_000));
        assert_eq!(outcome.code, code, "{status}: {outcome:?}");
        assert_eq!(home.queue().messages().len(), usize::from(code == 0), "{status}");
    }
    let (outcome, _home) = forwarded("\"|kill -9 $$\"\n", "x");
    assert_eq!(outcome.code, 111);
    assert!(outcome.err_text().starts_with("dot-forward: fatal: child crashed"));
}

fn set_forward(program: &Path, directory: &Path, table: &str) -> (i32, String) {
    let call = Call::path(program).args(["t.cdb", "t.tmp"]).within(directory).input(table);
    said(&call.run())
}

#[test]
fn a_table_is_compiled_to_the_same_bytes_and_printed_again() {
    let tables = [
        "",
        "a:b,c;",
        "a b : c # x;\n d,e\\,f\\\n;",
        "A:B,?C,|d,!e,./f,/g,&h,&,,;\nx@y:?o;x@Y:z;\\\u{e9}\\::\\ q\\ ;",
        "a:;b:c;#",
    ];
    let made = |program: &Path, table: &str| {
        let directory = scratch();
        assert_eq!(set_forward(program, directory.path(), table), (0, String::new()), "{table}");
        assert!(!directory.path().join("t.tmp").exists());
        fs::read(directory.path().join("t.cdb")).unwrap()
    };
    let printed = |database: &[u8]| {
        let text = std::cell::RefCell::new(Vec::new());
        both("printforward", |program, _| {
            let outcome = Call::path(program).input(database).run();
            assert_eq!(outcome.code, 0, "{outcome:?}");
            text.borrow_mut().push(outcome.out);
        });
        text.into_inner()
    };
    for table in tables {
        let all = std::cell::RefCell::new(Vec::new());
        both("setforward", |program, _| all.borrow_mut().push(made(program, table)));
        let mut all = all.into_inner();
        all.dedup();
        assert_eq!(all.len(), 1, "{table}");
        let mut texts = printed(&all[0]);
        texts.dedup();
        assert_eq!(texts.len(), 1, "{table}");
        let again = made(&harness::program("setforward"), std::str::from_utf8(&texts[0]).unwrap_or("a:;"));
        assert!(again == all[0] || texts[0].contains(&0xc3), "{table}");
    }
}

#[test]
fn what_is_wrong_with_a_table_is_said_and_the_old_one_stays() {
    let long = format!("a:{};", "x".repeat(801));
    both("setforward", |program, _| {
        let directory = scratch();
        assert_eq!(set_forward(program, directory.path(), "a:b;").0, 0);
        let before = fs::read(directory.path().join("t.cdb")).unwrap();
        for (table, text) in [
            ("a: b", "final instruction must end with semicolon"),
            ("a:\\;", "final instruction must end with semicolon"),
            ("a::b;", "double colons are not permitted"),
            ("a,b:c;", "commas are not permitted before colons"),
            (";", "commas are not permitted before colons"),
            ("a:b\\\0;", "NUL bytes are not permitted"),
            (&long, "addresses over 800 bytes are not permitted"),
        ] {
            let expected = (100, format!("setforward: fatal: {text}\n"));
            assert_eq!(set_forward(program, directory.path(), table), expected, "{table:?}");
        }
        assert_eq!(fs::read(directory.path().join("t.cdb")).unwrap(), before);
        let usage = "setforward: usage: setforward data.cdb data.tmp\n";
        assert_eq!(said(&Call::path(program).arg("x").run()), (100, usage.to_owned()));
    });
}

#[test]
fn what_is_no_database_is_not_printed() {
    both("printforward", |program, is_reference| {
        let database = {
            let directory = scratch();
            set_forward(&harness::program("setforward"), directory.path(), "a:b;c:d;");
            fs::read(directory.path().join("t.cdb")).unwrap()
        };
        let name = if is_reference { "printmaillist" } else { "printforward" };
        let bad = (100, format!("{name}: fatal: bad database format\n"));
        for bytes in [&b""[..], &database[..100], &database[..2060]] {
            assert_eq!(said(&Call::path(program).input(bytes).run()), bad);
        }
        assert_eq!(said(&Call::path(program).input([0; 2100]).run()), (0, String::new()));
    });
}

/// What fastforward -n says about an address.
fn fast(program: &Path, directory: &Path, options: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let mut call = Call::path(program).env_clear().arg("-n").args(options).arg("t.cdb").within(directory);
    for (name, value) in variables {
        call = call.env(name, value);
    }
    said(&call.run())
}

#[test]
fn fastforward_shows_where_a_message_would_go() {
    let table = "root@yp.to: god, staff; staff: joe, bob, root; list: a, ./inc, |x\\ y, !z; list: ?owner-list;\n\
                 @host: h; user@: u; top: list, solo; solo: root@yp.to;";
    both("fastforward", |program, _| {
        let directory = scratch();
        set_forward(&harness::program("setforward"), directory.path(), table);
        fs::write(directory.path().join("inc"), "&i1\0&solo\0./inc\0").unwrap();
        let to = |recipient: &str, options: &[&str]| {
            fast(program, directory.path(), options, &[("RECIPIENT", recipient), ("SENDER", "s@x")])
        };
        let sorry = "Sorry, no mailbox here by that name. (#5.1.1)\n";
        for (recipient, options, code, expected) in [
            ("root@yp.to", &[][..], 0, "from <s@x>\nto <god>\nto <joe>\nto <bob>\nto <root>\n"),
            ("ROOT@yp.to", &["-p"], 99, "from <s@x>\nto <god>\nto <joe>\nto <bob>\nto <root>\n"),
            ("a@host", &[], 0, "from <s@x>\nto <h>\n"),
            ("user@other", &[], 0, "from <s@x>\nto <u>\n"),
            ("user", &[], 100, sorry),
            ("nobody@yp.to", &[], 100, sorry),
            ("nobody@yp.to", &["-p"], 0, ""),
            ("nobody@yp.to", &["-pP"], 100, sorry),
            (
                "list",
                &[],
                0,
                "run |x y\nrun !z\nfrom <owner-list>\nto <a>\nto <i1>\nto <god>\nto <joe>\nto <bob>\nto <root>\n",
            ),
            ("top", &[], 0, "from <s@x>\nto <list>\nto <god>\nto <joe>\nto <bob>\nto <root>\n"),
        ] {
            assert_eq!(to(recipient, options), (code, expected.to_owned()), "{recipient} {options:?}");
        }
        let with = |variables: &[(&str, &str)]| fast(program, directory.path(), &["-d"], variables);
        let found = (0, "from <original envelope sender>\nto <h>\n".to_owned());
        assert_eq!(with(&[("DEFAULT", "x"), ("EXT", "no"), ("HOST", "host")]), found);
        assert_eq!(with(&[("EXT", "x"), ("HOST", "host"), ("RECIPIENT", "no")]), found);
        let fatal = |text: &str| (100, format!("fastforward: fatal: {text}\n"));
        assert_eq!(with(&[("HOST", "h")]), fatal("$DEFAULT or $EXT must be set"));
        assert_eq!(with(&[("EXT", "h")]), fatal("$HOST must be set"));
        assert_eq!(fast(program, directory.path(), &[], &[]), fatal("$RECIPIENT must be set"));
    });
}

#[test]
fn a_list_that_not_everybody_may_read_is_not_followed() {
    both("fastforward", |program, _| {
        let directory = scratch();
        set_forward(&harness::program("setforward"), directory.path(), "a: ./l; b: ./none;");
        let list = directory.path().join("l");
        fs::write(&list, "&x\0").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
        fs::set_permissions(&list, mode).unwrap();
        let to = |recipient: &str| {
            fast(program, directory.path(), &[], &[("RECIPIENT", recipient), ("SENDER", "s")])
        };
        assert_eq!(to("a"), (111, "fastforward: fatal: ./l is not world-readable\n".to_owned()));
        let missing = "fastforward: fatal: unable to read ./none: file does not exist\n";
        assert_eq!(to("b"), (111, missing.to_owned()));
    });
}

/// fastforward as alias runs it, on a table in his home.
fn fastforwarded(table: &str, recipient: &str, options: &[&str]) -> (Outcome, UserHome) {
    let home = UserHome::new();
    let compiled = scratch();
    assert_eq!(set_forward(&harness::program("setforward"), compiled.path(), table).0, 0);
    home.file("t.cdb", fs::read(compiled.path().join("t.cdb")).unwrap(), 0o644);
    home.mail().program("preline");
    let call =
        home.call("fastforward", "Subject: t\n\nbody\n").args(options).arg("t.cdb").within(home.path());
    let variables = [("RECIPIENT", recipient), ("SENDER", "s@x"), ("DTLINE", "Delivered-To: d\n")];
    let call = variables.iter().fold(call, |call, (name, value)| call.env(name, value));
    (call.env("UFLINE", "From s date\n").env("RPLINE", "Return-Path: <s>\n").run(), home)
}

#[test]
fn fastforward_runs_programs_and_queues_the_message() {
    let table = "a: |cat\\ >>got, !cat\\ >>got, b@x, c@x; a: ?own@x;";
    let (outcome, home) = fastforwarded(table, "a", &["-p"]);
    assert_eq!(outcome.code, 99, "{outcome:?}");
    assert!(outcome.err_text().starts_with("fastforward: qp "));
    let message = "Subject: t\n\nbody\n";
    let expected = format!("{message}From s date\nReturn-Path: <s>\nDelivered-To: d\n{message}");
    assert_eq!(fs::read_to_string(home.path().join("got")).unwrap(), expected);
    assert_eq!(home.queue().messages(), [format!("Delivered-To: d\n{message}").into_bytes()]);
    assert_eq!(home.queue().envelopes(), [b"Fown@x\0Tb@x\0Tc@x\0\0"]);
}

#[test]
fn a_program_of_a_table_that_fails_forwards_nothing() {
    for (command, code) in
        [("exit\\ 1", 111), ("exit\\ 100", 100), ("kill\\ -9\\ $$", 111), ("exit\\ 99", 111)]
    {
        let (outcome, home) = fastforwarded(&format!("a: |{command}, b;"), "a", &[]);
        assert_eq!((outcome.code, home.queue().messages().len()), (code, 0), "{command}");
    }
    let (outcome, _home) = fastforwarded("a: |true;", "a", &[]);
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
}

/// The original runs them twice.
#[test]
fn the_programs_of_an_alias_that_names_itself_run_once() {
    let (outcome, home) = fastforwarded("a: |echo\\ x>>got, a, b;", "a", &[]);
    assert_eq!((outcome.code, home.queue().envelopes().len()), (0, 1));
    assert_eq!(fs::read_to_string(home.path().join("got")).unwrap(), "x\n");
}

/// M5
#[test]
fn m5_a_damaged_table_or_list_is_tried_again_later_and_loses_nobody() {
    let directory = scratch();
    set_forward(&harness::program("setforward"), directory.path(), "a: b, ./l;");
    let database = fs::read(directory.path().join("t.cdb")).unwrap();
    let program = harness::program("fastforward");
    let variables = [("RECIPIENT", "a"), ("SENDER", "s")];
    let look = || fast(&program, directory.path(), &[], &variables);
    for list in [&b"text\n"[..], b"&x", b"|x\0", b"&a\0\0"] {
        fs::write(directory.path().join("l"), list).unwrap();
        assert_eq!(look(), (111, "fastforward: fatal: bad instructions in ./l\n".to_owned()));
    }
    fs::write(directory.path().join("l"), "&x\0").unwrap();
    assert_eq!(look().0, 0);
    for length in (0..database.len()).step_by(97) {
        fs::write(directory.path().join("t.cdb"), &database[..length]).unwrap();
        assert_eq!(look().0, 111, "{length}");
    }
}

#[test]
fn a_list_is_compiled_line_by_line() {
    both("newinclude", |program, is_reference| {
        // The original does not know that lists are used in their compiled form.
        let bin = if is_reference { "" } else { ".bin" };
        let made = |text: &str| {
            let directory = scratch();
            fs::write(directory.path().join("l"), text).unwrap();
            let outcome = Call::path(program).arg("l").within(directory.path()).run();
            let list = fs::read(directory.path().join("l.bin")).unwrap_or_default();
            (outcome.code, outcome.err_text() + &String::from_utf8_lossy(&list).replace('\0', "|"))
        };
        for (text, expected) in [
            ("a, b\n#c\n:include:/x/y\n", format!("&b@me.me|&a@me.me|/x/y{bin}|")),
            (": include : x.y, D <e@f>", format!("&e@f.me|./x.y{bin}|")),
            ("c :include:\"a b\"\n:Include:x\n", format!("./a b{bin}|&c@me.me|&x@me.me|&Include@me.me|")),
            (":include:x.bin\n<>\n\n", "./x.bin|".to_owned()),
        ] {
            assert_eq!(made(text), (0, expected), "{text:?}");
        }
        for (text, expected) in [
            (":include:\n", "empty :include: filenames not permitted"),
            ("\"|x\"\n", "program delivery |x not supported"),
            ("/x\n", "file delivery /x not supported"),
        ] {
            assert_eq!(made(text), (111, format!("newinclude: fatal: {expected}\n")), "{text:?}");
        }
        assert_eq!(made("a\n(x\n").0, 111);
        let usage = (100, "newinclude: usage: newinclude list\n".to_owned());
        assert_eq!(said(&Call::path(program).run()), usage);
    });
}

#[test]
fn variables_take_the_place_of_the_control_files_of_a_list() {
    both("newinclude", |program, _| {
        let directory = scratch();
        fs::write(directory.path().join("l"), "a, b@c, d@e+\n").unwrap();
        let call = Call::path(program).arg("l").within(directory.path()).env("QMAILDEFAULTHOST", "h");
        let call = call.env("QMAILDEFAULTDOMAIN", "d.x").env("QMAILPLUSDOMAIN", "p.x");
        assert_eq!(call.run().code, 0);
        let list = fs::read(directory.path().join("l.bin")).unwrap();
        assert_eq!(list, b"&d@e.p.x\0&b@c.d.x\0&a@h.d.x\0");
    });
}

#[test]
fn a_list_of_entries_is_made_and_printed_as_it_is() {
    let list = b"&god@x.y\0&a@b\0./inc\0/abs\0& lead\0&|x\0&?y\0";
    both("setmaillist", |program, _| {
        let directory = scratch();
        let call = Call::path(program).args(["l.bin", "l.tmp"]).within(directory.path());
        let text = "god@x.y\n# no\n\n&a@b \t\n./inc\n/abs\n lead\n|x\n?y";
        assert_eq!(call.input(text).run().code, 0);
        assert_eq!(fs::read(directory.path().join("l.bin")).unwrap(), list);
        for (text, expected) in
            [("a\0b\n".to_owned(), "NUL in input"), ("x".repeat(801), "addresses must be under 800 bytes")]
        {
            let call = Call::path(program).args(["l.bin", "l.tmp"]).within(directory.path()).input(&text);
            assert_eq!(said(&call.run()), (111, format!("setmaillist: fatal: {expected}\n")));
        }
        assert_eq!(fs::read(directory.path().join("l.bin")).unwrap(), list);
    });
    both("printmaillist", |program, _| {
        let outcome = Call::path(program).input(list).run();
        let text = "&god@x.y\n&a@b\n./inc\n/abs\n& lead\n&|x\n&?y\n";
        assert_eq!((outcome.code, outcome.out_text().as_str()), (0, text));
        for bad in [&b"&a\0&b"[..], b"&a\nb\0", b"x\0", b"\0"] {
            let outcome = Call::path(program).input(bad).run();
            let text = "printmaillist: fatal: bad mailing list format\n";
            assert_eq!((outcome.code, outcome.err_text().as_str()), (100, text), "{bad:?}");
        }
    });
}

/// Runs newaliases where `/etc` is a directory of the test's: status, errors, files left, and the table.
fn new_aliases(program: &Path, text: &str) -> (i32, String, Vec<String>, String) {
    let etc = scratch();
    fs::write(etc.path().join("aliases"), text).unwrap();
    let line = "mount --bind \"$0\" /etc && exec \"$1\"";
    let call = Call::path(Path::new("/usr/bin/unshare")).args(["-m", "sh", "-c", line]);
    let outcome = call.arg(etc.path()).arg(program).run();
    let mut files: Vec<String> = fs::read_dir(etc.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let database: PathBuf = etc.path().join("aliases.cdb");
    let table = fs::read(&database).map(|bytes| Call::ours("printforward").input(bytes).run().out_text());
    (outcome.code, outcome.err_text(), files, table.unwrap_or_default())
}

fn may_move_etc() -> bool {
    let place = scratch();
    let line = "mount --bind \"$0\" /etc";
    let may = harness::is_root()
        && installed("unshare").is_some_and(|unshare| {
            Call::path(&unshare).args(["-m", "sh", "-c", line]).arg(place.path()).run().code == 0
        });
    if !may {
        skipped("an /etc for newaliases needs root and a mount namespace");
    }
    may
}

#[test]
fn aliases_are_compiled() {
    if !may_move_etc() {
        return;
    }
    both("newaliases", |program, _| {
        for (text, expected) in [
            ("a: b, c\n", "a@:\n, &c@me.me\n, &b@me.me\n;\n"),
            ("a b c\n", "a@:\n, &c@me.me\n, &b@me.me\n;\n"),
            ("A@B: <c@d.e>, F <g>\n", "a@b:\n, &g@me.me\n, &c@d.e\n;\n"),
            (
                "a: \"|x y\", :include:/l/m.x\n\n   b+, d@e+\n",
                "a@:\n, &d@e.me\n, /l/m.x.bin\n, !x\\ y\n, &b+@me.me\n;\n",
            ),
            ("a: : include : l\n", "a@:\n, ./l.bin\n;\n"),
            (
                "@h: x\n(t)@v.d: y\n\"a b\": c\n",
                "@h:\n, &x@me.me\n;\n@v.d:\n, &y@me.me\n;\na\\ b@:\n, &c@me.me\n;\n",
            ),
            (
                "owner-l: boss\nowner-m@d: x\n",
                "l@: ?owner-l@me.me;\nowner-l@:\n, &boss@me.me\n;\nm@d: ?owner-m@d.me;\nowner-m@d:\n, &x@me.me\n;\n",
            ),
            ("a: b\n#c\n d\n\te: f\n", "a@:\n, &b@me.me\n;\n"),
            (" lead: x\n\n more\n", "lead@:\n, &more@me.me\n, &x@me.me\n;\n"),
            ("", ""),
        ] {
            let (code, err, files, table) = new_aliases(program, text);
            assert_eq!((code, err.as_str(), table.as_str()), (0, "", expected), "{text}");
            assert_eq!(files, ["aliases", "aliases.cdb"]);
        }
    });
}

#[test]
fn aliases_that_cannot_be_compiled_leave_the_old_ones() {
    if !may_move_etc() {
        return;
    }
    both("newaliases", |program, is_reference| {
        for (text, expected) in [
            ("a: /file\n", "file delivery /file not supported"),
            ("a: :include:\n", "empty :include: filenames not permitted"),
            ("a: \"\"\n", "empty recipient addresses not permitted"),
        ] {
            let (code, err, files, _) = new_aliases(program, text);
            assert_eq!((code, err), (111, format!("newaliases: fatal: {expected}\n")), "{text}");
            // The original leaves its temporary file.
            assert!(is_reference || files == ["aliases"], "{files:?}");
        }
        for text in ["a:\n", "a\n", ": b\n", ":include:/x\n", "a: (\n"] {
            let (code, err, _, _) = new_aliases(program, text);
            assert!(
                code == 111 && err.starts_with("newaliases: fatal: unable to parse this line: "),
                "{text}"
            );
        }
    });
}

/// The original drops it without a word.
#[test]
fn a_last_line_without_line_end_counts_with_a_warning() {
    if !may_move_etc() {
        return;
    }
    let home = MailHome::new([("me", &b"m.x\n"[..]), ("defaultdomain", b"d.x\n")]);
    let (code, err, _, table) = new_aliases(&home.program("newaliases"), "a: b,\n c@d");
    assert_eq!(code, 0);
    assert_eq!(err, "newaliases: warning: the last line of /etc/aliases has no line end\n");
    assert_eq!(table, "a@:\n, &c@d.d.x\n, &b@m.x\n;\n");
}

#[test]
fn a_mailing_list_of_aliases_reaches_everybody_on_it() {
    if !may_move_etc() {
        return;
    }
    let home = UserHome::new();
    let aliases = home.mail().program("newaliases");
    let etc = scratch();
    let list = home.path().join("list");
    home.file("list", "x@a.b\n:include:./inner\n", 0o644);
    home.file("inner", "y@a.b\n", 0o644);
    for name in ["list", "inner"] {
        let call = home.mail().call("newinclude").arg(name).within(home.path());
        assert_eq!(call.run().code, 0);
    }
    fs::write(etc.path().join("aliases"), format!("l: :include:{}, z@a.b\n", list.display())).unwrap();
    let line = "mount --bind \"$0\" /etc && exec \"$1\"";
    let call = Call::path(Path::new("/usr/bin/unshare")).args(["-m", "sh", "-c", line]);
    assert_eq!(call.arg(etc.path()).arg(aliases).run().code, 0);
    let call = home.call("fastforward", "body\n").arg(etc.path().join("aliases.cdb")).within(home.path());
    let outcome = call.env("RECIPIENT", "L@m.x").env("SENDER", "s@x").run();
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(home.queue().envelopes(), [b"Fs@x\0Tx@a.b\0Ty@a.b\0Tz@a.b\0\0"]);
}

#[test]
fn preline_is_the_one_of_the_installation() {
    let (outcome, home) = fastforwarded("a: !sh\\ -c\\ true;", "a", &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    put_program(&home.mail().path().join("bin/preline"), "#!/bin/sh\nexit 100\n");
    let call = home.call("fastforward", "x\n").arg("t.cdb").within(home.path());
    assert_eq!(call.env("RECIPIENT", "a").env("SENDER", "s").run().code, 100);
}
