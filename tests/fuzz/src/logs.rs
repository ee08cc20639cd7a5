//! Scripts and lines of multilog.

use cyclog::multilog::pattern::Pattern;
use cyclog::multilog::script::Script;

/// A script, one argument a line, and its patterns on the lines themselves.
pub fn multilog_script(bytes: &[u8]) {
    let arguments: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let script = Script::parse(&arguments);
    assert!(script.actions.len() <= arguments.len());
    for text in &arguments {
        let pattern = Pattern::new(text);
        assert!(pattern.matches(text) || text.contains(&b'*') || text.contains(&b'+'));
    }
}
