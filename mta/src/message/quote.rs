//! Addresses as they are written in headers and SMTP commands: the local part quoted where it has to be.

/// Bytes that a local part may hold without quotes: RFC 5322 `atext`, the dot, and `/` and `=` among it.
fn is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-./=?^_`{|}~".contains(&byte)
}

/// Quotes the local part of `local@domain` if it needs it. What follows the last `@` is copied.
///
/// An empty address stays empty. Without an `@` the whole is a local part.
pub fn address(address: &[u8]) -> Vec<u8> {
    if address.is_empty() {
        return Vec::new();
    }
    match address.iter().rposition(|byte| *byte == b'@').and_then(|at| address.split_at_checked(at)) {
        Some((local, at_domain)) => [local_part(local), at_domain.to_vec()].concat(),
        None => local_part(address),
    }
}

/// Quotes a local part if it is empty, holds an unsafe byte, or has a dot where none may stand.
pub fn local_part(local: &[u8]) -> Vec<u8> {
    if !needs_quotes(local) {
        return local.to_vec();
    }
    let mut quoted = vec![b'"'];
    for byte in local {
        if matches!(byte, b'\r' | b'\n' | b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

/// Whether a local part has to be quoted.
pub fn needs_quotes(local: &[u8]) -> bool {
    local.is_empty()
        || !local.iter().copied().all(is_safe)
        || local.first() == Some(&b'.')
        || local.last() == Some(&b'.')
        || local.windows(2).any(|pair| pair == b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_are_left_alone() {
        for plain in ["joe@x.example", "a+b=c@d", "joe", "", "a.b@[]"] {
            assert_eq!(address(plain.as_bytes()), plain.as_bytes());
        }
    }

    #[test]
    fn local_parts_with_anything_odd_are_quoted() {
        let cases: [(&[u8], &[u8]); 7] = [
            (b"a b@c", b"\"a b\"@c"),
            (b"@c", b"\"\"@c"),
            (b".a@c", b"\".a\"@c"),
            (b"a..b@c", b"\"a..b\"@c"),
            (b"a\"\\@c", b"\"a\\\"\\\\\"@c"),
            (b"a@b@c", b"\"a@b\"@c"),
            (b"\xe9@c", b"\"\xe9\"@c"),
        ];
        for (plain, quoted) in cases {
            assert_eq!(address(plain), quoted);
        }
    }
}
