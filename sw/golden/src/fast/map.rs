//! Feature maps of a batch in the layout of the kernels.

use ndarray::Array3;

/// Added to every value, so that it is unsigned: the kernels multiply unsigned by signed bytes.
pub(super) const OFFSET: u8 = 128;

/// Channels are padded to groups of this many: what one step of a dot product takes.
pub(super) const GROUP: usize = 4;

/// int8 maps of several images, pixel by pixel, the channels of a pixel side by side, each map with a border of zeros one
/// pixel wide. Every byte holds `value + 128`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    pub(super) bytes: Vec<u8>,
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// Bytes of one pixel: the channels, padded.
    pub(super) pixel: usize,
}

impl Map {
    /// Returns maps of zeros.
    pub fn new(images: usize, channels: usize, height: usize, width: usize) -> Self {
        let pixel = channels.next_multiple_of(GROUP);
        Self { bytes: vec![OFFSET; images * (height + 2) * (width + 2) * pixel], channels, height, width, pixel }
    }

    /// Returns the number of images.
    pub fn images(&self) -> usize {
        self.bytes.len() / ((self.height + 2) * (self.width + 2) * self.pixel)
    }

    /// Takes maps `[C, H, W]`, all of one shape.
    ///
    /// # Panics
    /// If there is none.
    pub fn of(images: &[Array3<i8>]) -> Self {
        let (channels, height, width) = images[0].dim();
        let mut maps = Self::new(images.len(), channels, height, width);
        for (i, image) in images.iter().enumerate() {
            for (c, plane) in image.outer_iter().enumerate() {
                for (y, row) in plane.outer_iter().enumerate() {
                    let at = maps.at(i, y, 0) + c;
                    let bytes = maps.bytes[at..].iter_mut().step_by(maps.pixel);
                    bytes.zip(row).for_each(|(byte, &value)| *byte = value as u8 ^ OFFSET);
                }
            }
        }
        maps
    }

    /// Copies maps of the same shape into the places of the images from number `first` on.
    pub fn copy(&mut self, first: usize, maps: &Self) {
        let at = self.bytes.len() / self.images() * first;
        self.bytes[at..at + maps.bytes.len()].copy_from_slice(&maps.bytes);
    }

    /// Returns the map `[C, H, W]` of one image.
    pub fn image(&self, image: usize) -> Array3<i8> {
        Array3::from_shape_fn((self.channels, self.height, self.width), |(c, y, x)| {
            (self.bytes[self.at(image, y, x) + c] ^ OFFSET) as i8
        })
    }

    /// Returns what up to eight channels hold, of which the first lies at a position.
    pub(super) fn held(&self, at: usize, channels: u32) -> u64 {
        let mut bytes = [OFFSET; 8];
        bytes[..channels as usize].copy_from_slice(&self.bytes[at..at + channels as usize]);
        u64::from_le_bytes(bytes.map(|byte| byte ^ OFFSET))
    }

    /// Position of a pixel of the map, border not counted.
    pub(super) fn at(&self, image: usize, y: usize, x: usize) -> usize {
        self.border_at(image, y + 1, x + 1)
    }

    /// Position of a pixel, border counted.
    pub(super) fn border_at(&self, image: usize, y: usize, x: usize) -> usize {
        ((image * (self.height + 2) + y) * (self.width + 2) + x) * self.pixel
    }
}
