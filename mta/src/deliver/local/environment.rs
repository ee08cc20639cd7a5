//! What programs run from `.qmail` are told, in their environment. qmail-command(8).
//!
//! Values that come from the message's envelope are made harmless for careless shells and scripts: a control
//! byte becomes `_`, and so does the bracket of a value that looks like the definition of a function.

use super::delivery::Delivery;
use super::header_lines::HeaderLines;
use unix::environment::Environment;

/// The environment for the programs of one delivery: ours, and what they may want to know.
///
/// DEFAULT stays as it was inherited if no default file controls the address.
pub fn for_programs(
    delivery: &Delivery,
    lines: &HeaderLines,
    new_sender: &[u8],
    default: Option<&[u8]>,
) -> Environment {
    let mut environment = Environment::inherited();
    environment.set("HOME", &delivery.home);
    environment.set("USER", &delivery.user);
    let mut tell = |name: &str, value: &[u8]| environment.set(name, harmless(value));
    tell("SENDER", &delivery.sender);
    tell("NEWSENDER", new_sender);
    tell("RECIPIENT", &delivery.recipient());
    tell("LOCAL", &delivery.local);
    for (name, part) in ["EXT", "EXT2", "EXT3", "EXT4"].iter().zip(after_dashes(&delivery.ext)) {
        tell(name, part);
    }
    for (name, part) in ["HOST", "HOST2", "HOST3", "HOST4"].iter().zip(before_dots(&delivery.domain)) {
        tell(name, part);
    }
    for (name, line) in
        [("DTLINE", &lines.delivered_to), ("RPLINE", &lines.return_path), ("UFLINE", &lines.from)]
    {
        tell(name, line);
    }
    if let Some(default) = default {
        tell("DEFAULT", default);
    }
    environment
}

/// The whole, and what follows the first, second and third dash.
fn after_dashes(ext: &[u8]) -> [&[u8]; 4] {
    let mut parts = [ext; 4];
    let mut rest = ext;
    for part in parts.iter_mut().skip(1) {
        let dash = rest.iter().position(|byte| *byte == b'-');
        rest = dash.and_then(|at| rest.get(at.saturating_add(1)..)).unwrap_or_default();
        *part = rest;
    }
    parts
}

/// The whole, and what precedes the last, second last and third last dot; where there is none, as before.
fn before_dots(domain: &[u8]) -> [&[u8]; 4] {
    let mut parts = [domain; 4];
    let mut rest = domain;
    for part in parts.iter_mut().skip(1) {
        let dot = rest.iter().rposition(|byte| *byte == b'.');
        rest = dot.and_then(|at| rest.get(..at)).unwrap_or(rest);
        *part = rest;
    }
    parts
}

/// Only the line end of a whole line is kept.
fn harmless(value: &[u8]) -> Vec<u8> {
    let (text, end) = value.strip_suffix(b"\n").map_or((value, &b""[..]), |text| (text, b"\n"));
    let mut cleaned: Vec<u8> =
        text.iter().map(|byte| if byte.is_ascii_control() { b'_' } else { *byte }).collect();
    if cleaned.starts_with(b"() {")
        && let Some(bracket) = cleaned.first_mut()
    {
        *bracket = b'_';
    }
    cleaned.extend_from_slice(end);
    cleaned
}

#[cfg(test)]
mod tests {
    use super::super::header_lines::tests::delivery;
    use super::*;

    fn value(environment: &Environment, name: &str) -> String {
        String::from_utf8_lossy(environment.get(name).unwrap_or(b"(unset)")).into_owned()
    }

    fn values(ext: &str, domain: &str, names: [&str; 4]) -> [String; 4] {
        let delivery = delivery(ext, domain, "s@t");
        let environment = for_programs(&delivery, &HeaderLines::new(&delivery, 0), b"n@t", None);
        names.map(|name| value(&environment, name))
    }

    #[test]
    fn parts_of_the_extension_follow_its_dashes() {
        let names = ["EXT", "EXT2", "EXT3", "EXT4"];
        assert_eq!(values("a-b--c-d-e", "h", names), ["a-b--c-d-e", "b--c-d-e", "-c-d-e", "c-d-e"]);
        assert_eq!(values("a", "h", names), ["a", "", "", ""]);
    }

    #[test]
    fn parts_of_the_host_precede_its_dots_and_repeat_when_there_are_none() {
        let names = ["HOST", "HOST2", "HOST3", "HOST4"];
        assert_eq!(values("a", "w.x.y.z.example", names), ["w.x.y.z.example", "w.x.y.z", "w.x.y", "w.x"]);
        assert_eq!(values("a", "abc", names), ["abc"; 4]);
    }

    /// L5
    #[test]
    fn l5_a_value_from_the_envelope_is_neither_a_function_nor_a_second_line() {
        let delivery = delivery("x\ny", "h", "() { :;}; reboot\x1b\n");
        let lines = HeaderLines::new(&delivery, 0);
        let environment = for_programs(&delivery, &lines, b"() {\r", Some(b"x\n\ny"));
        assert_eq!(value(&environment, "SENDER"), "_) { :;}; reboot_\n");
        assert_eq!(value(&environment, "NEWSENDER"), "_) {_");
        assert_eq!(value(&environment, "EXT"), "x_y");
        assert_eq!(value(&environment, "DEFAULT"), "x__y");
        assert_eq!(value(&environment, "DTLINE"), "Delivered-To: joe-x_y@h\n");
    }
}
