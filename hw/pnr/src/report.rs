//! What nextpnr reports of a placed and routed design.

use std::collections::BTreeMap;

use serde_json::Value;

/// How much of a resource is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Used.
    pub used: u64,
    /// There are.
    pub available: u64,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Hop {
    /// `clk-to-q`, `logic`, `routing`, `setup` or `source`.
    pub kind: String,
    /// Where it ends: cell and port.
    pub to: String,
    /// Delay in ns.
    pub ns: f64,
}

/// The slowest path of a clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Where it begins: cell and port.
    pub from: String,
    /// Its steps.
    pub hops: Vec<Hop>,
}

impl Path {
    /// Returns its delay in ns.
    pub fn ns(&self) -> f64 {
        self.hops.iter().map(|hop| hop.ns).sum()
    }

    /// Returns the part of it that is routing, in ns.
    pub fn routing_ns(&self) -> f64 {
        self.hops.iter().filter(|hop| hop.kind == "routing").map(|hop| hop.ns).sum()
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let to = self.hops.last().map_or("", |hop| &hop.to);
        let levels = self.hops.iter().filter(|hop| hop.kind == "logic").count();
        let (all, routing) = (self.ns(), self.routing_ns());
        write!(f, "from {} to {to}: {all:.2} ns, {routing:.2} ns of it routing, through {levels} cells", self.from)
    }
}

/// The report.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The clock that was asked for, in MHz.
    pub wanted_mhz: f64,
    /// The clock that is possible, in MHz.
    pub fmax_mhz: f64,
    /// Resources by nextpnr's names: TRELLIS_COMB (LUT4), TRELLIS_FF, DP16KD, MULT18X18D and others.
    pub utilisation: BTreeMap<String, Use>,
    /// The slowest path inside the clock.
    pub path: Path,
}

impl Report {
    /// Returns the time that is left of a clock period, in ns; less than 0 where the clock is too fast.
    pub fn slack_ns(&self) -> f64 {
        slack_ns(self.wanted_mhz, self.fmax_mhz)
    }

    /// Returns the report without so many LUTs.
    pub fn without_luts(mut self, luts: u64) -> Self {
        if let Some(combs) = self.utilisation.get_mut("TRELLIS_COMB") {
            combs.used = combs.used.saturating_sub(luts);
        }
        self
    }

    /// Reads nextpnr's JSON; none if it tells no clock with a limit. The clock with the least slack counts.
    pub(crate) fn read(found: &Value) -> Option<Self> {
        let clocks = found["fmax"]
            .as_object()?
            .iter()
            .filter_map(|(name, clock)| Some((name, clock["achieved"].as_f64()?, clock["constraint"].as_f64()?)));
        let slack = |&(_, achieved, wanted): &(&String, f64, f64)| slack_ns(wanted, achieved);
        let (clock, fmax_mhz, wanted_mhz) = clocks.min_by(|a, b| slack(a).total_cmp(&slack(b)))?;
        let inside = |path: &&Value| {
            let of = |end: &str| path[end].as_str().is_some_and(|text| text.ends_with(&**clock));
            of("from") && of("to")
        };
        let path = path(found["critical_paths"].as_array()?.iter().find(inside)?)?;
        let utilisation = found["utilization"].as_object()?.iter().map(|(name, value)| {
            Some((name.clone(), Use { used: value["used"].as_u64()?, available: value["available"].as_u64()? }))
        });
        Some(Self { wanted_mhz, fmax_mhz, utilisation: utilisation.collect::<Option<_>>()?, path })
    }
}

/// What the limit leaves of a period of the clock wanted.
fn slack_ns(wanted_mhz: f64, fmax_mhz: f64) -> f64 {
    1e3 / wanted_mhz - 1e3 / fmax_mhz
}

fn path(found: &Value) -> Option<Path> {
    let place = |end: &Value| Some(format!("{}.{}", end["cell"].as_str()?, end["port"].as_str()?));
    let steps = found["path"].as_array()?;
    let hops = steps.iter().map(|hop| {
        Some(Hop { kind: hop["type"].as_str()?.to_owned(), to: place(&hop["to"])?, ns: hop["delay"].as_f64()? })
    });
    Some(Path { from: place(&steps.first()?["from"])?, hops: hops.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_with_the_least_slack_counts() {
        let hop = |kind: &str, delay: f64| serde_json::json!({ "type": kind, "delay": delay, "from": { "cell": "a", "port": "Q" }, "to": { "cell": "b", "port": "D" } });
        let found = serde_json::json!({
            "fmax": { "osc": { "achieved": 300.0, "constraint": 25.0 }, "clk": { "achieved": 50.0, "constraint": 40.0 } },
            "critical_paths": [
                { "from": "<async>", "to": "posedge clk", "path": [hop("routing", 9.0)] },
                { "from": "posedge clk", "to": "posedge clk", "path": [hop("clk-to-q", 0.5), hop("routing", 19.5)] },
            ],
            "utilization": { "DP16KD": { "used": 3, "available": 56 } },
        });
        let report = Report::read(&found).unwrap();
        assert_eq!((report.wanted_mhz, report.fmax_mhz, report.slack_ns()), (40.0, 50.0, 5.0));
        assert_eq!(report.path.to_string(), "from a.Q to b.D: 20.00 ns, 19.50 ns of it routing, through 0 cells");
        assert_eq!(report.utilisation["DP16KD"], Use { used: 3, available: 56 });
        assert_eq!(Report::read(&serde_json::json!({ "fmax": {} })), None);
    }
}
