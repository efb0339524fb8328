//! SIGINT and SIGTERM end a sweep after the running point.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Returns a flag that the signals set.
pub fn told() -> std::io::Result<Arc<AtomicBool>> {
    let end = Arc::new(AtomicBool::new(false));
    set(&end)?;
    Ok(end)
}

/// The same; a second signal ends the command at once.
pub fn asked_to_end() -> std::io::Result<Arc<AtomicBool>> {
    let end = Arc::new(AtomicBool::new(false));
    // Before the flag is set by the same signal: the first one finds it unset.
    for signal in SIGNALS {
        flag::register_conditional_shutdown(signal, 2, end.clone())?;
    }
    set(&end)?;
    Ok(end)
}

fn set(end: &Arc<AtomicBool>) -> std::io::Result<()> {
    SIGNALS.into_iter().try_for_each(|signal| flag::register(signal, end.clone()).map(drop))
}

/// Whether to go on.
pub fn flow(end: &AtomicBool) -> ControlFlow<()> {
    if end.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
