//! Verilog to C++ to a shared library: which tools run, with which flags.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::{Cache, key_of};
use crate::process::{Job, run, side_by_side};
use crate::toolchain::{GET_COMPILER, GET_VERILATOR, Toolchain};
use crate::{Design, Effort, Error, Port, Trace, Unknowns, Variant};

const SHIM: &str = include_str!("../shim/shim.cpp");

/// Name of the shared library in a cache entry.
pub(crate) const LIBRARY: &str = "model.so";

/// Optimisation of what runs every cycle. Measured on arrays of 8x8 and 16x16: `-O1` runs 16% slower, `-Os` at 0.4 of the
/// speed, `-O3` and `-march=native` no faster.
const FAST: &str = "-O2";
/// The same for a short run.
const QUICK: &str = "-O1";
/// Optimisation of what runs once: constructors, reset, the list of traced signals.
const SLOW: &str = "-O0";

/// Hidden symbols and no GNU-unique ones: several libraries of this kind share a process and must not share their statics.
const COMPILER_FLAGS: [&str; 13] = [
    "-std=gnu++17",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-gnu-unique",
    "-fno-plt",
    "-fcf-protection=none",
    "-pthread",
    "-w",
    "-DVM_COVERAGE=0",
    "-DVM_SC=0",
    "-DVL_USER_FINISH",
    "-DVL_USER_STOP",
    "-DVL_USER_FATAL",
];

const VERILATOR_FLAGS: [&str; 10] =
    ["--cc", "-O3", "--noassert", "-Wall", "--timescale", "1ns/1ns", "--prefix", "Vhafnia", "--Mdir", WORK];

const LINKER_FLAGS: [&str; 4] = ["-shared", "-pthread", "-Wl,-Bsymbolic", "-Wl,--no-undefined"];

/// What the generated files and the shim include.
const HEADERS: &str = "#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>
#include \"verilated.h\"
";

/// The Verilog in the folder of a build, and the subfolder of what only the build needs.
const VERILOG: &str = "design.v";
const WORK: &str = "work";

/// How one library is built: tools, design and variant.
pub(crate) struct Recipe<'a> {
    pub tools: &'a Toolchain,
    pub design: &'a Design,
    pub variant: Variant,
    pub jobs: usize,
}

impl Recipe<'_> {
    /// The cache key: everything that the library depends on.
    pub(crate) fn key(&self) -> String {
        let fixed = [&VERILATOR_FLAGS[..], &COMPILER_FLAGS, &LINKER_FLAGS, &[SLOW]].concat().join(" ");
        let flags =
            [self.verilator_flags(), self.compiler_flags(), vec![self.optimisation().to_owned()]].concat().join(" ");
        key_of(&[&self.versions(), &fixed, &flags, SHIM, &self.design.ports_header(), &self.design.verilog])
    }

    fn versions(&self) -> String {
        let tools = self.tools;
        let (verilator, compiler) = (tools.verilator.display(), tools.compiler.display());
        let include = tools.include.display();
        format!("{verilator} {}\n{include}\n{compiler} {}", tools.verilator_version, tools.compiler_version)
    }

    /// Optimisation of what runs every cycle.
    fn optimisation(&self) -> &'static str {
        match self.variant.effort {
            Effort::Full => FAST,
            Effort::Quick => QUICK,
        }
    }

    fn verilator_flags(&self) -> Vec<String> {
        let unknowns = match self.variant.unknowns {
            Unknowns::Fast => "fast",
            Unknowns::Randomise { .. } => "unique",
        };
        let mut flags: Vec<String> = ["--x-assign", unknowns, "--x-initial", unknowns].map(String::from).to_vec();
        flags.extend(["--top-module".to_owned(), self.design.top.clone()]);
        flags.extend(self.design.waivers.iter().map(|waiver| format!("-Wno-{waiver}")));
        // What the Verilog itself calls an error is one, whatever is waived: a cell in a mode that its model has not.
        flags.push("-Werror-USERERROR".to_owned());
        match self.variant.trace {
            Trace::None => {}
            Trace::Vcd => flags.push("--trace".into()),
            Trace::Fst => flags.push("--trace-fst".into()),
        }
        flags
    }

    fn compiler_flags(&self) -> Vec<String> {
        let trace: &[&str] = match self.variant.trace {
            Trace::None => &["-DVM_TRACE=0"],
            Trace::Vcd => &["-DVM_TRACE=1", "-DVM_TRACE_VCD=1", "-DHAFNIA_TRACE", "-DHAFNIA_TRACE_VCD"],
            Trace::Fst => &["-DVM_TRACE=1", "-DVM_TRACE_FST=1", "-DHAFNIA_TRACE", "-DHAFNIA_TRACE_FST"],
        };
        let random: &[&str] = match self.variant.unknowns {
            Unknowns::Fast => &[],
            Unknowns::Randomise { .. } => &["-DHAFNIA_RANDOMISE"],
        };
        [trace, random].concat().into_iter().map(String::from).collect()
    }

    /// Builds the library in `folder` and removes what only the build needed.
    pub(crate) fn build(&self, cache: &Cache, folder: &Path) -> Result<(), Error> {
        let work = folder.join(WORK);
        fs::create_dir(&work).map_err(|source| Error::io("create", &work, source))?;
        self.verilate(folder, &work)?;
        check_ports(self.design, &work)?;
        let objects = side_by_side(self.jobs, self.object_jobs(cache, folder, &work)?)?;
        self.link(folder, &objects)?;
        fs::remove_dir_all(&work).map_err(|source| Error::io("remove", &work, source))
    }

    fn verilate(&self, folder: &Path, work: &Path) -> Result<(), Error> {
        write(&folder.join(VERILOG), &self.design.verilog)?;
        write(&work.join("hafnia_ports.h"), &self.design.ports_header())?;
        write(&work.join("shim.cpp"), SHIM)?;
        let mut command = Command::new(&self.tools.verilator);
        // In a folder of its own: Verilator looks for missing modules where it runs.
        command.current_dir(folder).args(VERILATOR_FLAGS).args(self.verilator_flags()).arg(VERILOG);
        run(&mut command, GET_VERILATOR, Some(folder)).map(drop).map_err(|error| match error {
            Error::ToolFailed { message, log, .. } => Error::Lint { top: self.design.top.clone(), message, log },
            other => other,
        })
    }

    /// One job for each group of generated files and one for each runtime object that is not in the cache.
    fn object_jobs<'a>(
        &'a self,
        cache: &'a Cache,
        folder: &'a Path,
        work: &'a Path,
    ) -> Result<Vec<Job<'a, PathBuf>>, Error> {
        let mut jobs: Vec<Job<'a, PathBuf>> = Vec::new();
        for (index, group) in groups(work, self.jobs, self.optimisation())?.into_iter().enumerate() {
            let source = work.join(format!("group{index}.cpp"));
            write(&source, &group.includes)?;
            jobs.push(Box::new(move || self.compile(cache, &source, work, group.optimisation, folder)));
        }
        for source in runtime_sources(self.variant.trace) {
            jobs.push(Box::new(move || self.runtime_object(cache, source)));
        }
        Ok(jobs)
    }

    fn compile(
        &self,
        cache: &Cache,
        source: &Path,
        include: &Path,
        optimisation: &str,
        folder: &Path,
    ) -> Result<PathBuf, Error> {
        let object = source.with_extension("o");
        let mut command = self.compiler(optimisation);
        if self.variant.effort == Effort::Quick {
            command.arg("-include").arg(self.header(cache, optimisation)?);
        }
        command.arg("-I").arg(include).arg("-c").arg(source).arg("-o").arg(&object);
        run(&mut command, GET_COMPILER, Some(folder)).map(|_| object)
    }

    fn compiler(&self, optimisation: &str) -> Command {
        let include = &self.tools.include;
        let mut command = Command::new(&self.tools.compiler);
        command.args(COMPILER_FLAGS).args(self.compiler_flags()).arg(optimisation);
        command.arg("-I").arg(include).arg("-I").arg(include.join("vltstd"));
        command
    }

    /// Reads the headers that every generated file includes, once for each set of flags, and returns the one that includes them. What
    /// was read takes 60 MB and lies beside it, where the compiler looks for it: a small design is then built in 0.3 s instead of 1.0 s.
    fn header(&self, cache: &Cache, optimisation: &str) -> Result<PathBuf, Error> {
        let flags = [&COMPILER_FLAGS.map(String::from)[..], &self.compiler_flags()].concat().join(" ");
        let key = key_of(&[&self.versions(), &flags, optimisation, HEADERS, "headers"]);
        // The compiler takes what it read as it is, damaged or not: the stamp is that of the large file.
        let name = "headers.h.gch";
        let open = |read: &Path| Ok(read.with_extension(""));
        let make = |folder: &Path| {
            let header = folder.join("headers.h");
            write(&header, HEADERS)?;
            let mut command = self.compiler(optimisation);
            command.args(["-x", "c++-header"]).arg(&header).arg("-o").arg(folder.join(name));
            run(&mut command, GET_COMPILER, Some(folder)).map(drop)
        };
        cache.obtain(&key, name, open, make).map(|(header, _)| header)
    }

    /// Compiles a file of Verilator's runtime once for each set of flags.
    fn runtime_object(&self, cache: &Cache, source: &str) -> Result<PathBuf, Error> {
        let flags = [&COMPILER_FLAGS[..], &[FAST, source]].concat().join(" ");
        let key = key_of(&[&self.versions(), &flags, "runtime"]);
        let name = "runtime.o";
        let open = |path: &Path| Ok(path.to_path_buf());
        let make = |folder: &Path| {
            let mut command = Command::new(&self.tools.compiler);
            let include = &self.tools.include;
            command.args(COMPILER_FLAGS).arg(FAST).arg("-DVM_TRACE=1").arg("-I").arg(include);
            command.arg("-I").arg(include.join("vltstd")).arg("-c").arg(include.join(source));
            run(command.arg("-o").arg(folder.join(name)), GET_COMPILER, Some(folder)).map(drop)
        };
        cache.obtain(&key, name, open, make).map(|(object, _)| object)
    }

    fn link(&self, folder: &Path, objects: &[PathBuf]) -> Result<(), Error> {
        let mut command = Command::new(&self.tools.compiler);
        command.args(LINKER_FLAGS).arg("-o").arg(folder.join(LIBRARY));
        command.args(objects);
        if self.variant.trace == Trace::Fst {
            command.arg("-lz");
        }
        run(&mut command, GET_COMPILER, Some(folder)).map(drop)
    }
}

/// Compares the list of ports with the header that Verilator wrote, since the shim copies values by their widths.
fn check_ports(design: &Design, work: &Path) -> Result<(), Error> {
    let header = work.join("Vhafnia.h");
    let text = fs::read_to_string(&header).map_err(|source| Error::io("read", &header, source))?;
    let actual: Vec<Port> = text.lines().filter_map(declared_port).collect();
    if let Some(port) = design.ports.iter().find(|port| !actual.contains(port)) {
        let found = actual.iter().find(|other| other.name == port.name);
        return Err(design.bad_port(format!("it says {port:?}, the Verilog has {found:?}")));
    }
    match actual.iter().find(|port| !design.ports.contains(port)) {
        None => Ok(()),
        Some(port) => Err(design.bad_port(format!("the Verilog has {port:?}, which it does not list"))),
    }
}

/// Reads a line such as `VL_IN8(&clk_i,0,0);`, `VL_OUTW(&data_o,127,0,4);`.
fn declared_port(line: &str) -> Option<Port> {
    let line = line.trim().strip_prefix("VL_")?;
    let (macro_name, rest) = line.split_once('(')?;
    let input = macro_name.starts_with("IN");
    let mut arguments = rest.split([',', ')']);
    let name = arguments.next()?.trim_matches(['&', '(', ' ']);
    let high: u32 = arguments.next()?.trim().parse().ok()?;
    let low: u32 = arguments.next()?.trim().parse().ok()?;
    (input || macro_name.starts_with("OUT")).then(|| Port { name: name.to_owned(), input, width_bits: high - low + 1 })
}

fn runtime_sources(trace: Trace) -> Vec<&'static str> {
    let mut sources = vec!["verilated.cpp", "verilated_threads.cpp"];
    match trace {
        Trace::None => {}
        Trace::Vcd => sources.push("verilated_vcd_c.cpp"),
        Trace::Fst => sources.push("verilated_fst_c.cpp"),
    }
    sources
}

/// Generated files that are compiled together: each file alone would spend most of its time on the same headers.
struct Group {
    includes: String,
    optimisation: &'static str,
    bytes: u64,
}

/// A compiler run on less source than this spends its time on headers.
const WORTH_A_COMPILER_BYTES: u64 = 60_000;

/// Deals the files out, largest first, to as many groups as there are jobs and source for them. The files that run once
/// make a group of their own when they are large.
fn groups(work: &Path, jobs: usize, optimisation: &'static str) -> Result<Vec<Group>, Error> {
    let empty = |optimisation| Group { includes: String::new(), optimisation, bytes: 0 };
    let (slow, fast): (Vec<_>, Vec<_>) = generated_sources(work)?.into_iter().partition(|(name, _)| runs_once(name));
    let total = |sources: &[(PathBuf, u64)]| sources.iter().map(|(_, bytes)| bytes).sum::<u64>();
    let count = jobs.min(1 + (total(&fast) / WORTH_A_COMPILER_BYTES) as usize).max(1);
    let mut groups: Vec<Group> = (0..count).map(|_| empty(optimisation)).collect();
    let own_group = total(&slow) > WORTH_A_COMPILER_BYTES;
    for source in fast.iter().chain(slow.iter().filter(|_| !own_group)) {
        groups.iter_mut().min_by_key(|group| group.bytes).expect("there is at least one group").add(source);
    }
    if own_group {
        let mut group = empty(SLOW);
        slow.iter().for_each(|source| group.add(source));
        groups.push(group);
    }
    Ok(groups)
}

impl Group {
    fn add(&mut self, (name, bytes): &(PathBuf, u64)) {
        self.includes.push_str(&format!("#include \"{}\"\n", name.display()));
        self.bytes += bytes;
    }
}

fn runs_once(name: &Path) -> bool {
    let name = name.to_string_lossy();
    name.ends_with("__Slow.cpp") || name.ends_with("__Syms.cpp")
}

/// Names and sizes of the C++ files in `work`, largest first.
fn generated_sources(work: &Path) -> Result<Vec<(PathBuf, u64)>, Error> {
    let failed = |source| Error::io("read", work, source);
    let mut sources = Vec::new();
    for entry in fs::read_dir(work).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = PathBuf::from(entry.file_name());
        if name.extension().is_some_and(|extension| extension == "cpp") {
            sources.push((name, entry.metadata().map_err(failed)?.len()));
        }
    }
    sources.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    Ok(sources)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::io("write", path, source))
}
