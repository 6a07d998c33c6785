//! The `guildhall` binary.

use std::process::ExitCode;

// Documents are allocated on one thread and freed on another all day long; the system's allocator took a fifth of a
// registration's CPU with that. Huge pages are off (the feature `no_thp`): they add 10 MB to an idle node.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    guildhall_server::run()
}
