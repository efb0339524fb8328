//! Synthesis. Without flattening each distinct module is synthesised once, so 8x8 takes half a minute; the counts are those of
//! the whole hierarchy. Flattened, the LUT4 are some 20% fewer, and DSP and block RAM the same.

use std::collections::BTreeMap;
use std::path::Path;

use hafnia_config::price::Cells;
use serde_json::Value;

use crate::board::NETLIST;
use crate::run::{Error, report, run};

/// The file of yosys's statistics.
const STATISTICS: &str = "stat.json";
const WANTED: &str = "how many cells of each type there are";

/// Cells by type.
pub type Counts = BTreeMap<String, u64>;

/// Returns how many cells of this type there are.
pub fn count(cells: &Counts, kind: &str) -> u64 {
    cells.get(kind).copied().unwrap_or(0)
}

/// Cells of each module, and of the whole hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synthesis {
    /// Those of each module; modules in it count as types.
    pub modules: BTreeMap<String, Counts>,
    /// Those of all.
    pub total: Counts,
}

/// Returns the script of the module `top`, whose file is named for it.
pub fn script(top: &str) -> String {
    format!(
        "read_verilog {top}.v; synth_ecp5 -top {top} -noflatten; tee -q -o {STATISTICS} stat -json -top {top}; \
         setattr -mod -unset keep_hierarchy *; flatten; write_json {NETLIST}"
    )
}

/// Synthesises the module `top` of the Verilog in `folder`, and leaves netlist and statistics there.
///
/// # Errors
/// yosys cannot be run, fails, or does not tell what it counted.
pub fn synthesise(yosys: &Path, folder: &Path, top: &str) -> Result<Synthesis, Error> {
    run(yosys, &["-q".to_owned(), "-p".to_owned(), script(top)], folder, &mut ())?;
    let path = folder.join(STATISTICS);
    let found = report(&path, WANTED)?;
    read(&found).ok_or(Error::Report { path, wanted: WANTED })
}

fn read(found: &Value) -> Option<Synthesis> {
    let counts = |part: &Value| -> Option<Counts> {
        let counts = part["num_cells_by_type"].as_object()?.iter();
        counts.map(|(kind, n)| Some((kind.clone(), n.as_u64()?))).collect()
    };
    let modules = found["modules"].as_object()?.iter();
    let modules = modules.map(|(name, part)| Some((name.trim_start_matches('\\').to_owned(), counts(part)?)));
    Some(Synthesis { modules: modules.collect::<Option<_>>()?, total: counts(&found["design"])? })
}

impl Synthesis {
    /// Returns the cells that are priced.
    pub fn cells(&self) -> Cells {
        let count = |kind: &str| count(&self.total, kind);
        Cells {
            lut4: count("LUT4"),
            ccu2c: count("CCU2C"),
            ff: count("TRELLIS_FF"),
            dp16kd: count("DP16KD"),
            mult18x18d: count("MULT18X18D"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_read_and_others_are_none() {
        let text = r#"{ "modules": { "\\a": { "num_cells_by_type": { "LUT4": 2 } } },
                        "design": { "num_cells_by_type": { "LUT4": 4, "DP16KD": 1 } } }"#;
        let synthesis = read(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(synthesis.modules["a"]["LUT4"], 2);
        assert_eq!(synthesis.cells().counts(), [4, 0, 0, 1, 0]);
        assert_eq!(read(&serde_json::json!({ "modules": {} })), None);
    }
}
