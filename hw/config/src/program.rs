//! The layer program: one descriptor of 32 host words for each run of a layer. This file is the only home of its layout.

use serde::{Deserialize, Serialize};

use crate::fault::cell_hash::EPOCH_CLASSES;

/// Host words of one descriptor.
pub const DESCRIPTOR_WORDS: u32 = 32;

/// One field of a descriptor: `word`, lowest bit, width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Word of the descriptor, 0 to 31.
    pub word: u32,
    /// Lowest bit within the word.
    pub low: u32,
    /// Bits.
    pub bits: u32,
}

macro_rules! descriptor {
    ($(#[doc = $doc:literal] $name:ident: $word:literal, $low:literal, $bits:literal;)*) => {
        /// One run of one layer over the images of one read group.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Descriptor {
            $(#[doc = $doc] pub $name: u32,)*
        }

        /// Every field in order: name, place, meaning.
        pub const FIELDS: &[(&str, Field, &str)] = &[
            $((stringify!($name), Field { word: $word, low: $low, bits: $bits }, $doc),)*
        ];

        impl Descriptor {
            /// Returns the host words.
            ///
            /// # Panics
            /// If a field does not fit its bits; the schedule promises that.
            pub fn encode(&self) -> [u32; DESCRIPTOR_WORDS as usize] {
                let mut words = [0u32; DESCRIPTOR_WORDS as usize];
                $(
                    assert!(u64::from(self.$name) < 1u64 << $bits, "descriptor field {} = {} does not fit {} bits",
                        stringify!($name), self.$name, $bits);
                    words[$word] |= self.$name << $low;
                )*
                words
            }
        }
    };
}

descriptor! {
    /// Layer number, for the flip records.
    layer: 0, 0, 8;
    /// 1: a 2x2 max pool follows.
    pool: 0, 8, 1;
    /// 1: negative values become 0 in the requantiser.
    relu: 0, 9, 1;
    /// 1: the accumulators are the result and stay where they are (the head).
    raw: 0, 10, 1;
    /// Feature-map memory to read, 0 = A, 1 = B; the other one is written.
    source: 0, 11, 1;
    /// 1: nine taps (3x3), 0: one tap.
    taps9: 0, 12, 1;
    /// Upper bits of `weight_end`.
    weight_end_upper: 0, 13, 3;
    /// Read group, for the flip records.
    group: 0, 16, 16;
    /// Rows of the ifmap.
    height: 1, 0, 8;
    /// Columns of the ifmap.
    width: 1, 8, 8;
    /// Images of the read group.
    images: 1, 16, 8;
    /// Cycles between two pixels of a pass whose sums leave the array, so that split writes keep up.
    emit_interval: 1, 24, 8;
    /// Input folds.
    c_folds: 2, 0, 16;
    /// Output folds.
    k_folds: 2, 16, 16;
    /// Rows in use in the last input fold.
    rows_last: 3, 0, 8;
    /// Columns in use in the last output fold.
    cols_last: 3, 8, 8;
    /// Lower bits of the end of the layer's weight words where they are resident, else 0: the scrubber keeps off them while it runs.
    weight_end: 3, 16, 16;
    /// Word address of the first image's ifmap.
    source_base: 4, 0, 32;
    /// Words from one image's ifmap to the next.
    source_image: 5, 0, 32;
    /// Words from one input fold to the next, `H * W`.
    source_plane: 6, 0, 32;
    /// Word address of the first image's ofmap.
    dest_base: 7, 0, 32;
    /// Words from one image's ofmap to the next.
    dest_image: 8, 0, 32;
    /// Words from one fold of the ofmap to the next.
    dest_plane: 9, 0, 32;
    /// First weight word of the layer in the model's image, which is its place in the memory where the weights are resident.
    weight_base: 10, 0, 32;
    /// First word of biases and scales.
    parameter_base: 11, 0, 16;
    /// First accumulator word (the head of a batch keeps each group's logits apart).
    accumulator_base: 11, 16, 16;
    /// Start of the seeding generator of weight reads, four words; equation (8) of `docs/fault-model.md`.
    weight_key0: 12, 0, 32;
    /// Second word.
    weight_key1: 13, 0, 32;
    /// Third word.
    weight_key2: 14, 0, 32;
    /// Fourth word.
    weight_key3: 15, 0, 32;
    /// Start of the seeding generator of bias reads.
    bias_key0: 16, 0, 32;
    /// Second word.
    bias_key1: 17, 0, 32;
    /// Third word.
    bias_key2: 18, 0, 32;
    /// Fourth word.
    bias_key3: 19, 0, 32;
    /// Start of the seeding generator of feature-map reads.
    map_key0: 20, 0, 32;
    /// Second word.
    map_key1: 21, 0, 32;
    /// Third word.
    map_key2: 22, 0, 32;
    /// Fourth word.
    map_key3: 23, 0, 32;
    /// Epoch of the traps in words whose address is 0 modulo 16; equation (17) of `docs/fault-model.md`.
    epoch0: 24, 0, 16;
    /// The same for 1 modulo 16.
    epoch1: 24, 16, 16;
    /// The same for 2 modulo 16.
    epoch2: 25, 0, 16;
    /// The same for 3 modulo 16.
    epoch3: 25, 16, 16;
    /// The same for 4 modulo 16.
    epoch4: 26, 0, 16;
    /// The same for 5 modulo 16.
    epoch5: 26, 16, 16;
    /// The same for 6 modulo 16.
    epoch6: 27, 0, 16;
    /// The same for 7 modulo 16.
    epoch7: 27, 16, 16;
    /// The same for 8 modulo 16.
    epoch8: 28, 0, 16;
    /// The same for 9 modulo 16.
    epoch9: 28, 16, 16;
    /// The same for 10 modulo 16.
    epoch10: 29, 0, 16;
    /// The same for 11 modulo 16.
    epoch11: 29, 16, 16;
    /// The same for 12 modulo 16.
    epoch12: 30, 0, 16;
    /// The same for 13 modulo 16.
    epoch13: 30, 16, 16;
    /// The same for 14 modulo 16.
    epoch14: 31, 0, 16;
    /// The same for 15 modulo 16.
    epoch15: 31, 16, 16;
}

impl Descriptor {
    /// Sets the epochs of all classes.
    pub fn set_epochs(&mut self, epochs: [u16; EPOCH_CLASSES]) {
        let fields = [
            &mut self.epoch0,
            &mut self.epoch1,
            &mut self.epoch2,
            &mut self.epoch3,
            &mut self.epoch4,
            &mut self.epoch5,
            &mut self.epoch6,
            &mut self.epoch7,
            &mut self.epoch8,
            &mut self.epoch9,
            &mut self.epoch10,
            &mut self.epoch11,
            &mut self.epoch12,
            &mut self.epoch13,
            &mut self.epoch14,
            &mut self.epoch15,
        ];
        fields.into_iter().zip(epochs).for_each(|(field, epoch)| *field = epoch.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_fields_overlap() {
        let mut used = [0u32; DESCRIPTOR_WORDS as usize];
        for (name, f, _) in FIELDS {
            let mask = if f.bits == 32 { u32::MAX } else { ((1 << f.bits) - 1) << f.low };
            assert_eq!(used[f.word as usize] & mask, 0, "{name}");
            used[f.word as usize] |= mask;
        }
    }
}
