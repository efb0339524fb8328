//! The integer network: int8 weights, i32 biases, requantisation constants. Shapes and ranges are checked once, here.

use hafnia_config::fault::Site;
use hafnia_config::shape::{LayerKind, LayerShape};
use ndarray::{Array1, Array3, Array4};

/// The requantisation constants of one output channel, Eq. (Q3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Multiplier, in `[2^15, 2^16)`.
    pub m: u16,
    /// Right shift, in `1..=47`.
    pub s: u8,
}

/// One layer: shape, weights `[K, C, R, S]`, biases `[K]` and, for a convolution, the scales `[K]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Kind and sizes.
    pub shape: LayerShape,
    /// int8 weights `[K, C, R, S]`; `R = S = 3` for a convolution, 1 for the head.
    pub weights: Array4<i8>,
    /// i32 biases `[K]`, in units of the accumulator.
    pub bias: Array1<i32>,
    /// Requantisation constants `[K]`; empty for the head, whose accumulators are the logits (Q5).
    pub scale: Vec<Scale>,
}

/// An int8 network with its input tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Name, e.g. `vgg-a8-cifar10`.
    pub name: String,
    /// Eq. (Q1): one table per input channel, from pixel byte to int8.
    pub input: Vec<[i8; 256]>,
    /// The layers, in order.
    pub layers: Vec<Layer>,
}

/// Why a network cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A tensor has the wrong shape.
    #[error("layer {layer}: `{tensor}` has shape {got:?}, expected {want:?}")]
    Shape {
        /// Layer number, from 0.
        layer: usize,
        /// Tensor name.
        tensor: &'static str,
        /// Shape found.
        got: Vec<usize>,
        /// Shape expected.
        want: Vec<usize>,
    },
    /// Two layers that follow each other do not fit.
    #[error(
        "layer {layer}: takes [{want_c}, {want_h}, {want_w}], but the layer before gives [{got_c}, {got_h}, {got_w}]"
    )]
    Chain {
        /// Layer number, from 0.
        layer: usize,
        /// Channels given by the layer before.
        got_c: u32,
        /// Height given.
        got_h: u32,
        /// Width given.
        got_w: u32,
        /// Channels taken.
        want_c: u32,
        /// Height taken.
        want_h: u32,
        /// Width taken.
        want_w: u32,
    },
    /// A requantisation constant is out of range.
    #[error(
        "layer {layer}, channel {channel}: scale m = {m}, s = {s} is outside m in [32768, 65535], s in [1, 47] (Q3)"
    )]
    Scale {
        /// Layer number, from 0.
        layer: usize,
        /// Output channel.
        channel: usize,
        /// Multiplier.
        m: u16,
        /// Shift.
        s: u8,
    },
    /// The i32 accumulator may overflow even with clean biases.
    #[error("layer {layer}, channel {channel}: |bias| + worst case of the weights is {worst}, above i32 (Q2)")]
    Overflow {
        /// Layer number, from 0.
        layer: usize,
        /// Output channel.
        channel: usize,
        /// Largest magnitude that the accumulator can reach.
        worst: i64,
    },
    /// The network has no layer, no head, or a head that is not last.
    #[error("the network must be convolutions followed by one linear head, found {0}")]
    Structure(String),
}

impl Network {
    /// Checks shapes, chaining, scales and the accumulator's worst case (Q2), and returns the network.
    ///
    /// # Errors
    /// The first [`NetworkError`] found, in layer order.
    pub fn new(name: String, input: Vec<[i8; 256]>, layers: Vec<Layer>) -> Result<Self, NetworkError> {
        check_structure(&input, &layers)?;
        for (i, layer) in layers.iter().enumerate() {
            check_layer(i, layer)?;
        }
        for (i, pair) in layers.windows(2).enumerate() {
            check_chain(i + 1, &pair[0].shape, &pair[1].shape)?;
        }
        Ok(Self { name, input, layers })
    }

    /// Returns the layer shapes, in order.
    pub fn shapes(&self) -> Vec<LayerShape> {
        self.layers.iter().map(|l| l.shape).collect()
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.layers.last().map_or(0, |l| l.shape.out_channels as usize)
    }

    /// Returns how many of a layer's weights' or biases' bits in `mask` are 0 and 1; activations are not of the network.
    pub fn held(&self, layer: usize, site: Site, mask: u8) -> [u64; 2] {
        let count =
            |of: fn(u8) -> u8| self.bytes(layer, site).map(|byte| u64::from((of(byte) & mask).count_ones())).sum();
        [count(|byte| !byte), count(|byte| byte)]
    }

    /// Returns how many of these bits `stored` holds wrong, of those that are 0 and of those that are 1.
    pub fn wrong_in(&self, stored: &Self, layer: usize, site: Site, mask: u8) -> [u64; 2] {
        let pairs = || self.bytes(layer, site).zip(stored.bytes(layer, site));
        let count =
            |of: fn(u8, u8) -> u8| pairs().map(|(byte, held)| u64::from((of(byte, held) & mask).count_ones())).sum();
        [count(|byte, held| !byte & held), count(|byte, held| byte & !held)]
    }

    /// The bytes of a layer's weights or biases.
    fn bytes(&self, layer: usize, site: Site) -> Box<dyn Iterator<Item = u8> + '_> {
        let Layer { weights, bias, .. } = &self.layers[layer];
        match site {
            Site::Weights => Box::new(weights.iter().map(|&weight| weight as u8)),
            Site::Biases => Box::new(bias.iter().flat_map(|bias| bias.to_le_bytes())),
            Site::Activations => Box::new(std::iter::empty()),
        }
    }

    /// Eq. (Q1): quantises one image `[C, H, W]` of pixel bytes, planes in order, row-major.
    ///
    /// # Panics
    /// If `pixels` is not as long as the first layer's ifmap; readers of image files promise that length.
    pub fn quantise_image(&self, pixels: &[u8]) -> Array3<i8> {
        let shape = self.layers[0].shape;
        let plane = shape.pixels() as usize;
        assert_eq!(pixels.len(), plane * self.input.len(), "an image must fill the first layer's ifmap");
        let values = pixels.iter().enumerate().map(|(i, &p)| self.input[i / plane][usize::from(p)]).collect();
        Array3::from_shape_vec((self.input.len(), shape.height as usize, shape.width as usize), values)
            .expect("length was checked")
    }
}

fn check_structure(input: &[[i8; 256]], layers: &[Layer]) -> Result<(), NetworkError> {
    let Some(head) = layers.last() else {
        return Err(NetworkError::Structure("no layer".into()));
    };
    let heads = layers.iter().filter(|l| l.shape.kind == LayerKind::Linear).count();
    if head.shape.kind != LayerKind::Linear || heads != 1 {
        return Err(NetworkError::Structure(format!("{heads} linear layers among {}", layers.len())));
    }
    if input.len() != layers[0].shape.in_channels as usize {
        return Err(NetworkError::Structure(format!(
            "{} input tables for {} input channels",
            input.len(),
            layers[0].shape.in_channels
        )));
    }
    Ok(())
}

fn check_layer(i: usize, layer: &Layer) -> Result<(), NetworkError> {
    let shape = &layer.shape;
    let (k, c) = (shape.out_channels as usize, shape.in_channels as usize);
    let side = if shape.kind == LayerKind::Conv3x3 { 3 } else { 1 };
    let check = |tensor, got: &[usize], want: &[usize]| {
        if got == want {
            Ok(())
        } else {
            Err(NetworkError::Shape { layer: i, tensor, got: got.to_vec(), want: want.to_vec() })
        }
    };
    check("weights", layer.weights.shape(), &[k, c, side, side])?;
    check("bias", layer.bias.shape(), &[k])?;
    check("scale", &[layer.scale.len()], &[if shape.kind == LayerKind::Conv3x3 { k } else { 0 }])?;
    for (channel, scale) in layer.scale.iter().enumerate() {
        if scale.m < 1 << 15 || !(1..=47).contains(&scale.s) {
            return Err(NetworkError::Scale { layer: i, channel, m: scale.m, s: scale.s });
        }
    }
    // Worst case of all-flipped weights: every weight and every activation at -128.
    let weights = shape.weights() as i64 / k as i64 * 128 * 128;
    for (channel, &bias) in layer.bias.iter().enumerate() {
        let worst = i64::from(bias).abs() + weights;
        if worst > i64::from(i32::MAX) {
            return Err(NetworkError::Overflow { layer: i, channel, worst });
        }
    }
    Ok(())
}

fn check_chain(i: usize, before: &LayerShape, after: &LayerShape) -> Result<(), NetworkError> {
    let halve = |side: u32| if before.pool { side / 2 } else { side };
    let got = (before.out_channels, halve(before.height), halve(before.width));
    let want = (after.in_channels, after.height, after.width);
    if got == want {
        return Ok(());
    }
    Err(NetworkError::Chain {
        layer: i,
        got_c: got.0,
        got_h: got.1,
        got_w: got.2,
        want_c: want.0,
        want_h: want.1,
        want_w: want.2,
    })
}
