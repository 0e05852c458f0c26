//! Memory: nothing is allocated per request once warm, and what is live does not grow with the
//! number of requests.
//!
//! A binary of its own, because a global allocator is one for the whole binary, and one test in it,
//! because tests of one binary run side by side.

#![allow(unsafe_code, reason = "an allocator that counts has to be one")]

#[path = "../benches/support.rs"]
mod support;

use routelab::record::Strategy;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The system's allocator, counted.
struct Counted;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);

fn taken(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    let live = LIVE.fetch_add(bytes as u64, Relaxed) + bytes as u64;
    PEAK.fetch_max(live, Relaxed);
}

fn given_back(bytes: usize) {
    LIVE.fetch_sub(bytes as u64, Relaxed);
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        given_back(layout.size());
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        taken(size);
        given_back(layout.size());
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTED: Counted = Counted;

/// Allocations of a run, and bytes live at its peak.
fn used(strategy: Strategy, requests: u64) -> (u64, u64) {
    let world = support::full(strategy, 10, requests);
    let (before, live) = (ALLOCATIONS.load(Relaxed), LIVE.load(Relaxed));
    PEAK.store(live, Relaxed);
    let simulated = world.run().simulated;
    assert!(simulated.abs_diff(requests) < requests / 10);
    (
        ALLOCATIONS.load(Relaxed) - before,
        PEAK.load(Relaxed) - live,
    )
}

/// What still grows with the logarithm of the number of requests: the histograms' range, and the
/// most that was ever in flight.
const GROWTHS: u64 = 20;

#[test]
fn memory_does_not_grow_with_requests() {
    for strategy in Strategy::ALL {
        let (few, _) = used(*strategy, 50_000);
        let (many, _) = used(*strategy, 100_000);
        assert!(
            many < few + GROWTHS,
            "{strategy}: {few} allocations for 50,000 requests, {many} for 100,000"
        );
    }
    let (_, few) = used(Strategy::Smart, 300_000);
    let (_, many) = used(Strategy::Smart, 3_000_000);
    assert!(
        many < few + few / 50,
        "{few} bytes live for 300,000 requests, {many} for 3,000,000"
    );
}
