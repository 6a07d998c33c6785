//! Two texts line by line.

/// Above this many lines that are not the same at both ends, lines are not paired any more: that takes time by their
/// square.
const MAX_LINES: usize = 8192;

/// The lines that changed, each with three around it; empty if none did. `names` are what it calls the two.
pub fn unified(before: &str, after: &str, names: (&str, &str)) -> String {
    if before == after {
        return String::new();
    }
    let (old, new): (Vec<_>, Vec<_>) = (lines(before), lines(after));
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let ends = old.iter().rev().zip(new.iter().rev());
    let most = old.len().min(new.len()) - head;
    let tail = ends.take(most).take_while(|(a, b)| a == b).count();
    if old.len().max(new.len()) - head - tail > MAX_LINES {
        return replaced(&old, &new, head, tail, names);
    }
    // Lines end where they do for all who apply diffs: a return alone ends none.
    let diff = similar::TextDiff::configure()
        .newline_terminated(true)
        .diff_slices(&old, &new);
    let mut out = header(names);
    for hunk in diff.unified_diff().iter_hunks() {
        out.push_str(&format!("{}\n", hunk.header()));
        for change in hunk.iter_changes() {
            let sign = match change.tag() {
                similar::ChangeTag::Equal => ' ',
                similar::ChangeTag::Delete => '-',
                similar::ChangeTag::Insert => '+',
            };
            push(&mut out, sign, change.value());
        }
    }
    out
}

fn header(names: (&str, &str)) -> String {
    format!("--- {}\n+++ {}\n", names.0, names.1)
}

/// Writes a line of a diff, and says so where nothing ends it.
fn push(out: &mut String, sign: char, line: &str) {
    out.push(sign);
    out.push_str(line);
    if !line.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// One hunk: all between the ends that are the same is taken away, and what stands there instead is added.
fn replaced(old: &[&str], new: &[&str], head: usize, tail: usize, names: (&str, &str)) -> String {
    const AROUND: usize = 3;
    let start = head.saturating_sub(AROUND);
    let side = |all: &[&str]| {
        let end = (all.len() - tail + AROUND).min(all.len());
        // A side without lines begins behind the line before it.
        let first = if end == start { start } else { start + 1 };
        format!("{first},{}", end - start)
    };
    let mut out = header(names);
    out.push_str(&format!("@@ -{} +{} @@\n", side(old), side(new)));
    let mut push = |sign, lines: &[&str]| lines.iter().for_each(|line| push(&mut out, sign, line));
    let end = old.len() - tail;
    push(' ', old.get(start..head).unwrap_or_default());
    push('-', old.get(head..end).unwrap_or_default());
    push('+', new.get(head..new.len() - tail).unwrap_or_default());
    push(
        ' ',
        old.get(end..(end + AROUND).min(old.len()))
            .unwrap_or_default(),
    );
    out
}
