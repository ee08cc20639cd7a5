//! Measured cases of the reference implementation, and the comparison with what ours did.
//!
//! Each file in `tests/fixtures` holds cases for one program. Strings map one byte to one character
//! (Latin-1). What varies from run to run stands as `{DATE}` and the like; see [`matches`].

use harness::{FakeQueue, MailHome, Outcome, settles};
use serde_json::Value;

/// The cases of one program.
pub struct Fixtures {
    value: Value,
}

/// One case: what goes in and what is expected.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    value: &'a Value,
}

impl Fixtures {
    /// Reads `tests/fixtures/NAME.json`.
    pub fn load(name: &str) -> Fixtures {
        let path = harness::source_tree().join("tests/fixtures").join(format!("{name}.json"));
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Fixtures { value: serde_json::from_slice(&text).expect("fixtures are JSON") }
    }

    /// The control files of all cases.
    pub fn control(&self) -> Vec<(&str, Vec<u8>)> {
        let files = self.value["control"].as_object().expect("a table of control files");
        files.iter().map(|(name, text)| (name.as_str(), latin1(text))).collect()
    }

    /// The cases, in order.
    pub fn cases(&self) -> Vec<Case<'_>> {
        self.value["cases"].as_array().expect("a list of cases").iter().map(|value| Case { value }).collect()
    }
}

impl<'a> Case<'a> {
    /// The case's name.
    pub fn name(self) -> &'a str {
        self.value["name"].as_str().unwrap_or("unnamed")
    }

    /// A field of the input as it stands.
    pub fn field(self, name: &str) -> &'a Value {
        &self.value[name]
    }

    /// A field of the input as bytes.
    pub fn bytes(self, name: &str) -> Vec<u8> {
        latin1(&self.value[name])
    }

    /// A field of the input that is a list, each item as bytes.
    pub fn list(self, name: &str) -> Vec<Vec<u8>> {
        self.value[name].as_array().map(|items| items.iter().map(latin1).collect()).unwrap_or_default()
    }

    /// The variables of the case.
    pub fn environment(self) -> Vec<(&'a str, Vec<u8>)> {
        let variables = self.value["env"].as_object();
        variables
            .map(|table| table.iter().map(|(name, value)| (name.as_str(), latin1(value))).collect())
            .unwrap_or_default()
    }

    /// What is expected of a field, as it stands.
    pub fn expected(self, name: &str) -> &'a Value {
        &self.value["expect"][name]
    }

    /// The exit status that is expected.
    pub fn expected_exit(self) -> i32 {
        let code = self.expected("exit").as_i64().expect("an exit status");
        i32::try_from(code).expect("a small number")
    }

    /// A list of byte strings that is expected, such as the messages or envelopes queued.
    pub fn expected_list(self, name: &str) -> Vec<Vec<u8>> {
        self.expected(name).as_array().map(|items| items.iter().map(latin1).collect()).unwrap_or_default()
    }
}

/// The bytes of a Latin-1 string.
pub fn latin1(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or("");
    text.chars().map(|character| u8::try_from(u32::from(character)).expect("a Latin-1 character")).collect()
}

/// Runs a server with the case's control files, variables and input, and a queue program that keeps what it is given.
pub fn run_server(program: &str, fixtures: &Fixtures, case: Case<'_>) -> (Outcome, FakeQueue, MailHome) {
    let control = fixtures.control();
    let home = MailHome::new(control.iter().map(|(name, text)| (*name, text.as_slice())));
    let queue = home.fake_queue();
    let mut call =
        home.call(program).env_clear().env("PATH", "/usr/bin:/bin").env("QMAILQUEUE", &queue.program);
    for (name, value) in case.environment() {
        call = call.env(name, std::ffi::OsStr::new(std::str::from_utf8(&value).expect("ASCII variables")));
    }
    let outcome = call.input(case.bytes("stdin")).run();
    (outcome, queue, home)
}

/// Whether a server did what is expected: exit status, replies, and what it queued.
pub fn fits(case: Case<'_>, outcome: &Outcome, queue: &FakeQueue) -> bool {
    let same = |wanted: &[Vec<u8>], found: &[Vec<u8>]| {
        wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| matches(wanted, found))
    };
    let envelopes = || queue.envelopes().iter().map(|text| with_sorted_recipients(text)).collect::<Vec<_>>();
    let wanted: Vec<Vec<u8>> =
        case.expected_list("env").iter().map(|text| with_sorted_recipients(text)).collect();
    // The length of a netstring depends on those of the numbers in it.
    let out = case.expected("out").as_str().unwrap_or_default().replace("23:Kok {EPOCH}", "{N}:Kok {EPOCH}");
    outcome.code == case.expected_exit()
        && matches(&latin1(&Value::String(out)), &outcome.out)
        // A message that was broken off is still being stored when the server has ended.
        && settles(|| same(&case.expected_list("msg"), &queue.messages()) && same(&wanted, &envelopes()))
}

/// The bytes that a text in base64 stands for.
pub fn decode_base64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes().filter(|byte| *byte != b'=' && !byte.is_ascii_whitespace()) {
        let value = alphabet.iter().position(|known| *known == letter).expect("a letter of base64");
        bits = (bits << 6) | u32::try_from(value).expect("six bits");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).expect("eight bits"));
        }
    }
    bytes
}

/// Recipients of one envelope may come in any order: the same envelope with them sorted.
pub fn with_sorted_recipients(envelope: &[u8]) -> Vec<u8> {
    let mut records: Vec<&[u8]> = envelope.split_inclusive(|byte| *byte == 0).collect();
    if records.len() > 2 {
        let last = records.len() - usize::from(records.last() == Some(&&b"\0"[..]));
        records[1..last].sort_unstable();
    }
    records.concat()
}

/// Whether `actual` is what the template says, with something fitting in place of each `{NAME}`.
pub fn matches(mut template: &[u8], mut actual: &[u8]) -> bool {
    while let Some((&first, rest)) = template.split_first() {
        if first == b'{'
            && let Some((fits, after)) = placeholder(template)
        {
            let longest = actual.len().min(120);
            return (0..=longest).any(|length| fits(&actual[..length]) && matches(after, &actual[length..]));
        }
        if actual.first() != Some(&first) {
            return false;
        }
        (template, actual) = (rest, &actual[1..]);
    }
    actual.is_empty()
}

type Fits = fn(&[u8]) -> bool;

fn placeholder(template: &[u8]) -> Option<(Fits, &[u8])> {
    let known: [(&[u8], Fits); 11] = [
        (b"{APOP}", |text| {
            text.contains(&b'.') && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        }),
        (b"{DATE}", |text| text.len() > 20 && only(text, b" :+-,")),
        (b"{CTIME}", |text| text.len() == 24 && only(text, b" :")),
        (b"{EPOCH}", digits),
        (b"{PID}", digits),
        (b"{N}", digits),
        (b"{STAMP}", |text| {
            text.len() > 14 && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        }),
        (b"{unique}", |text| !text.is_empty() && !text.contains(&b'/')),
        (b"{home}", path),
        (b"{dir}", path),
        (b"{bin}", path),
    ];
    known.into_iter().find_map(|(name, fits)| template.strip_prefix(name).map(|after| (fits, after)))
}

fn digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn path(text: &[u8]) -> bool {
    text.first() == Some(&b'/')
}

fn only(text: &[u8], others: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || others.contains(byte))
}

#[test]
fn a_template_matches_what_it_describes_and_nothing_else() {
    assert!(matches(b"Date: {DATE}\nx", b"Date: 22 Nov 2026 12:38:10 -0000\nx"));
    assert!(matches(b"{PID}.{EPOCH}", b"12.34"));
    assert!(!matches(b"Date: {DATE}\nx", b"Date: 22 Nov 2026 12:38:10 -0000\ny"));
    assert!(!matches(b"{PID}", b"12a"));
    assert!(!matches(b"a{b}", b"ab"));
}
