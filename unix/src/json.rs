//! Strings of JSON (RFC 8259 §7). The rest of the format is written where the objects are.

use std::fmt::Write;

/// A string with its quotes. What is not UTF-8 is replaced. It is a string of Prometheus' text format as well.
pub fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from('"');
    for letter in String::from_utf8_lossy(bytes).chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            '\n' => text.push_str("\\n"),
            control if control < ' ' => {
                write!(text, "\\u{:04x}", u32::from(control)).expect("a String takes whatever is written");
            }
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

/// An object of members whose values are JSON already.
pub fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_quoted_whatever_it_holds() {
        assert_eq!(quoted(b"a\"b\\c\n\x01\xff"), "\"a\\\"b\\\\c\\n\\u0001\u{fffd}\"");
        assert_eq!(object(&[("a", quoted(b"x")), ("b", 7.to_string())]), r#"{"a":"x","b":7}"#);
    }
}
