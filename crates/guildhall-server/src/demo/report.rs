//! What the demo prints: chapters, what held, and of what did not hold what was expected, what was seen and how to look
//! for oneself.

use std::{fmt::Display, io::Write};

/// Something that has to hold, and what to say if it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Check {
    what: String,
    expected: String,
    seen: String,
    look: String,
}

/// A check that the rest of the story needs did not hold; it is printed already.
#[derive(Debug)]
pub(super) struct Stop;

impl Check {
    /// That `what` holds.
    pub(super) fn that(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }

    /// What should be seen.
    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    /// What was seen.
    pub(super) fn seen(mut self, seen: impl Into<String>) -> Self {
        self.seen = seen.into();
        self
    }

    /// The command that shows it.
    pub(super) fn look(mut self, look: impl Into<String>) -> Self {
        self.look = look.into();
        self
    }
}

/// Prints the story and counts its checks.
pub(super) struct Report {
    out: Box<dyn Write + Send>,
    colours: bool,
    chapters: usize,
    held: usize,
    failed: usize,
}

impl Report {
    /// Prints to `out`, in colour or not.
    pub(super) fn new(out: Box<dyn Write + Send>, colours: bool) -> Self {
        Self {
            out,
            colours,
            chapters: 0,
            held: 0,
            failed: 0,
        }
    }

    /// A new chapter.
    pub(super) fn chapter(&mut self, title: &str) {
        self.chapters += 1;
        let line = format!("{}. {title}", self.chapters);
        let line = self.painted("1", &line);
        self.line(&format!("\n{line}"));
    }

    /// Something worth knowing; each line is indented.
    pub(super) fn note(&mut self, text: impl Display) {
        for line in text.to_string().lines() {
            let line = self.painted("2", line);
            self.line(&format!("    {line}"));
        }
    }

    /// A line as it is.
    pub(super) fn line(&mut self, text: &str) {
        // A reader who has gone away is no reason to leave processes behind: the story goes on unheard.
        let _ = writeln!(self.out, "{}", text.trim_end()).and_then(|()| self.out.flush());
    }

    /// Prints whether a check holds, and counts it.
    pub(super) fn check(&mut self, check: Check, holds: bool) -> bool {
        let Check {
            what,
            expected,
            seen,
            look,
        } = check;
        if holds {
            self.held += 1;
            let mark = self.painted("32", "✓");
            self.line(&format!("  {mark} {what}"));
            return true;
        }
        self.failed += 1;
        let mark = self.painted("31", "✗");
        self.line(&format!("  {mark} {what}"));
        for (word, text) in [("expected", expected), ("seen", seen), ("look", look)] {
            let mut lines = text.lines();
            if let Some(first) = lines.next() {
                self.line(&format!("      {:<9} {first}", format!("{word}:")));
                lines.for_each(|line| self.line(&format!("      {:<9} {line}", "")));
            }
        }
        false
    }

    /// Like [`Report::check`]; if it does not hold, the story ends here.
    pub(super) fn must(&mut self, check: Check, holds: bool) -> Result<(), Stop> {
        if self.check(check, holds) {
            Ok(())
        } else {
            Err(Stop)
        }
    }

    /// A check of something that was waited for or asked for: what was found, or what was seen instead.
    pub(super) fn found<T>(&mut self, check: Check, found: Result<T, String>) -> Result<T, Stop> {
        match found {
            Ok(found) => self.must(check, true).map(|()| found),
            Err(seen) => self.must(check.seen(seen), false).and(Err(Stop)),
        }
    }

    /// How many checks held, and how many did not.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.held, self.failed)
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_does_not_hold_says_what_was_expected_what_was_seen_and_where_to_look() {
        let paper = Paper::default();
        let mut report = Report::new(Box::new(paper.clone()), false);
        report.chapter("The shop opens");
        report.note("two lines\nof it");
        assert!(report.check(Check::that("users are listed"), true));
        let check = Check::that("a user is created")
            .expected("201")
            .look("curl localhost");
        assert!(
            report
                .found::<()>(check, Err("503\nno_healthy_endpoint".to_owned()))
                .is_err()
        );
        assert_eq!(report.counts(), (1, 1));
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        let expected = "
1. The shop opens
    two lines
    of it
  ✓ users are listed
  ✗ a user is created
      expected: 201
      seen:     503
                no_healthy_endpoint
      look:     curl localhost
";
        assert_eq!(text, expected);
    }
}
