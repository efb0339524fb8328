//! One tile: the sums of some pixels with a block of output channels, on whatever instructions the processor has.

use super::pack::Constants;

/// Output channels of one vector.
pub(super) const LANES: usize = 16;

/// Sums of one pixel with the output channels of one vector.
pub(super) type Sums = [i32; LANES];

/// The instructions that the dot products use. All give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512 VNNI: 64 products an instruction.
    Avx512Vnni,
    /// AVX2: 16 products an instruction.
    Avx2,
    /// Plain Rust.
    Portable,
}

impl Isa {
    /// All, best first.
    pub const ALL: [Self; 3] = [Self::Avx512Vnni, Self::Avx2, Self::Portable];

    /// Returns whether this processor has them.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => super::x86::has_avx512(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => std::arch::is_x86_feature_detected!("avx2"),
            Self::Portable => true,
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// Returns the best that this processor has.
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|isa| isa.is_available()).expect("plain Rust runs everywhere")
    }

    /// Sets `sums` (`pixels` x `vectors`) to the products of a tile with a block of weights. `tile` holds, step by step,
    /// four bytes for each pixel; `weights`, step by step, four bytes for each output channel.
    pub(super) fn tile(self, pixels: usize, vectors: usize, tile: &[u8], weights: &[i8], sums: &mut [Sums]) {
        let depth = weights.len() / (4 * LANES * vectors);
        assert_eq!(tile.len(), depth * pixels * 4, "as many steps of pixels as of weights");
        assert_eq!(sums.len(), pixels * vectors, "sums for each pixel and vector");
        match self {
            // SAFETY: an `Engine` is made for instructions that the processor has, and the lengths were checked.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { super::x86::tile_avx512(pixels, vectors, depth, tile, weights, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { super::x86::tile_avx2(pixels, vectors, depth, tile, weights, sums) },
            _ => tile_portable(pixels, vectors, tile, weights, sums),
        }
    }

    /// Requantises the largest of some sums, `stride` apart, with ReLU, Eqs. (Q3) and (Q4), to bytes of a [`super::Map`].
    /// Requantisation is monotonic, so the largest comes first.
    pub(super) fn requantise(self, sums: &[Sums], stride: usize, constants: &Constants) -> [u8; LANES] {
        match self {
            // SAFETY: an `Engine` is made for instructions that the processor has.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { super::x86::requantise_avx512(sums, stride, constants) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { super::x86::requantise_avx2(sums, stride, constants) },
            _ => requantise_portable(sums, stride, constants),
        }
    }
}

fn tile_portable(pixels: usize, vectors: usize, tile: &[u8], weights: &[i8], sums: &mut [Sums]) {
    sums.fill([0; LANES]);
    for (pixels, weights) in tile.chunks_exact(4 * pixels).zip(weights.chunks_exact(4 * LANES * vectors)) {
        for (pixel, sums) in pixels.chunks_exact(4).zip(sums.chunks_exact_mut(vectors)) {
            for (weights, sums) in weights.chunks_exact(4 * LANES).zip(sums) {
                for (weights, sum) in weights.chunks_exact(4).zip(sums) {
                    let products = pixel.iter().zip(weights).map(|(&x, &w)| i32::from(x) * i32::from(w));
                    *sum = sum.wrapping_add(products.sum());
                }
            }
        }
    }
}

#[inline(always)]
pub(super) fn requantise_portable(sums: &[Sums], stride: usize, constants: &Constants) -> [u8; LANES] {
    let mut largest = [i32::MIN; LANES];
    for sums in sums.iter().step_by(stride) {
        for (i, largest) in largest.iter_mut().enumerate() {
            *largest = sums[i].wrapping_add(constants.start[i]).max(*largest);
        }
    }
    let mut bytes = [0; LANES];
    for (i, byte) in bytes.iter_mut().enumerate() {
        let rounded = (i64::from(largest[i]) * constants.m[i] + constants.half[i]) >> constants.s[i];
        *byte = rounded.clamp(0, 127) as u8 ^ super::map::OFFSET;
    }
    bytes
}
