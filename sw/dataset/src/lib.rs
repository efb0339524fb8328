//! Image sets: CIFAR-10 in its binary and its Python layout, and the built-in UCI digits, all as 32x32 RGB bytes.
//!
//! Invariant: reads files and, for [`fetch`] alone, one web address; knows no network, no scale and no tensor type.
//! Nothing it reads is trusted: sizes and labels are checked, and pickles are never run.
//!
//! ```
//! use hafnia_dataset::Dataset;
//!
//! let digits = Dataset::digits();
//! let images = digits.test().read(0, 4)?;
//! assert_eq!((digits.test().len(), images.len(), images.pixels(0).len()), (360, 4, 3072));
//! # Ok::<(), hafnia_dataset::DatasetError>(())
//! ```

mod binary;
mod check;
mod dataset;
mod digits;
mod download;
mod error;
mod fetch;
mod images;
mod locate;
mod pickle;
mod python;
#[cfg(test)]
mod tests;

pub use check::{CheckReport, FileCheck, Origin, check};
pub use dataset::{Dataset, Layout, Split, View};
pub use error::DatasetError;
pub use fetch::{Archive, FetchProgress, FetchStep, fetch};
pub use images::{IMAGE_BYTES, Images, SIDE};
pub use locate::{ENVIRONMENT, cache_dir, locate};
