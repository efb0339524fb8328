//! The second level of the draw, see [`crate::injector`], for the codewords of a lane: all nodes of the tree at once.
//!
//! A codeword of 2 to 64 cells, a power of two, has a complete tree, whose nodes, level by level, fit the lanes of four
//! registers. Every node draws as if it held a flip; which ones do is worked out from the root down, on the bits of the
//! comparisons, and only their generators advance. That takes as long as one path of the plain walk does, however many
//! cells flip.

use hafnia_config::fault::{Keep, NodeThresholds};

use crate::injector::{Lane, Marks, Tree};

/// Nodes that fit, and one more.
pub(super) const NODES: usize = 64;

/// The thresholds of a complete tree, breadth first.
#[derive(Clone, Debug)]
pub(super) struct Complete {
    /// Levels of nodes.
    pub levels: u32,
    pub both: [u32; NODES],
    pub left: [u32; NODES],
    pub keep: Option<Keep>,
}

impl Complete {
    /// Returns the tree for the registers of this processor; none where either does not allow it.
    pub(super) fn of(tree: &Tree) -> Option<Self> {
        let thresholds: Vec<NodeThresholds> = tree.thresholds().collect();
        let cells = thresholds.len() + 1;
        if !cells.is_power_of_two() || cells > NODES || !has_wide_draw() {
            return None;
        }
        let mut complete = Self { levels: cells.ilog2(), both: [0; NODES], left: [0; NODES], keep: tree.keep() };
        for (n, node) in thresholds.iter().enumerate() {
            (complete.both[n], complete.left[n]) = (node.both, node.left);
        }
        Some(complete)
    }

    /// Draws for `count` codewords of a fresh lane and puts their candidates into `marks`.
    fn draw(&self, lane: &Lane<'_>, count: usize, marks: &mut Vec<Marks>) {
        let mut states = [[0; NODES]; 3];
        for (n, generator) in lane.nodes().iter().enumerate() {
            states.iter_mut().zip(generator.registers()).for_each(|(states, register)| states[n] = register);
        }
        marks.resize(count, Marks::default());
        // SAFETY: `Complete` is made where the processor has what the function is compiled for.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            match &self.keep {
                None => super::x86::draw_avx512(self, &states, marks),
                Some(keep) => super::x86::draw_and_keep_avx512(self, &keep.pair, &states, marks),
            }
        }
    }
}

/// Draws for `count` codewords of a fresh lane that are known to hold a candidate, and puts their candidates into `marks`.
pub(super) fn draw(complete: Option<&Complete>, lane: &mut Lane<'_>, count: usize, marks: &mut Vec<Marks>) {
    if let Some(complete) = complete {
        return complete.draw(lane, count, marks);
    }
    marks.clear();
    marks.extend((0..count).map(|_| lane.marks()));
}

/// Whether this processor has what draws of many cells at once are compiled for.
pub(super) fn has_wide_draw() -> bool {
    #[cfg(target_arch = "x86_64")]
    return super::x86::has_avx512() && std::arch::is_x86_feature_detected!("bmi2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(test)]
mod tests {
    use hafnia_config::fault::{Rates, Site, Thresholds, stream_key};

    use super::*;
    use crate::injector::seeded_lanes;

    #[test]
    fn all_nodes_at_once_mark_the_cells_of_the_plain_walk() {
        if !has_wide_draw() {
            println!("this processor has no draw of all nodes at once");
            return;
        }
        let rates = [1e-4, 1e-2, 0.3, 0.5, 1.0].map(Rates::from);
        let uneven = [(0.3, 0.2), (0.0, 0.5), (1.0, 0.1)].map(|(p01, p10)| Rates { p01, p10 });
        for cells in [2, 8, 16, 32, 64] {
            for rates in rates.into_iter().chain(uneven) {
                let tree = Tree::new(&Thresholds::new(rates, cells).unwrap());
                let complete = Complete::of(&tree).expect("a complete tree");
                let lane = seeded_lanes(stream_key(3, Site::Weights, 1, cells), 1, &tree).remove(0);
                let (mut plain, mut wide) = (Vec::new(), vec![Marks::default(); 3]);
                draw(None, &mut lane.clone(), 2000, &mut plain);
                complete.draw(&lane, 2000, &mut wide);
                assert!(plain == wide, "{cells} cells, {rates:?}");
            }
        }
        let incomplete = |n| Complete::of(&Tree::new(&Thresholds::new(0.1, n).unwrap())).is_none();
        assert!([12, 65, 128].into_iter().all(incomplete));
    }
}
