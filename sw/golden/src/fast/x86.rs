//! The kernels for x86-64.

use std::arch::x86_64::*;

use hafnia_config::fault::cell_hash::{CELL_ROUNDS, ROTATIONS};
use hafnia_config::fault::{CELL_GENERATOR, Share, Tausworthe};

use super::cell_draw::PAIRS;
use super::draw::{Complete, NODES};
use super::kernel::{LANES, Sums, requantise_portable};
use super::pack::Constants;
use super::search::{BITS, Found, Plane};
use crate::injector::Marks;

/// Whether the processor has everything that the AVX-512 functions are compiled for.
pub(super) fn has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx512vnni")
}

/// Sets the sums of a tile, see [`super::Isa::tile`].
///
/// # Safety
/// `tile` has `4 * pixels * depth` bytes, `weights` `4 * LANES * vectors * depth`, `sums` `pixels * vectors` entries.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn tile_avx512(
    pixels: usize,
    vectors: usize,
    depth: usize,
    tile: &[u8],
    weights: &[i8],
    sums: &mut [Sums],
) {
    // SAFETY: the caller promises the lengths.
    unsafe {
        match (pixels, vectors) {
            (4, 1) => fixed_avx512::<4, 1, 4>(depth, tile, weights, sums),
            (4, 2) => fixed_avx512::<4, 2, 2>(depth, tile, weights, sums),
            (12, 2) => fixed_avx512::<12, 2, 1>(depth, tile, weights, sums),
            (24, 1) => fixed_avx512::<24, 1, 1>(depth, tile, weights, sums),
            _ => unreachable!("tiles have 4, 12 or 24 pixels"),
        }
    }
}

/// `U` sums are kept of each pixel and output channel, so that no product waits for the one before.
///
/// # Safety
/// As [`tile_avx512`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn fixed_avx512<const P: usize, const V: usize, const U: usize>(
    depth: usize,
    tile: &[u8],
    weights: &[i8],
    sums: &mut [Sums],
) {
    let mut acc = [[[_mm512_setzero_si512(); V]; P]; U];
    let (tile, weights) = (tile.as_ptr(), weights.as_ptr());
    for first in (0..depth).step_by(U) {
        for (u, acc) in acc.iter_mut().enumerate() {
            let step = first + u;
            if step == depth {
                break;
            }
            // SAFETY: step < depth, and the caller promises the lengths.
            unsafe {
                let w: [__m512i; V] =
                    std::array::from_fn(|v| _mm512_loadu_si512(weights.add((step * V + v) * 4 * LANES).cast()));
                for (p, acc) in acc.iter_mut().enumerate() {
                    let x = _mm512_set1_epi32(tile.add((step * P + p) * 4).cast::<i32>().read_unaligned());
                    for (acc, w) in acc.iter_mut().zip(w) {
                        *acc = _mm512_dpbusd_epi32(*acc, x, w);
                    }
                }
            }
        }
    }
    for (n, sums) in sums.iter_mut().enumerate() {
        let sum = acc.iter().fold(_mm512_setzero_si512(), |sum, acc| _mm512_add_epi32(sum, acc.as_flattened()[n]));
        // SAFETY: a `Sums` has the size of the register.
        unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), sum) };
    }
}

/// Sets the sums of a tile, see [`super::Isa::tile`]. Bytes are widened first: the byte product of AVX2 saturates.
///
/// # Safety
/// As [`tile_avx512`].
#[target_feature(enable = "avx2")]
pub(super) unsafe fn tile_avx2(
    pixels: usize,
    vectors: usize,
    depth: usize,
    tile: &[u8],
    weights: &[i8],
    sums: &mut [Sums],
) {
    let (tile, weights) = (tile.as_ptr(), weights.as_ptr());
    // Four pixels and four output channels at a time: each register of sums holds two halves of each channel's sum.
    for first in (0..pixels).step_by(4) {
        for quarter in 0..vectors * LANES / 4 {
            let mut acc = [_mm256_setzero_si256(); 4];
            for step in 0..depth {
                // SAFETY: all offsets lie within the lengths that the caller promises.
                unsafe {
                    let w = weights.add((step * vectors * LANES + quarter * 4) * 4);
                    let w = _mm256_cvtepi8_epi16(_mm_loadu_si128(w.cast()));
                    for (p, acc) in acc.iter_mut().enumerate() {
                        let x = tile.add((step * pixels + first + p) * 4).cast::<i32>().read_unaligned();
                        let x = _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(x)));
                        *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(x, w));
                    }
                }
            }
            for (p, acc) in acc.iter().enumerate() {
                let mut halves = [0i32; 8];
                // SAFETY: the array has the size of the register.
                unsafe { _mm256_storeu_si256(halves.as_mut_ptr().cast(), *acc) };
                let lane = quarter * 4 % LANES;
                let sums = &mut sums[(first + p) * vectors + quarter * 4 / LANES][lane..lane + 4];
                for (sum, halves) in sums.iter_mut().zip(halves.chunks_exact(2)) {
                    *sum = halves[0].wrapping_add(halves[1]);
                }
            }
        }
    }
}

/// Begins to fetch what is at this place into the cache.
pub(super) fn prefetch(place: &i8) {
    // SAFETY: the place is there, and nothing is read.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place)) }
}

/// The plain requantisation, compiled for 64-bit products and shifts of AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn requantise_avx512(sums: &[Sums], stride: usize, constants: &Constants) -> [u8; LANES] {
    requantise_portable(sums, stride, constants)
}

/// The plain requantisation, compiled for AVX2.
#[target_feature(enable = "avx2")]
pub(super) fn requantise_avx2(sums: &[Sums], stride: usize, constants: &Constants) -> [u8; LANES] {
    requantise_portable(sums, stride, constants)
}

/// One component of sixteen cell generators, one draw on.
#[target_feature(enable = "avx512f")]
fn step<const Q: u32, const R: u32, const S: u32>(z: __m512i, mask: u32) -> __m512i {
    let b = _mm512_srli_epi32::<R>(_mm512_xor_si512(_mm512_slli_epi32::<Q>(z), z));
    // b ^ (z << S & mask << S)
    _mm512_ternarylogic_epi32::<0x78>(b, _mm512_slli_epi32::<S>(z), _mm512_set1_epi32((mask << S) as i32))
}

/// Sixteen cell generators, one draw on.
#[target_feature(enable = "avx512f")]
fn advanced([z0, z1, z2]: [__m512i; 3]) -> [__m512i; 3] {
    const C: [Tausworthe; 3] = CELL_GENERATOR;
    [
        step::<{ C[0].q }, { C[0].r() }, { C[0].s }>(z0, C[0].mask()),
        step::<{ C[1].q }, { C[1].r() }, { C[1].s }>(z1, C[1].mask()),
        step::<{ C[2].q }, { C[2].r() }, { C[2].s }>(z2, C[2].mask()),
    ]
}

/// [`Found::find`], a bit of all stretches at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn find_avx512(draws: u32, threshold: u32, first: bool, found: &mut Found) {
    found.find(draws, first, |registers| at_most(registers, threshold));
}

/// The stretches whose draw is at most a threshold.
#[target_feature(enable = "avx512f")]
#[inline]
fn at_most([x, y, z]: [&[Plane; BITS]; 3], threshold: u32) -> Plane {
    // Draws that equal the threshold so far, and those that are less.
    let (mut equal, mut less) = (_mm512_set1_epi64(-1), _mm512_setzero_si512());
    let bit = |n: usize| _mm512_ternarylogic_epi64::<0x96>(plane(&x[n]), plane(&y[n]), plane(&z[n]));
    for (byte, first) in threshold.to_be_bytes().into_iter().zip((0..).step_by(8)) {
        for n in 0..8 {
            if byte >> (7 - n) & 1 == 1 {
                less = _mm512_ternarylogic_epi64::<0xf4>(less, equal, bit(first + n));
                equal = _mm512_and_si512(equal, bit(first + n));
            } else {
                equal = _mm512_andnot_si512(bit(first + n), equal);
            }
        }
        // Few are equal so far, soon none.
        if _mm512_test_epi64_mask(equal, equal) == 0 {
            break;
        }
    }
    let mut hit = Plane::default();
    // SAFETY: a `Plane` has the size of the register.
    unsafe { _mm512_storeu_si512(hit.0.as_mut_ptr().cast(), _mm512_or_si512(less, equal)) };
    hit
}

#[target_feature(enable = "avx512f")]
#[inline]
fn plane(plane: &Plane) -> __m512i {
    // SAFETY: a `Plane` has the size of the register.
    unsafe { _mm512_loadu_si512(plane.0.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
fn load(words: &[u32; 16]) -> __m512i {
    // SAFETY: the array has the size of the register.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

/// Draws for as many codewords as `marks` has room for, see [`Complete`]; `states` are the generators of the nodes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi2")]
pub(super) fn draw_avx512(tree: &Complete, states: &[[u32; NODES]; 3], marks: &mut [Marks]) {
    walk_avx512(tree, states, marks, |_, cells, _| cells);
}

/// The same with candidates that are thinned.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi2")]
pub(super) fn draw_and_keep_avx512(tree: &Complete, share: &Share, states: &[[u32; NODES]; 3], marks: &mut [Marks]) {
    let leaves = (1u64 << (tree.levels - 1)) - 1;
    walk_avx512(tree, states, marks, |draws, cells, both| {
        // Nodes of two cells are the last level.
        let below = |threshold: u32| {
            let limit = _mm512_set1_epi32(threshold as i32);
            let part = |g: usize| u64::from(_mm512_cmplt_epu32_mask(draws[g], limit)) << (16 * g);
            (0..GROUPS).map(part).fold(0, |mask, part| mask | part) >> leaves
        };
        let both = both >> leaves;
        let low = (both & below(share.both_lower)) | (!both & below(share.lower));
        let upper_alone = below(share.both_upper) & !below(share.both_lower);
        let high = (both & (below(share.both_both) | upper_alone)) | (!both & below(share.upper));
        cells & (_pdep_u64(low, 0x5555_5555_5555_5555) | _pdep_u64(high, 0xaaaa_aaaa_aaaa_aaaa))
    });
}

/// The walk of both. `keep` returns which candidates are kept, given the draws of all nodes, the candidates, and the nodes
/// whose draw says that both halves hold one.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi2")]
#[inline]
fn walk_avx512(
    tree: &Complete,
    states: &[[u32; NODES]; 3],
    marks: &mut [Marks],
    keep: impl Fn(&[__m512i; GROUPS], u64, u64) -> u64,
) {
    let both = groups(&tree.both);
    let left = groups(&tree.left);
    let [mut z0, mut z1, mut z2] = [groups(&states[0]), groups(&states[1]), groups(&states[2])];
    for marks in marks {
        let (mut both_hit, mut left_hit) = (0u64, 0u64);
        let mut draws = [_mm512_setzero_si512(); GROUPS];
        for g in 0..GROUPS {
            let u = _mm512_ternarylogic_epi32::<0x96>(z0[g], z1[g], z2[g]);
            both_hit |= u64::from(_mm512_cmple_epu32_mask(u, both[g])) << (16 * g);
            left_hit |= u64::from(_mm512_cmple_epu32_mask(u, left[g])) << (16 * g);
            draws[g] = u;
        }
        // Nodes of one level that hold a candidate, and of all levels.
        let (mut level, mut holds) = (1u64, 0u64);
        for l in 0..tree.levels {
            let first = (1 << l) - 1;
            holds |= level << first;
            let lower = level & (left_hit >> first);
            let upper = level & (both_hit | !left_hit) >> first;
            level = _pdep_u64(lower, 0x5555_5555_5555_5555) | _pdep_u64(upper, 0xaaaa_aaaa_aaaa_aaaa);
        }
        *marks = Marks { cells: level.into(), kept: keep(&draws, level, both_hit).into() };
        for g in 0..GROUPS {
            let hold = (holds >> (16 * g)) as u16;
            let next = advanced([z0[g], z1[g], z2[g]]);
            z0[g] = _mm512_mask_mov_epi32(z0[g], hold, next[0]);
            z1[g] = _mm512_mask_mov_epi32(z1[g], hold, next[1]);
            z2[g] = _mm512_mask_mov_epi32(z2[g], hold, next[2]);
        }
    }
}

/// Registers of a word for each node.
const GROUPS: usize = NODES / 16;

#[target_feature(enable = "avx512f")]
fn groups(words: &[u32; NODES]) -> [__m512i; GROUPS] {
    let mut groups = [_mm512_setzero_si512(); GROUPS];
    for (group, words) in groups.iter_mut().zip(words.as_chunks().0) {
        *group = load(words);
    }
    groups
}

/// The cells whose draws are less than each of some thresholds, see [`super::cell_draw::LaneCells::below`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi2")]
pub(super) fn cells_below_avx512<const N: usize>(
    constants: &[[u32; PAIRS]; 2],
    [x, y]: [u32; 2],
    thresholds: [u32; N],
) -> [u64; N] {
    let [c0, c1] = constants.each_ref().map(|constants| constants.as_chunks().0);
    let (mut even, mut odd) = ([0; N], [0; N]);
    for (group, (c0, c1)) in c0.iter().zip(c1).enumerate() {
        let mut a = _mm512_xor_si512(load(c0), _mm512_set1_epi32(x as i32));
        let mut b = _mm512_xor_si512(load(c1), _mm512_set1_epi32(y as i32));
        for _ in 0..CELL_ROUNDS {
            a = _mm512_add_epi32(_mm512_ror_epi32::<{ ROTATIONS.0 as i32 }>(a), b);
            b = _mm512_xor_si512(_mm512_rol_epi32::<{ ROTATIONS.1 as i32 }>(b), a);
        }
        for (n, threshold) in thresholds.iter().enumerate() {
            let limit = _mm512_set1_epi32(*threshold as i32);
            even[n] |= u64::from(_mm512_cmplt_epu32_mask(a, limit)) << (16 * group);
            odd[n] |= u64::from(_mm512_cmplt_epu32_mask(b, limit)) << (16 * group);
        }
    }
    std::array::from_fn(|n| _pdep_u64(even[n], 0x5555_5555_5555_5555) | _pdep_u64(odd[n], 0xaaaa_aaaa_aaaa_aaaa))
}
