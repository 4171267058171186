//! Memory ahead of need.
//!
//! Each time the memory grows the engine makes it known anew, which takes it a fifth of a millisecond and
//! is a reason to collect garbage; and the allocator asks for 64 KiB. So a heap that has grown is given a
//! part of its size more, and grows as often as the logarithm of its size says.

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A heap that has grown gets this part of its size more.
const PART: usize = 16;
const PAGE_BYTES: usize = 65_536;

/// How large the memory was when it was last looked at.
static PAGES: AtomicUsize = AtomicUsize::new(0);

/// To be called wherever much may come together, as often as it does.
pub fn look() {
    let before = PAGES.load(Relaxed);
    if pages() > before {
        reserve(before / PART * PAGE_BYTES);
        PAGES.store(pages(), Relaxed);
    }
}

/// Takes room, and gives it back to the allocator. Where there is none, whoever needs it will find out.
fn reserve(bytes: usize) {
    let mut room = Vec::<u8>::new();
    let _ = room.try_reserve_exact(bytes);
    // Otherwise nothing is taken: what is not used can be left out.
    black_box(&mut room);
}

#[cfg(target_arch = "wasm32")]
fn pages() -> usize {
    core::arch::wasm32::memory_size(0)
}

#[cfg(not(target_arch = "wasm32"))]
fn pages() -> usize {
    0
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_large_heap_grows_seldom() {
        let mut kept = Vec::new();
        let (mut times, mut before) = (0, pages());
        for _ in 0..4_096 {
            kept.push(vec![1_u8; 16_384]);
            look();
            times += usize::from(pages() > before);
            before = pages();
        }
        assert!(times <= 128, "{times} times for {} blocks", kept.len());
    }
}
