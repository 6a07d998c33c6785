//! The built-in check of the memory that the process takes.

use serde_json::json;

use super::CheckOutcome;

/// The threshold in megabytes (2^20 bytes) if none is set.
pub(crate) const DEFAULT_LIMIT_MB: u64 = 500;

/// The process's resident memory in bytes; `None` where the system does not say.
pub(crate) fn resident_bytes() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn parse(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Healthy while the process takes less than `limit_mb`.
pub(crate) fn memory_usage(resident: Option<u64>, limit_mb: u64) -> CheckOutcome {
    let Some(resident) = resident else {
        return CheckOutcome::healthy().with_details(json!({"note": "this system does not say"}));
    };
    let used_mb = resident as f64 / f64::from(1 << 20);
    let outcome = match used_mb < limit_mb as f64 {
        true => CheckOutcome::healthy(),
        false => {
            CheckOutcome::unhealthy(format!("{used_mb:.1} MB of at most {limit_mb} MB are used"))
        }
    };
    let rounded = (used_mb * 100.0).round() / 100.0;
    outcome.with_details(json!({"residentMB": rounded, "limitMB": limit_mb}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_the_first_unhealthy_value() {
        let megabytes = |n: u64| Some(n << 20);
        assert!(memory_usage(megabytes(499), 500).healthy);
        assert!(!memory_usage(megabytes(500), 500).healthy);
        assert!(memory_usage(None, 500).healthy);
        assert_eq!(
            memory_usage(megabytes(3), 500).details,
            Some(json!({"residentMB": 3.0, "limitMB": 500}))
        );
    }

    #[test]
    fn the_systems_answer_is_read() {
        assert_eq!(
            parse("VmPeak:\t 9 kB\nVmRSS:\t    2048 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(parse("VmRSS: many\n"), None);
        if cfg!(target_os = "linux") {
            assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
        }
    }
}
