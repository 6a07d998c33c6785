//! Where frames begin among a connection's bytes, and whether a SETTINGS was among them (RFC 9113, sections 4.1 and 6.5).
//! Nothing of a frame is looked at but its type: what it says is for the HTTP/2 implementation to read, which does not
//! tell when it has.

/// Length (3 bytes), type, flags, stream (4 bytes).
const HEAD: usize = 9;
const SETTINGS: u8 = 0x4;

/// What was read of a connection.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD],
    /// How much of the head there is.
    filled: usize,
    /// How much of the frame after its head is still to come.
    rest: usize,
    settings: bool,
}

impl Frames {
    /// Takes the next bytes, however they are cut.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.rest == 0 {
                let wanted = (HEAD - self.filled).min(bytes.len());
                self.head[self.filled..self.filled + wanted].copy_from_slice(&bytes[..wanted]);
                self.filled += wanted;
                bytes = &bytes[wanted..];
                if self.filled < HEAD {
                    return;
                }
                let [a, b, c, ..] = self.head;
                self.rest = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.filled = 0;
            }
            let passed = self.rest.min(bytes.len());
            self.rest -= passed;
            bytes = &bytes[passed..];
            let [.., kind, _, _, _, _, _] = self.head;
            self.settings |= self.rest == 0 && kind == SETTINGS;
        }
    }

    /// Whether there was a SETTINGS since this was asked last.
    pub(super) fn take_settings(&mut self) -> bool {
        std::mem::take(&mut self.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, size: usize) -> Vec<u8> {
        let mut frame = vec![0, (size >> 8) as u8, size as u8, kind, 0, 0, 0, 0, 1];
        // What a frame holds may look like another one's head.
        frame.extend(std::iter::repeat_n(SETTINGS, size));
        frame
    }

    #[test]
    fn settings_are_found_however_the_bytes_are_cut() {
        let before = [frame(1, 0), frame(0, 300), frame(1, 9), frame(6, 8)].concat();
        let empty = [before.clone(), frame(SETTINGS, 0)].concat();
        let all = [before.clone(), frame(SETTINGS, 18)].concat();
        for size in 1..=all.len() {
            let read = |bytes: &[u8]| {
                let mut frames = Frames::default();
                bytes.chunks(size).for_each(|part| frames.read(part));
                let found = frames.take_settings();
                assert!(!frames.take_settings());
                found
            };
            assert!(!read(&before), "in pieces of {size}");
            assert!(!read(&all[..all.len() - 1]), "in pieces of {size}");
            assert!(read(&all) && read(&empty), "in pieces of {size}");
        }
    }
}
