//! The same board once more, as yosys makes a netlist of it, and as nextpnr places and routes it: what would be in the device
//! gives what the golden model gives.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use hafnia_config::Elaborated;
use hafnia_config::accel::ProtectionConfig;
use hafnia_config::board;
use hafnia_cosim::board::netlist_design;
use hafnia_gen::generate_board;
use hafnia_pnr::{
    BITSTREAM, NETLIST, Placer, Target, configuration, flatten, netlist_verilog, pack, place_and_route, routed,
};

use super::{Bench, build};
use crate::common::{config, tool};

/// The least array with noise at the weights and a code: what is small is routed soon.
pub fn least() -> Elaborated {
    let mut config = config(2, 2, 2);
    config.array.soft_rows = 1;
    config.memory.weight_words = 512;
    config.memory.map_words = 256;
    config.memory.program_descriptors = 16;
    config.protection = ProtectionConfig::of("secded-22-16".parse().unwrap(), 2);
    config.injector.biases = Default::default();
    config.injector.activations = Default::default();
    config.validate().unwrap()
}

/// Synthesises the board, simulates the netlist, routes it, and simulates what was routed.
#[test]
fn netlist_and_routed_design_give_what_the_golden_model_gives() {
    let (hw, name) = (least(), "ulx3s-25f");
    let board = board::find(name).unwrap();
    let build = build(&board, &hw);
    let generated = generate_board(&build);
    let top = generated.top().name.clone();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = folder.path();
    std::fs::write(folder.join(format!("{top}.v")), &generated.verilog).unwrap();
    std::fs::write(folder.join("pins.lpf"), board.pins()).unwrap();
    let target = Target {
        top: top.clone(),
        pins: "pins.lpf".into(),
        device: board.device.nextpnr().into(),
        package: board.package.clone(),
        speed_grade: board.speed_grade,
    };
    let [yosys, nextpnr] = ["yosys", "nextpnr-ecp5"].map(tool);
    flatten(&yosys, folder, &target, &mut ()).unwrap_or_else(|error| panic!("{error}"));
    let netlist = |file: &str| netlist_verilog(&yosys, folder, file, &top).unwrap_or_else(|error| panic!("{error}"));
    let synthesised = netlist(NETLIST);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let bench = Bench::built(hw.clone(), name, &|build| netlist_design(build, &synthesised));
            let (got, _) = bench.run(bench.line()).unwrap_or_else(|error| panic!("{error}"));
            bench.check(&got);
        });
        // It takes less time than the other.
        let report = place_and_route(&nextpnr, folder, &target, Placer::Static, 1, &mut ())
            .unwrap_or_else(|error| panic!("{error}"));
        println!("routed: {:.1} MHz", report.fmax_mhz);
        unpacks_to_what_was_packed(folder);
        let routed = netlist(&routed(1));
        let bench = Bench::built(hw.clone(), name, &|build| netlist_design(build, &routed));
        bench.at_a_terminal(|port| bench.check(&bench.run(port).unwrap_or_else(|error| panic!("{error}")).0));
    });
}

/// The bitstream, unpacked, is the configuration that was routed, and packed again the same bitstream.
fn unpacks_to_what_was_packed(folder: &Path) {
    let ecppack = tool("ecppack");
    let packed = |seed: u32| {
        pack(&ecppack, folder, seed).unwrap_or_else(|error| panic!("{error}"));
        std::fs::read(folder.join(BITSTREAM)).unwrap()
    };
    let bitstream = packed(1);
    let name = ecppack.file_name().and_then(|name| name.to_str()).expect("a program's name");
    let ecpunpack = ecppack.with_file_name(name.replace("ecppack", "ecpunpack"));
    // As if it were the configuration of another seed.
    let arguments = ["--input", BITSTREAM, "--textcfg", &configuration(2)];
    let output = Command::new(ecpunpack).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let [routed, unpacked] =
        [1, 2].map(|seed| essence(&std::fs::read_to_string(folder.join(configuration(seed))).unwrap()));
    assert!(routed.len() > 100_000, "{} settings", routed.len());
    assert_eq!(routed.symmetric_difference(&unpacked).next(), None);
    assert!(bitstream.len() > 100_000 && bitstream == packed(2));
}

/// Every wire that a configuration leads to another, what each LUT computes and what each block RAM begins with. Both programs leave
/// out some of what is so anyhow, and not the same: modes, LUTs of ones, and wires between a LUT and its output, at the edge clocks, and
/// within hard blocks (J).
fn essence(configuration: &str) -> BTreeSet<(String, String)> {
    let mut place = "";
    let lines = configuration.lines().map(|line| {
        if line.starts_with('.') {
            place = line;
        }
        (place, line)
    });
    let counts = |(place, line): &(&str, &str)| match line.split(' ').collect::<Vec<_>>()[..] {
        ["arc:", to, from] => {
            let output_of_lut = to.len() == 2 && to.starts_with('F');
            !(output_of_lut || to.contains("ECLK") || to.starts_with('J') && from.starts_with('J'))
        }
        ["word:", word, value] => word.ends_with(".INIT") && value.contains('0'),
        _ => place.starts_with(".bram_init") && !line.is_empty(),
    };
    lines.filter(counts).map(|(place, line)| (place.to_owned(), line.to_owned())).collect()
}
