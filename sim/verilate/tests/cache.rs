//! The cache: hits, keys, damage, races, and builds that cannot end well.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::SystemTime;

use common::{WIDTH, model, shared_folder, started, toy};
use hafnia_verilate::{Builder, Design, Effort, Error, Model, Notice, Port, Trace, Unknowns, Variant};

/// A design that compiles fast; `text` makes it one of its own.
fn tiny(text: &str) -> Design {
    let ports = vec![Port::input("clk_i", 1), Port::output("count_o", 8)];
    let verilog = format!(
        "// {text}\nmodule tiny(input wire clk_i, output reg [7:0] count_o);\n\
         always @(posedge clk_i) count_o <= count_o + 8'd1;\nendmodule\n"
    );
    Design { top: "tiny".into(), verilog, ports, waivers: vec!["DECLFILENAME".into()] }
}

/// A cache folder of its own, with Verilator's runtime copied from the shared one so that it is not compiled again.
/// A folder that another test is still filling is not copied.
fn own_folder() -> tempfile::TempDir {
    model(WIDTH, Trace::None, Unknowns::Fast);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for entry in fs::read_dir(shared_folder()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_none() && entry.join("runtime.o").is_file() {
            let copy = folder.path().join(entry.file_name().unwrap());
            fs::create_dir(&copy).unwrap();
            for name in ["runtime.o", "stamp.json"] {
                fs::copy(entry.join(name), copy.join(name)).unwrap();
            }
        }
    }
    folder
}

fn build(folder: &Path, design: &Design) -> Result<Model, Error> {
    Builder::new().folder(folder).build(design, Variant::default())
}

fn changed(model: &Model) -> SystemTime {
    fs::metadata(model.folder().join("model.so")).unwrap().modified().unwrap()
}

/// Everything in the folder that is not a lock, a log or what all libraries share: a part of Verilator's runtime, headers.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let ends = |path: &PathBuf, ending: &str| path.extension().is_some_and(|extension| extension == ending);
    let shared = |path: &PathBuf| ["runtime.o", "headers.h"].iter().any(|name| path.join(name).exists());
    all.filter(|path| !ends(path, "lock") && !ends(path, "log") && !shared(path)).collect()
}

#[test]
fn second_build_is_a_hit_and_touches_nothing() {
    let folder = own_folder();
    let first = build(folder.path(), &tiny("hit")).unwrap();
    assert!(!first.from_cache());
    let built = changed(&first);
    let second = build(folder.path(), &tiny("hit")).unwrap();
    assert!(second.from_cache());
    assert_eq!((second.folder(), changed(&second)), (first.folder(), built));
}

#[test]
fn anything_that_changes_the_library_changes_its_key() {
    let folder = own_folder();
    let first = build(folder.path(), &tiny("one")).unwrap();
    let other_text = build(folder.path(), &tiny("two")).unwrap();
    let random = Variant { unknowns: Unknowns::Randomise { seed: 1 }, ..Variant::default() };
    let other_variant = Builder::new().folder(folder.path()).build(&tiny("one"), random).unwrap();
    assert_ne!(first.folder(), other_text.folder());
    assert_ne!(first.folder(), other_variant.folder());
    let quick = Variant { effort: Effort::Quick, ..Variant::default() };
    assert_ne!(first.folder(), Builder::new().folder(folder.path()).build(&tiny("one"), quick).unwrap().folder());
    let other_seed = Variant { unknowns: Unknowns::Randomise { seed: 2 }, ..Variant::default() };
    assert!(Builder::new().folder(folder.path()).build(&tiny("one"), other_seed).unwrap().from_cache());
}

#[test]
fn damaged_entry_is_built_again_with_a_notice() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("missing library", |entry| fs::remove_file(entry.join("model.so")).unwrap()),
        ("cut library", |entry| fs::write(entry.join("model.so"), b"\x7fELF").unwrap()),
        ("missing stamp", |entry| fs::remove_file(entry.join("stamp.json")).unwrap()),
        ("damaged stamp", |entry| fs::write(entry.join("stamp.json"), b"{").unwrap()),
    ];
    let folder = own_folder();
    for (name, damage) in damages {
        let entry = build(folder.path(), &tiny("damaged")).unwrap().folder().to_path_buf();
        damage(&entry);
        let notices = Mutex::new(Vec::new());
        let builder =
            Builder::new().folder(folder.path()).notice(|notice| notices.lock().unwrap().push(notice.clone()));
        let again = builder.build(&tiny("damaged"), Variant::default()).unwrap();
        assert!(!again.from_cache(), "{name}");
        again.dut().unwrap().step(3).unwrap();
        let notices = notices.lock().unwrap();
        assert!(matches!(&notices[0], Notice::Rebuilding { .. }), "{name}: {notices:?}");
        assert!(notices[0].to_string().contains("made again"), "{}", notices[0]);
    }
}

/// The compiler would take damaged headers without a word.
#[test]
fn damaged_headers_are_read_again_with_a_notice() {
    let folder = own_folder();
    let notices = Mutex::new(Vec::new());
    let quick = |text: &str| {
        let builder =
            Builder::new().folder(folder.path()).notice(|notice| notices.lock().unwrap().push(notice.clone()));
        builder.build(&tiny(text), Variant { effort: Effort::Quick, ..Variant::default() }).unwrap()
    };
    quick("whole");
    assert!(matches!(&notices.lock().unwrap()[..], [Notice::Building { .. }]));
    let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let read: Vec<_> = entries.map(|entry| entry.join("headers.h.gch")).filter(|read| read.exists()).collect();
    assert!(!read.is_empty());
    for read in &read {
        let mut bytes = fs::read(read).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(read, bytes).unwrap();
    }
    quick("damaged").dut().unwrap().step(3).unwrap();
    let notices = notices.lock().unwrap();
    let expected = matches!(&notices[1..], [Notice::Building { .. }, Notice::Rebuilding { .. }]);
    assert!(expected, "{notices:?}");
}

#[test]
fn library_that_cannot_be_opened_is_built_again() {
    let folder = own_folder();
    let entry = build(folder.path(), &tiny("foreign")).unwrap().folder().to_path_buf();
    // A whole entry by its stamp, but not a library: sha256 of the text "foreign".
    fs::write(entry.join("model.so"), b"foreign").unwrap();
    let key = entry.file_name().unwrap().to_str().unwrap();
    let sum = "656771905e1ef731f65cd0a0d9fb061238380a1a012e6abdf846ecc7d2ea36fd";
    fs::write(entry.join("stamp.json"), format!("{{\"key\":\"{key}\",\"sha256\":\"{sum}\"}}")).unwrap();
    assert!(!build(folder.path(), &tiny("foreign")).unwrap().from_cache());
}

#[test]
fn folder_left_by_a_killed_build_is_no_obstacle() {
    let folder = own_folder();
    let entry = build(folder.path(), &tiny("killed")).unwrap().folder().to_path_buf();
    let partial = entry.with_extension("partial");
    fs::rename(&entry, &partial).unwrap();
    assert!(!build(folder.path(), &tiny("killed")).unwrap().from_cache());
    assert!(!partial.exists());
}

#[test]
fn threads_that_want_the_same_model_build_it_once() {
    let folder = own_folder();
    let built = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| build(folder.path(), &tiny("threads")).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|model| !model.from_cache()).count()
    });
    assert_eq!(built, 1);
}

/// Does nothing unless `processes_that_want_the_same_model_build_it_once` starts it with a folder.
#[test]
fn child_process_builds_when_told_to() {
    if let Some(folder) = std::env::var_os("HAFNIA_TEST_CHILD") {
        let model = build(Path::new(&folder), &tiny("processes")).unwrap();
        println!("from_cache={}", model.from_cache());
    }
}

#[test]
fn processes_that_want_the_same_model_build_it_once() {
    let folder = own_folder();
    let start = |_| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child_process_builds_when_told_to", "--nocapture"]);
        command.env("HAFNIA_TEST_CHILD", folder.path()).stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..3).map(start).collect();
    let outputs = children.into_iter().map(|child| child.wait_with_output().unwrap());
    let texts: Vec<String> = outputs.map(|output| String::from_utf8(output.stdout).unwrap()).collect();
    let count = |answer: &str| texts.iter().filter(|text| text.contains(answer)).count();
    assert_eq!((count("from_cache=false"), count("from_cache=true")), (1, 2), "{texts:?}");
}

#[test]
fn lint_warning_is_an_error_that_shows_it_and_names_the_log() {
    let folder = own_folder();
    let mut design = tiny("lint");
    design.verilog = design.verilog.replace("8'd1", "9'd1");
    let error = build(folder.path(), &design).unwrap_err();
    assert!(matches!(&error, Error::Lint { top, .. } if top == "tiny"), "{error}");
    let text = error.to_string();
    assert!(text.contains("WIDTH") && text.contains("design.v:3") && text.contains(".log"), "{text}");
    assert_eq!(entries(folder.path()), Vec::<PathBuf>::new(), "nothing half written");
}

#[test]
fn syntax_error_is_an_error_too() {
    let folder = own_folder();
    let mut design = tiny("syntax");
    design.verilog.push_str("endmodule\n");
    let error = build(folder.path(), &design).unwrap_err();
    assert!(error.to_string().contains("syntax error"), "{error}");
}

#[test]
fn rules_that_are_never_waived_cannot_be() {
    let mut by_flag = toy(WIDTH);
    by_flag.waivers.push("WIDTH".into());
    let mut by_comment = toy(WIDTH);
    by_comment.verilog.insert_str(0, "// verilator lint_off LATCH\n");
    for (design, rule) in [(by_flag, "WIDTH"), (by_comment, "LATCH")] {
        let error = build(&shared_folder(), &design).unwrap_err();
        assert!(error.to_string().contains(rule), "{error}");
    }
}

#[test]
fn folder_that_cannot_be_written_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = build(&file.join("cache"), &tiny("unwritable")).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Io { .. }), "{text}");
    assert!(text.contains("file/cache") && text.contains("HAFNIA_BUILD"), "{text}");
}

/// Builds on a file system of 256 KB, which only root can mount; for others it is skipped.
#[test]
fn full_disk_is_an_error_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mount = |size: &str| {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(folder.path()).output()
    };
    if !mount("size=256k").is_ok_and(|output| output.status.success()) {
        hafnia_testing::skip("only root can mount the small file system that this test fills");
        return;
    }
    let result = build(folder.path(), &tiny("full disk"));
    let left = entries(folder.path());
    assert!(Command::new("umount").arg(folder.path()).status().unwrap().success());
    let error = result.unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("HAFNIA_BUILD"), "{error}");
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[test]
fn models_of_two_designs_and_three_variants_share_a_process() {
    let tracing = [Trace::None, Trace::Vcd, Trace::Fst].map(|trace| model(WIDTH, trace, Unknowns::Fast));
    let wide = model(128, Trace::None, Unknowns::Fast);
    for model in tracing.iter().chain([&wide]) {
        let mut dut = started(model);
        dut.burst_write(0x10, &[100], true).unwrap();
        assert_eq!(dut.run(1000, &[]).unwrap().cycles, 99);
    }
}
