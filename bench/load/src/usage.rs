//! What a server used, from /proc: processor time, resident memory, bytes written. Of the process and all below it.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};

/// The unit of times in /proc/PID/stat: USER_HZ, which Linux keeps at 100 on every architecture we run on.
const TICKS_A_SECOND: u64 = 100;

/// What a process and its children had used up to a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Bytes handed to the block layer.
    pub(crate) written: u64,
    /// Bytes resident.
    pub(crate) resident: u64,
}

impl Usage {
    /// What was used since an earlier moment; resident memory stays as it is.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            written: self.written.saturating_sub(earlier.written),
            resident: self.resident,
        }
    }
}

/// Reads the usage of a process and of all its children, theirs included.
pub(crate) fn of(pid: u32) -> Result<Usage> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that ended since the listing is no child any more.
        if let Some(stat) = read(child, "stat").ok().as_deref().and_then(parse_stat) {
            children.entry(stat.parent).or_default().push(child);
        }
    }
    let mut total = Usage::default();
    let mut pending = vec![pid];
    while let Some(next) = pending.pop() {
        let stat = read(next, "stat")?;
        let stat =
            parse_stat(&stat).with_context(|| format!("/proc/{next}/stat is not as expected"))?;
        total.cpu += stat.cpu;
        total.resident += field(&read(next, "status")?, "VmRSS:").unwrap_or_default() * 1024;
        // Only root or the owner may read it; the figure is then left at zero.
        total.written += read(next, "io")
            .ok()
            .and_then(|io| field(&io, "write_bytes:"))
            .unwrap_or_default();
        pending.extend(children.remove(&next).unwrap_or_default());
    }
    Ok(total)
}

/// What this process alone has computed: the load, beside whatever else the harness does.
pub(crate) fn own() -> Result<Duration> {
    let stat = read(std::process::id(), "stat")?;
    let stat = parse_stat(&stat).context("/proc/PID/stat of this process is not as expected")?;
    Ok(stat.cpu)
}

fn read(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {path}: has the server ended?"))
}

struct Stat {
    parent: u32,
    cpu: Duration,
}

/// Fields 4, 14 and 15 of proc_pid_stat(5). The command in field 2 may hold spaces and parentheses, so counting starts
/// after the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        cpu: Duration::from_millis(ticks * 1000 / TICKS_A_SECOND),
    })
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_a_command_that_has_spaces_and_parentheses() {
        let stat = "42 (a (b) c) S 7 42 42 0 -1 4194304 100 0 0 0 250 125 0 0 20 0 1 0 1 1 1";
        let stat = parse_stat(stat).unwrap();
        assert_eq!(stat.parent, 7);
        assert_eq!(stat.cpu, Duration::from_millis(3750));
    }

    #[test]
    fn this_process_has_memory() {
        let usage = of(std::process::id()).unwrap();
        assert!(usage.resident > 100_000, "{usage:?}");
    }
}
