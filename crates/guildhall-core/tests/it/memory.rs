//! What an instance costs: the platform holds them by the hundred thousand.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use guildhall_core::{
    document::{Document, Timestamp},
    registry::{Catalog, status::derived},
};
use serde_json::json;

use crate::fixture::{instance, put};

/// Counts the bytes that the current thread holds, so that tests beside it do not disturb.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// malloc's own share: a header, and sizes in steps of 16 from 32 on.
fn real(layout: Layout) -> isize {
    let size = (layout.size() + 8).next_multiple_of(16).max(32);
    isize::try_from(size).unwrap_or(isize::MAX)
}

#[expect(unsafe_code, reason = "the only way to count what is allocated")]
// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no counter any more.
        let _ = HELD.try_with(|held| held.set(held.get() + real(layout)));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let _ = HELD.try_with(|held| held.set(held.get() - real(layout)));
        unsafe { System.dealloc(memory, layout) }
    }
}

/// An instance as an SDK registers it, read back from what the store keeps.
fn typical(n: usize) -> Document {
    let document = instance(
        &format!("service-{:04}", n / 100),
        &format!("service-{:04}-7d4b9c6f5-{:05}", n / 100, n),
        json!({
            "host": format!("10.{}.{}.{}", n / 65536, n / 256 % 256, n % 256),
            "version": "1.4.2",
            "zone": "eu-west-1a",
            "region": "eu-west-1",
            "tags": ["web", "blue"],
            "metadata": {"commit": "0a1b2c3d", "team": "shop"},
            "checks": [{"type": "http", "path": "/health", "interval": "10s"}],
        }),
    );
    let mut metadata = document.metadata().clone();
    metadata.created_at = Some(Timestamp(1));
    metadata.updated_at = Some(Timestamp(1));
    metadata.updated_by = Some("deployer".to_owned());
    let stored = document.with_metadata(metadata).to_stored().unwrap();
    let Document::Instance(object) = Document::from_stored(document.kind(), 1, &stored).unwrap()
    else {
        unreachable!()
    };
    let status = Some(derived(&object.spec, &[], Timestamp(1)));
    guildhall_core::document::Object {
        status,
        ..(*object).clone()
    }
    .into()
}

#[test]
fn an_instance_costs_well_under_1500_bytes() {
    const COUNT: usize = 20_000;
    let before = HELD.get();
    let mut catalog = Catalog::new();
    for n in 0..COUNT {
        catalog.apply(&put(typical(n)), n as u64 + 1);
    }
    let each = (HELD.get() - before) / COUNT as isize;
    assert_eq!(catalog.instances(), COUNT);
    assert!(each < 1_350, "{each} bytes each");

    // A snapshot shares everything; a change copies a path, not the catalog.
    let before = HELD.get();
    let snapshot = catalog.clone();
    assert!(HELD.get() - before < 1_000);
    catalog.apply(&put(typical(4_711)), COUNT as u64 + 1);
    assert!(
        HELD.get() - before < 20_000,
        "{} bytes for a change",
        HELD.get() - before
    );
    drop(snapshot);
}
