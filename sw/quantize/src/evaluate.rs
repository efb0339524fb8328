//! Top-1 accuracy of the integer network.

use hafnia_dataset::Images;
use hafnia_golden::clean;
use hafnia_golden::conv::arg_max;
use hafnia_golden::network::Network;
use ndarray::ArrayView1;
use rayon::prelude::*;

/// Returns how many images the integer network classifies right.
pub fn correct(network: &Network, images: &Images) -> usize {
    let right = |i: usize| {
        let logits = clean::forward(network, &network.quantise_image(images.pixels(i)));
        arg_max(ArrayView1::from(&logits)) == usize::from(images.label(i))
    };
    (0..images.len()).into_par_iter().filter(|&i| right(i)).count()
}
