//! Reads of a layer's weights, biases and activations through the injector, plainly and in the hardware's order.
//! [`crate::fast`] gives the same flips in less time.
//!
//! Weights: output folds of `cols` channels, then input folds of `rows` channels, then taps row-major, then the fold's
//! channels: each step reads one word, `cols` weights of one input channel and tap. Biases: one word for each output
//! channel. Activations: for each output fold, input fold and tap every pixel of every image, in the order of the pooling
//! windows where a pool follows, else row by row: one word of the fold's channels; what lies outside the map is not read.

use hafnia_config::Elaborated;
use hafnia_config::fault::{Noise, Site, stream_key};
use hafnia_config::flip::Flip;
use hafnia_config::shape::{LayerKind, LayerShape};
use ndarray::{Array1, Array3, Array4, s};

use crate::cells::Writes;
use crate::clean::{LayerOutput, finish};
use crate::codec::{Codec, Events};
use crate::injector::Tree;
use crate::network::Layer;
use crate::port::{Port, Stored};

/// The run of a layer over a read group: what names a stream of draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Run seed.
    pub seed: u64,
    /// Layer number, from 0.
    pub layer: u32,
    /// Read group.
    pub group: u32,
}

impl Stream {
    /// Returns where the draws of a site start.
    pub(crate) fn key(&self, site: Site) -> [u32; 4] {
        stream_key(self.seed, site, self.layer, self.group)
    }

    /// Returns the record of a flip.
    pub(crate) fn flip(&self, site: Site, word: u32, bit: u32, before: bool) -> Flip {
        Flip { layer: self.layer, group: self.group, site, word, bit, before }
    }
}

/// Returns the lanes of a word, of which `bytes` are in use: what their cells are to hold. `codec` is that of the site.
pub fn lanes_of(hw: &Elaborated, site: Site, codec: Option<&Codec>, bytes: &[u8]) -> Vec<Stored> {
    let (port, word) = (hw.port(site), hw.codeword(site));
    let mut lanes = bytes.chunks(port.lane_bytes as usize);
    let lane = |_| {
        let bytes = lanes.next().unwrap_or_default();
        let data = bytes.iter().rev().fold(0, |data, &byte| data << 8 | u64::from(byte));
        let cells = codec.map_or(data.into(), |codec| codec.encode(data));
        Stored { cells, in_use: word.cells_in_use(bytes.len() as u32) }
    };
    (0..port.lanes).map(lane).collect()
}

/// The reads of a site in the run of one layer over one read group, word by word.
struct Words<'a> {
    hw: &'a Elaborated,
    site: Site,
    stream: Stream,
    codec: Option<Codec>,
    port: Option<Port<'a>>,
    /// Where writes fail and the site has a code.
    writes: Option<&'a Writes<'a>>,
    word: u32,
    flips: Vec<Flip>,
    events: Events,
}

impl<'a> Words<'a> {
    fn new(
        hw: &'a Elaborated,
        site: Site,
        stream: Stream,
        noise: &Noise,
        tree: &'a Tree,
        writes: Option<&'a Writes<'a>>,
    ) -> Self {
        let (codec, port) = (Codec::new(hw.codeword(site)), Port::new(hw, site, stream, noise, tree));
        let writes = writes.filter(|_| codec.is_some());
        Self { hw, site, stream, codec, port, writes, word: 0, flips: Vec::new(), events: Events::default() }
    }

    /// Reads the next word, which is stored at `address`: `bytes` become what is read.
    fn read(&mut self, address: u32, bytes: &mut [u8]) {
        let (port, word) = (self.hw.port(self.site), self.hw.codeword(self.site));
        let intended = lanes_of(self.hw, self.site, self.codec.as_ref(), bytes);
        let mut stored = intended.clone();
        if let Some(writes) = self.writes {
            for (l, lane) in (0..).zip(&mut stored) {
                let place = [address, 0];
                lane.cells ^= writes.wrong(self.hw, self.site, self.stream.layer, place, l * port.cells, *lane);
            }
        }
        let flips = self.port.as_mut().map_or_else(|| vec![0; stored.len()], |port| port.read(address, &stored));
        let lanes = intended.iter().zip(&stored).zip(flips).zip(bytes.chunks_mut(port.lane_bytes as usize));
        for (l, (((intended, stored), flips), bytes)) in (0..).zip(lanes) {
            for cell in (0..port.cells).filter(|cell| flips >> cell & 1 == 1) {
                let before = stored.cells >> cell & 1 == 1;
                self.flips.push(self.stream.flip(self.site, self.word, port.bit(l, cell), before));
            }
            let data = (intended.cells & word.data_cells()) as u64;
            let read = match &self.codec {
                Some(codec) => self.events.count(word, data, codec.decode(stored.cells ^ flips)),
                None => flips as u64,
            };
            bytes.iter_mut().zip(read.to_le_bytes()).for_each(|(byte, wrong)| *byte ^= wrong);
        }
        self.word += 1;
    }
}

/// Returns the weight words of one read of a layer.
pub fn weight_words(hw: &Elaborated, shape: &LayerShape) -> u32 {
    shape.out_channels.div_ceil(hw.cols) * shape.in_channels * shape.kind.taps()
}

/// Returns the weight words of a layer with weights of this size, in read order: first output channel, input channel, row and
/// column of the tap.
pub fn weight_places(
    hw: &Elaborated,
    (kernels, channels, height, width): (usize, usize, usize, usize),
) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    let (rows, cols) = (hw.rows as usize, hw.cols as usize);
    let tiles = (0..kernels).step_by(cols).flat_map(move |k| (0..channels).step_by(rows).map(move |c| (k, c)));
    let taps = move |(k, c)| (0..height).flat_map(move |r| (0..width).map(move |s| (k, c, r, s)));
    let words = move |(k, c, r, s)| (c..channels.min(c + rows)).map(move |c| (k, c, r, s));
    tiles.flat_map(taps).flat_map(words)
}

/// Reads weights `[K, C, R, S]`, stored from address `first` on, once; returns them as read, the flips and what decoders did.
/// Where writes fail and weights have a code, `writes` left their codewords wrong; without a code `weights` are as stored.
pub fn read_weights(
    hw: &Elaborated,
    weights: &Array4<i8>,
    first: u32,
    stream: Stream,
    noise: &Noise,
    writes: Option<&Writes<'_>>,
) -> (Array4<i8>, Vec<Flip>, Events) {
    let mut noisy = weights.clone();
    let tree = Tree::new(noise.of(Site::Weights));
    let mut words = Words::new(hw, Site::Weights, stream, noise, &tree, writes);
    for (address, (first_k, c, r, s)) in (first..).zip(weight_places(hw, weights.dim())) {
        let live = first_k..weights.dim().0.min(first_k + hw.cols as usize);
        let mut bytes: Vec<u8> = live.clone().map(|k| weights[[k, c, r, s]] as u8).collect();
        words.read(address, &mut bytes);
        live.zip(bytes).for_each(|(k, byte)| noisy[[k, c, r, s]] = byte as i8);
    }
    (noisy, words.flips, words.events)
}

/// Returns the address of the bias of an output channel, counted from that of the layer's first bias.
pub fn bias_address(hw: &Elaborated, k: u32) -> u32 {
    k / hw.cols * hw.column_stride + k % hw.cols
}

/// Reads biases `[K]`, of which the first is stored at address `first`, once, as [`read_weights`] does.
pub fn read_biases(
    hw: &Elaborated,
    biases: &Array1<i32>,
    first: u32,
    stream: Stream,
    noise: &Noise,
    writes: Option<&Writes<'_>>,
) -> (Array1<i32>, Vec<Flip>, Events) {
    let mut noisy = biases.clone();
    let tree = Tree::new(noise.of(Site::Biases));
    let mut words = Words::new(hw, Site::Biases, stream, noise, &tree, writes);
    for (k, bias) in (0..).zip(&mut noisy) {
        let mut bytes = bias.to_le_bytes();
        words.read(first + bias_address(hw, k), &mut bytes);
        *bias = i32::from_le_bytes(bytes);
    }
    (noisy, words.flips, words.events)
}

/// Returns the pixels of a layer in the order in which they enter the array, each as row and column.
pub fn pixel_order(shape: &LayerShape) -> Vec<(usize, usize)> {
    let (height, width) = (shape.height as usize, shape.width as usize);
    let side = if shape.pool { 2 } else { 1 };
    let windows = (0..height).step_by(side).flat_map(|y| (0..width).step_by(side).map(move |x| (y, x)));
    let corners = move |(y, x)| (0..side).flat_map(move |dy| (0..side).map(move |dx| (y + dy, x + dx)));
    windows.flat_map(corners).collect()
}

/// Whether a tap of the kernel, row-major, lies inside the map where the kernel's middle lies on a pixel: else it is padding,
/// and nothing is read.
pub fn lies_inside(shape: &LayerShape, tap: usize, (y, x): (usize, usize)) -> bool {
    let side = if shape.kind == LayerKind::Conv3x3 { 3 } else { 1 };
    let inside = |at: usize, tap: usize, size: u32| (at + tap).wrapping_sub(side / 2) < size as usize;
    inside(y, tap / side, shape.height) && inside(x, tap % side, shape.width)
}

/// Runs a layer over the ifmaps `[C, H, W]` of a read group, stored one after the other from address `first` on, each
/// activation read afresh wherever it is used; weights and biases are as they are. Returns what it gives for each image, and
/// the flips.
pub fn read_activations(
    hw: &Elaborated,
    layer: &Layer,
    ifmaps: &[Array3<i8>],
    first: u32,
    stream: Stream,
    noise: &Noise,
) -> (Vec<LayerOutput>, Vec<Flip>) {
    let tree = Tree::new(noise.of(Site::Activations));
    let mut words = Words::new(hw, Site::Activations, stream, noise, &tree, None);
    let (kernels, channels, taps_y, taps_x) = layer.weights.dim();
    let (rows, cols) = (hw.rows as usize, hw.cols as usize);
    let (height, width) = (layer.shape.height as usize, layer.shape.width as usize);
    let start = Array3::from_shape_fn((kernels, height, width), |(k, ..)| layer.bias[k]);
    let mut sums = vec![start; ifmaps.len()];
    for first_k in (0..kernels).step_by(cols) {
        for first_c in (0..channels).step_by(rows) {
            for (r, c) in (0..taps_y).flat_map(|r| (0..taps_x).map(move |c| (r, c))) {
                for (image, (ifmap, sums)) in ifmaps.iter().zip(&mut sums).enumerate() {
                    for (y, x) in pixel_order(&layer.shape) {
                        // The kernel's middle lies on the pixel.
                        let (from_y, from_x) = ((y + r).wrapping_sub(taps_y / 2), (x + c).wrapping_sub(taps_x / 2));
                        if from_y >= height || from_x >= width {
                            continue;
                        }
                        let part = s![first_c..channels.min(first_c + rows), from_y, from_x];
                        let mut values: Vec<u8> = ifmap.slice(part).iter().map(|&value| value as u8).collect();
                        let fold = image * channels.div_ceil(rows) + first_c / rows;
                        let address = first + ((fold * height + from_y) * width + from_x) as u32;
                        words.read(address, &mut values);
                        for k in first_k..kernels.min(first_k + cols) {
                            for (n, &value) in values.iter().enumerate() {
                                let product = i32::from(value as i8) * i32::from(layer.weights[[k, first_c + n, r, c]]);
                                sums[[k, y, x]] = sums[[k, y, x]].wrapping_add(product);
                            }
                        }
                    }
                }
            }
        }
    }
    (sums.iter().map(|sums| finish(layer, sums)).collect(), words.flips)
}
