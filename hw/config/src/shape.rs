//! The shape of a network: what the schedule and the layer program need to know of it, and nothing of its values.

use serde::{Deserialize, Serialize};

/// The kind of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerKind {
    /// 3x3 convolution, stride 1, zero padding 1, requantised (Q3) with ReLU.
    Conv3x3,
    /// Linear head on a 1x1 map; its logits are the raw i32 accumulators (Q5).
    Linear,
}

impl LayerKind {
    /// Returns the number of filter taps, `R * S`.
    pub const fn taps(self) -> u32 {
        match self {
            Self::Conv3x3 => 9,
            Self::Linear => 1,
        }
    }
}

/// The shape of one layer. Ifmap `[in_channels, height, width]`, weights `[out_channels, in_channels, R, S]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerShape {
    /// Convolution or linear head.
    pub kind: LayerKind,
    /// C, channels of the ifmap.
    pub in_channels: u32,
    /// K, channels of the ofmap.
    pub out_channels: u32,
    /// H, rows of the ifmap.
    pub height: u32,
    /// W, columns of the ifmap.
    pub width: u32,
    /// Whether a 2x2 max pool, stride 2, follows (Q4).
    pub pool: bool,
}

impl LayerShape {
    /// Returns the pixels of one ifmap plane, `H * W`.
    pub const fn pixels(&self) -> u32 {
        self.height * self.width
    }

    /// Returns the pixels of one ofmap plane after pooling.
    pub const fn out_pixels(&self) -> u32 {
        if self.pool { self.pixels() / 4 } else { self.pixels() }
    }

    /// Returns the multiply-accumulates for one image, counting the zero padding as the field does.
    pub const fn macs(&self) -> u64 {
        self.in_channels as u64 * self.out_channels as u64 * self.kind.taps() as u64 * self.pixels() as u64
    }

    /// Returns the number of weights, `K * C * R * S`.
    pub const fn weights(&self) -> u64 {
        self.in_channels as u64 * self.out_channels as u64 * self.kind.taps() as u64
    }
}

/// The four VGG configurations of Simonyan & Zisserman that Hafnia knows (arXiv 1409.1556, table 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Vgg {
    /// 8 convolutions.
    A,
    /// 10 convolutions.
    B,
    /// 13 convolutions.
    D,
    /// 16 convolutions.
    E,
}

impl Vgg {
    /// Convolutions in each of the five blocks; a 2x2 max pool closes each block.
    const fn convolutions(self) -> [u32; 5] {
        match self {
            Self::A => [1, 1, 2, 2, 2],
            Self::B => [2, 2, 2, 2, 2],
            Self::D => [2, 2, 3, 3, 3],
            Self::E => [2, 2, 4, 4, 4],
        }
    }

    /// Returns the layers for CIFAR-10: 32x32x3 input, one linear head of ten classes, widths divided by `width_divisor`.
    pub fn layers(self, width_divisor: u32) -> Vec<LayerShape> {
        let mut layers = Vec::new();
        let (mut in_channels, mut side) = (3, 32);
        for (count, width) in self.convolutions().into_iter().zip([64, 128, 256, 512, 512]) {
            for i in 1..=count {
                let pool = i == count;
                let out_channels = width / width_divisor;
                layers.push(LayerShape {
                    kind: LayerKind::Conv3x3,
                    in_channels,
                    out_channels,
                    height: side,
                    width: side,
                    pool,
                });
                in_channels = out_channels;
            }
            side /= 2;
        }
        layers.push(LayerShape {
            kind: LayerKind::Linear,
            in_channels,
            out_channels: 10,
            height: 1,
            width: 1,
            pool: false,
        });
        layers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes that follow from table 1 of arXiv 1409.1556 with 3x3 filters, 32x32 input and one 512 -> 10 head.
    #[test]
    fn vgg_macs_equal_the_published_counts() {
        for (vgg, macs) in [(Vgg::A, 152_769_536), (Vgg::B, 228_267_008), (Vgg::D, 313_201_664), (Vgg::E, 398_136_320)]
        {
            assert_eq!(vgg.layers(1).iter().map(LayerShape::macs).sum::<u64>(), macs, "VGG-{vgg:?}");
        }
    }

    /// Parameters with batch normalisation: weights, one bias, and the two BN vectors of each convolution channel.
    #[test]
    fn vgg_parameters_equal_the_published_counts() {
        for (vgg, parameters) in [(Vgg::A, 9_231_114), (Vgg::B, 9_416_010), (Vgg::D, 14_728_266), (Vgg::E, 20_040_522)]
        {
            let count: u64 = vgg
                .layers(1)
                .iter()
                .map(|l| l.weights() + u64::from(l.out_channels) * if l.kind == LayerKind::Linear { 1 } else { 3 })
                .sum();
            assert_eq!(count, parameters, "VGG-{vgg:?}");
        }
    }
}
