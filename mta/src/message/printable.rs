//! Text for a terminal: whatever is no printable ASCII character could be a command to it, so it is replaced.

/// The text with `substitute` in place of every byte outside 32–126.
pub fn with(substitute: u8, text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if (32..=126).contains(byte) { *byte } else { substitute }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_printable_ascii_is_left() {
        let all: Vec<u8> = (0..=255).collect();
        let text = with(b'?', &all);
        assert!(text.iter().all(|byte| (32..=126).contains(byte)));
        assert_eq!(text.iter().filter(|byte| **byte != b'?').count(), 94);
        assert_eq!(text.len(), 256);
    }
}
