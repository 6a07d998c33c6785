//! Writing events.

/// A line that says nothing: sent when there is nothing to say, so that both sides notice a dead
/// connection.
pub const COMMENT: &[u8] = b":\n\n";

/// Writes one event. Line breaks in `data` become several `data:` lines, which the reader joins
/// again; in `event` and `id` they would end the field, so those are cut at the first.
pub fn encode(event: &str, id: Option<&str>, data: &[u8], out: &mut Vec<u8>) {
    let one_line = |text: &str| {
        text.split(['\r', '\n'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(one_line(event).as_bytes());
    out.push(b'\n');
    if let Some(id) = id {
        out.extend_from_slice(b"id: ");
        out.extend_from_slice(one_line(id).as_bytes());
        out.push(b'\n');
    }
    for line in data.split(|b| *b == b'\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        out.push(b'\n');
    }
    out.push(b'\n');
}
