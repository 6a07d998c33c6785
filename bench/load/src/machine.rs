//! What machine the figures are from: without it they mean nothing.

use std::fs::read_to_string;

/// Processor, cores, memory, kernel and file system, on one line.
pub(crate) fn describe(file_system: &str) -> String {
    let cpu = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = value(&cpu, "model name").unwrap_or("unknown processor");
    let cores = cpu
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let memory = read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes: u64 = value(&memory, "MemTotal")
        .and_then(|total| total.split(' ').next()?.parse().ok())
        .unwrap_or_default();
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim();
    let gibibytes = kilobytes.div_ceil(1 << 20);
    format!("{cores} × {model}, {gibibytes} GiB, Linux {kernel}, {file_system}")
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}
