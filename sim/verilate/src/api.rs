//! The C functions of a built library. The layouts here and in `shim/shim.cpp` change together, with [`ABI_VERSION`].

use std::ffi::{c_char, c_void};
use std::path::Path;

use crate::Design;

/// Version of the C ABI; a library with another one is built again.
pub(crate) const ABI_VERSION: u32 = 3;

/// The model object inside the library.
pub(crate) type Handle = *mut c_void;

/// Answer of a burst: accesses done, and the address of the one after them.
#[repr(C)]
#[derive(Default)]
pub(crate) struct BurstResult {
    pub done: u64,
    pub address: u64,
}

/// Answer of a run.
#[repr(C)]
#[derive(Default)]
pub(crate) struct RunResult {
    pub cycles: u64,
    pub stream_words_taken: u64,
    pub still_busy: u64,
    pub nanoseconds: u64,
}

type Burst<Data> = unsafe extern "C" fn(Handle, u32, Data, u64, i32, *mut BurstResult) -> i32;
type Line = unsafe extern "C" fn(Handle, u64, u64, *const u8, u64) -> i32;
type Run = unsafe extern "C" fn(Handle, u64, *const u32, u64, *mut RunResult) -> i32;

/// A loaded library and its functions, which stay valid as long as it does.
pub(crate) struct Library {
    pub new: unsafe extern "C" fn(u64) -> Handle,
    pub delete: unsafe extern "C" fn(Handle),
    pub message: unsafe extern "C" fn(Handle) -> *const c_char,
    pub cycle: unsafe extern "C" fn(Handle) -> u64,
    pub set_bus_timeout: unsafe extern "C" fn(Handle, u64),
    pub record_flips: unsafe extern "C" fn(Handle, i32),
    pub poke: unsafe extern "C" fn(Handle, u32, *const u32),
    pub peek: unsafe extern "C" fn(Handle, u32, *mut u32) -> i32,
    pub step: unsafe extern "C" fn(Handle, u64) -> i32,
    pub flip_words: unsafe extern "C" fn(Handle) -> u64,
    pub take_flips: unsafe extern "C" fn(Handle, *mut u32),
    pub line_waiting: unsafe extern "C" fn(Handle) -> u64,
    pub line_received: unsafe extern "C" fn(Handle) -> u64,
    pub take_line: unsafe extern "C" fn(Handle, *mut u8),
    pub trace_start: unsafe extern "C" fn(Handle, *const c_char, u64, u64) -> i32,
    pub trace_stop: unsafe extern "C" fn(Handle) -> i32,
    pub burst_write: Option<Burst<*const u32>>,
    pub burst_read: Option<Burst<*mut u32>>,
    pub run: Option<Run>,
    pub bare_run: Option<Run>,
    pub line: Option<Line>,
    _library: libloading::Library,
}

impl Library {
    /// Opens a library that this crate built for `design`.
    pub(crate) fn open(path: &Path, design: &Design) -> Result<Self, String> {
        // SAFETY: the file has the checksum that its build stamped, and its initialisers only set up Verilator's runtime.
        let library = unsafe { libloading::Library::new(path) }.map_err(|error| error.to_string())?;
        // SAFETY: every signature is the one in shim.cpp, which is part of the cache key.
        unsafe {
            let version: unsafe extern "C" fn() -> u32 = symbol(&library, "hafnia_abi_version")?;
            if version() != ABI_VERSION {
                return Err(format!("its ABI has version {}, not {ABI_VERSION}", version()));
            }
            let bus = design.has("HAFNIA_HAS_BUS");
            let busy = design.has("HAFNIA_HAS_BUSY");
            let line = design.has("HAFNIA_HAS_LINE");
            Ok(Library {
                new: symbol(&library, "hafnia_new")?,
                delete: symbol(&library, "hafnia_delete")?,
                message: symbol(&library, "hafnia_message")?,
                cycle: symbol(&library, "hafnia_cycle")?,
                set_bus_timeout: symbol(&library, "hafnia_set_bus_timeout")?,
                record_flips: symbol(&library, "hafnia_record_flips")?,
                poke: symbol(&library, "hafnia_poke")?,
                peek: symbol(&library, "hafnia_peek")?,
                step: symbol(&library, "hafnia_step")?,
                flip_words: symbol(&library, "hafnia_flip_words")?,
                take_flips: symbol(&library, "hafnia_take_flips")?,
                line_waiting: symbol(&library, "hafnia_line_waiting")?,
                line_received: symbol(&library, "hafnia_line_received")?,
                take_line: symbol(&library, "hafnia_take_line")?,
                trace_start: symbol(&library, "hafnia_trace_start")?,
                trace_stop: symbol(&library, "hafnia_trace_stop")?,
                burst_write: bus.then(|| symbol(&library, "hafnia_burst_write")).transpose()?,
                burst_read: bus.then(|| symbol(&library, "hafnia_burst_read")).transpose()?,
                run: busy.then(|| symbol(&library, "hafnia_run")).transpose()?,
                bare_run: busy.then(|| symbol(&library, "hafnia_bare_run")).transpose()?,
                line: line.then(|| symbol(&library, "hafnia_line")).transpose()?,
                _library: library,
            })
        }
    }
}

/// Copies a function pointer out of the library.
///
/// # Safety
/// `T` is the type of the function `name`, and the pointer is not called after the library is closed.
unsafe fn symbol<T: Copy>(library: &libloading::Library, name: &str) -> Result<T, String> {
    // SAFETY: the caller vouches for the type.
    unsafe { library.get::<T>(name.as_bytes()) }.map(|found| *found).map_err(|error| error.to_string())
}
