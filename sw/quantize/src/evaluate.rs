//! Top-1 accuracy of the integer network.

use hafnia_dataset::Images;
use hafnia_golden::conv::arg_max;
use hafnia_golden::fast::Engine;
use hafnia_golden::network::Network;
use ndarray::ArrayView1;
use rayon::prelude::*;

/// Images that go through the network together.
const AT_ONCE: usize = 16;

/// Returns how many images the integer network classifies right.
pub fn correct(network: &Network, images: &Images) -> usize {
    let engine = Engine::new(network);
    let numbers: Vec<usize> = (0..images.len()).collect();
    let right = |engine: &mut Engine, numbers: &[usize]| {
        let ifmaps: Vec<_> = numbers.iter().map(|&i| network.quantise_image(images.pixels(i))).collect();
        let logits = engine.forward(&ifmaps);
        let pairs = logits.iter().zip(numbers);
        pairs.filter(|(logits, i)| arg_max(ArrayView1::from(*logits)) == usize::from(images.label(**i))).count()
    };
    numbers.par_chunks(AT_ONCE).map_init(|| engine.clone(), right).sum()
}
