//! What activations that are read wrong add to the sums of a layer.

use super::kernel::LANES;

/// What is added to the sums of a layer, by image, pixel and output channel.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    pub(super) values: Vec<i32>,
    /// Values of a pixel.
    stride: usize,
    width: usize,
    plane: usize,
}

impl Corrections {
    pub(super) fn reset(&mut self, channels: usize, height: usize, width: usize, images: usize) {
        self.stride = channels.next_multiple_of(LANES);
        (self.width, self.plane) = (width, height * width);
        self.values.clear();
        self.values.resize(images * self.plane * self.stride, 0);
    }

    pub(super) fn at(&self, image: usize, y: usize, x: usize) -> usize {
        (image * self.plane + y * self.width + x) * self.stride
    }

    /// Returns those of a pixel, for [`LANES`] output channels.
    pub(super) fn of(&self, image: usize, y: usize, x: usize, vector: usize) -> Option<&[i32; LANES]> {
        let at = self.at(image, y, x) + vector * LANES;
        // The last block of output channels may be wider than the layer.
        if (vector + 1) * LANES > self.stride { None } else { self.values[at..].first_chunk() }
    }
}
