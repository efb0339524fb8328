//! Combined Tausworthe generators, in plain integers.

use hafnia_config::fault::{CELL_GENERATOR, SEED_FIX, SEED_GENERATOR, SEED_LOW_BITS, Tausworthe};

/// Returns the next state of one component: `b = ((z << q) ^ z) >> r; z' = ((z & mask) << s) ^ b`.
pub(crate) const fn step(z: u32, component: &Tausworthe) -> u32 {
    let b = ((z << component.q) ^ z) >> component.r();
    ((z & component.mask()) << component.s) ^ b
}

/// A generator of `N` components; a draw is the XOR of their states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Combined<const N: usize> {
    z: [u32; N],
}

impl<const N: usize> Combined<N> {
    fn draw(&mut self, components: &[Tausworthe; N]) -> u32 {
        let u = self.z.iter().fold(0, |u, z| u ^ z);
        for (z, component) in self.z.iter_mut().zip(components) {
            *z = step(*z, component);
        }
        u
    }
}

/// taus88, one for each draw of a codeword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellGenerator(Combined<3>);

impl CellGenerator {
    /// Returns the generator in the given state.
    pub const fn new(z: [u32; 3]) -> Self {
        Self(Combined { z })
    }

    /// Returns the next 32-bit uniform.
    pub fn draw(&mut self) -> u32 {
        self.0.draw(&CELL_GENERATOR)
    }

    /// Returns the registers.
    pub const fn registers(&self) -> [u32; 3] {
        self.0.z
    }
}

/// LFSR113, which seeds the cell generators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedGenerator(Combined<4>);

impl SeedGenerator {
    /// Returns the generator started from a stream key, see [`hafnia_config::fault::stream_key`].
    pub const fn new(key: [u32; 4]) -> Self {
        Self(Combined { z: key })
    }

    /// Returns the next seed word, with a bit set where it would stop a component.
    pub fn word(&mut self) -> u32 {
        let word = self.0.draw(&SEED_GENERATOR);
        if word >> SEED_LOW_BITS == 0 { word | SEED_FIX } else { word }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Boost.Random's validation value: taus88 started from 341 in every component gives 3535848941 as its 10,000th output.
    /// That library steps before it draws, so its n-th output is our draw n + 1.
    #[test]
    fn taus88_gives_the_published_ten_thousandth_output() {
        let mut generator = CellGenerator::new([341; 3]);
        let mut last = generator.draw();
        for _ in 0..10_000 {
            last = generator.draw();
        }
        assert_eq!(last, 3_535_848_941);
    }

    /// Each component follows a primitive polynomial: the short ones can be walked through a whole period.
    #[test]
    fn the_shortest_component_has_its_full_period() {
        let component = SEED_GENERATOR[3];
        let start = step(SEED_FIX, &component) & component.mask();
        let (mut z, mut period) = (step(start, &component) & component.mask(), 1u32);
        while z != start {
            z = step(z, &component) & component.mask();
            period += 1;
        }
        assert_eq!(period, (1 << component.k) - 1);
    }
}
