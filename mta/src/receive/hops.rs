//! Hops: how many mail servers a message has passed through, as its header says.

/// Header lines of passing through a mail server, from which on a message counts as looping.
pub const TOO_MANY_HOPS: u32 = 100;

/// Counts lines of the header that begin with `received` or `delivered`, in either case of letters.
#[derive(Debug)]
pub struct HopCounter {
    count: u32,
    in_header: bool,
    /// The beginning of the line, lower case: as much of it as the longer word has.
    line: Vec<u8>,
    line_is_counted: bool,
}

const RECEIVED: &[u8] = b"received";
const DELIVERED: &[u8] = b"delivered";

impl Default for HopCounter {
    fn default() -> HopCounter {
        let line = Vec::with_capacity(DELIVERED.len());
        HopCounter { count: 0, in_header: true, line, line_is_counted: false }
    }
}

impl HopCounter {
    /// Takes bytes of the message, its lines ending in LF.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if !self.in_header {
                return;
            }
            if *byte == b'\n' {
                self.in_header = !self.line.is_empty();
                self.line.clear();
                self.line_is_counted = false;
            } else if self.line.len() < DELIVERED.len() {
                self.line.push(byte.to_ascii_lowercase());
                self.look();
            }
        }
    }

    /// Whether the message counts as looping.
    pub fn is_looping(&self) -> bool {
        self.count >= TOO_MANY_HOPS
    }

    fn look(&mut self) {
        if !self.line_is_counted && (self.line == RECEIVED || self.line == DELIVERED) {
            self.line_is_counted = true;
            self.count = self.count.saturating_add(1);
        }
    }
}
