//! Images with their labels, as bytes.

use sha2::{Digest, Sha256};

/// Pixels along one side of an image.
pub const SIDE: usize = 32;
/// Bytes of one image: R, G and B planes of 32 x 32, each row-major.
pub const IMAGE_BYTES: usize = 3 * SIDE * SIDE;

/// Images `[N, 3, 32, 32]` as bytes, with one label each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Images {
    /// Returns the images made of `pixels` (3,072 bytes each) and `labels`.
    ///
    /// # Panics
    /// If the lengths do not agree: readers promise that.
    pub fn new(pixels: Vec<u8>, labels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), labels.len() * IMAGE_BYTES, "every label needs its 3,072 pixel bytes");
        Self { pixels, labels }
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns the 3,072 bytes of image `i`: R, G, B planes, row-major.
    ///
    /// # Panics
    /// If `i` is not below [`Self::len`].
    pub fn pixels(&self, i: usize) -> &[u8] {
        &self.pixels[i * IMAGE_BYTES..(i + 1) * IMAGE_BYTES]
    }

    /// Returns the label of image `i`.
    ///
    /// # Panics
    /// If `i` is not below [`Self::len`].
    pub fn label(&self, i: usize) -> u8 {
        self.labels[i]
    }

    /// Returns all labels, in order.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Returns each image's bytes with its label, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u8)> {
        self.pixels.chunks_exact(IMAGE_BYTES).zip(self.labels.iter().copied())
    }

    /// Appends `other`.
    pub fn extend(&mut self, other: &Self) {
        self.pixels.extend_from_slice(&other.pixels);
        self.labels.extend_from_slice(&other.labels);
    }

    /// Returns copies of the images with these numbers, in the order given.
    ///
    /// # Panics
    /// If a number is not below [`Self::len`].
    pub fn select(&self, numbers: &[usize]) -> Self {
        let mut pixels = Vec::with_capacity(numbers.len() * IMAGE_BYTES);
        numbers.iter().for_each(|&i| pixels.extend_from_slice(self.pixels(i)));
        Self { pixels, labels: numbers.iter().map(|&i| self.label(i)).collect() }
    }

    /// Returns the SHA-256, in hexadecimal, of the records `label, pixels`: for a whole batch in the binary layout,
    /// that of its file. The same images in the Python layout give the same digest.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for (pixels, label) in self.iter() {
            hash.update([label]);
            hash.update(pixels);
        }
        hex(&hash.finalize())
    }
}

/// Returns `bytes` in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
