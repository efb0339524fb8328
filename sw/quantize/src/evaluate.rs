//! Top-1 accuracy of the integer network.

use hafnia_dataset::Images;
use hafnia_golden::clean;
use hafnia_golden::network::Network;
use rayon::prelude::*;

/// Returns the index of the largest value; the lowest wins a tie (Q5).
pub fn argmax<T: PartialOrd>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// Returns how many images the integer network classifies right.
pub fn correct(network: &Network, images: &Images) -> usize {
    let right = |i: usize| {
        let logits = clean::forward(network, &network.quantise_image(images.pixels(i)));
        argmax(&logits) == usize::from(images.label(i))
    };
    (0..images.len()).into_par_iter().filter(|&i| right(i)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_index_wins_a_tie() {
        assert_eq!(argmax(&[1, 5, 5, 2]), 1);
        assert_eq!(argmax(&[7.0, 7.0]), 0);
    }
}
