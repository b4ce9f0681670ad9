//! Keeps memory that is needed again at once.

use std::hint::black_box;

/// Twice what a flush sends: the buffers for its records and its bodies are no longer.
const LARGE: usize = 2 * 1024 * 1024;

/// Makes glibc keep freed memory, up to 4 MiB of it at the end of the heap.
///
/// It has everything above 128 KiB from the system and gives it back as soon as it is freed, so that the system
/// would zero the pages of each body again: a tenth of the CPU of a busy function. The bound rises to the largest that
/// was freed (`M_MMAP_THRESHOLD` in mallopt(3)), here to memory that nobody has touched: two system calls.
pub fn keep_freed_memory() {
    drop(black_box(Vec::<u8>::with_capacity(LARGE)));
}
