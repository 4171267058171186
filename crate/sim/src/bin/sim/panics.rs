//! A panic is a failure of its seed like any other, and ends everything.

use std::cell::RefCell;
use std::panic;

use quorate_sim::replay::{Request, exit};

thread_local! {
    /// The world under way.
    static UNDER_WAY: RefCell<Option<Request>> = const { RefCell::new(None) };
}

/// From now on a panic of this thread says how to see it again.
pub(crate) fn replay_with(request: &Request) {
    UNDER_WAY.set(Some(request.clone()));
    panic::set_hook(Box::new(|panic| {
        match UNDER_WAY.take() {
            Some(request) => {
                let (seed, command) = (request.seed, request.command());
                eprintln!("\nseed {seed}: {panic}\nreplay: {command}");
            }
            None => eprintln!("\n{panic}"),
        }
        std::process::exit(i32::from(exit::PANIC));
    }));
}
