//! Bad input: exit code 2, a message that names what is wrong and what to do next, and nothing half written.

use std::fs;

use crate::common::{command, folder, hafnia, limited, model, refused, stdout, text};

fn assert_says(arguments: &[&str], phrases: &[&str]) {
    let message = refused(arguments);
    for phrase in phrases {
        assert!(message.contains(phrase), "{arguments:?} does not say {phrase:?}:\n{message}");
    }
}

fn golden<'a>(model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "--engine", "golden", "--model", model], more].concat()
}

#[test]
fn wrong_command_lines_are_refused() {
    let model = model();
    let digits = |more: &[&'static str]| [golden(&model, &["--data", "digits"]), more.to_vec()].concat();
    assert_says(&[], &["Usage"]);
    assert_says(&digits(&["--images", "5"]), &["--images", "FIRST:COUNT", "0:8"]);
    assert_says(&digits(&["--images", "0:0"]), &["COUNT of 1 or more"]);
    assert_says(&digits(&["--ber", "1.5"]), &["1.5", "[0, 1]", "1e-4"]);
    assert_says(&digits(&["--ber", "nan"]), &["NaN", "[0, 1]"]);
    assert_says(&digits(&["--preset", "9x9"]), &["9x9", "4x4, 8x4, 8x8, 8x8-all, 8x8-faults, 16x16"]);
    assert_says(&digits(&["--batch", "3"]), &["batch of 3", "power of two"]);
    assert_says(&digits(&["--wave", "w.vcd"]), &["w.vcd", "--engine sim"]);
    assert_says(&["bench", "noise", "--model", &model, "--ber", "0"], &["0", "between 0 and 1", "1e-4"]);
    assert_says(&["bench", "faults", "--ber", "1"], &["1", "between 0 and 1", "1e-4"]);
    assert_says(&["bench", "faults", "--draws", "0"], &["0", "from 1 to 1e13", "1e8"]);
    assert_says(&["bench", "faults", "--sources", "sim"], &["sim", "golden, rtl"]);
    assert_says(&["frobnicate"], &["frobnicate"]);
    let scrubbed = |more: &[&'static str]| digits(&[&["--cells", "scrub_period=64"], more].concat());
    assert_says(&scrubbed(&[]), &["`scrub_period`", "`8x8` has no scrubber", "`protection.scrub = true`"]);
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/8x8-scrub.toml");
    let with = |more: &[&'static str]| scrubbed(&[&["--config", config], more].concat());
    assert_says(&with(&["--layers", "1"]), &["`scrub_period`", "leave `layers` out"]);
    assert_says(&with(&["--draws", "statistical"]), &["`scrub_period`", "take exact draws"]);
    assert_says(&with(&["--protect", "parity"]), &["8x8-scrub.toml", "\"parity\" corrects nothing"]);
    let log = ["--data", "digits", "--ber", "0,1e-3", "--flip-log", "flips.csv"];
    assert_says(&[&["verify", "--model", &model][..], &log].concat(), &["one --ber and one --seed"]);
}

#[test]
fn image_range_past_the_end_names_the_split_and_its_size() {
    assert_says(&golden(&model(), &["--data", "digits", "--images", "355:10"]), &["355..365", "360", "at most 5"]);
    assert_says(&golden(&model(), &["--data", "digits", "--images", "360:1"]), &["the last image is 359"]);
}

#[test]
fn model_files_that_are_none_are_named() {
    let folder = folder();
    let good = fs::read(model()).expect("the committed model is there");
    let cases: [(&str, Vec<u8>, &str); 3] = [
        ("truncated", good[..good.len() / 2].to_vec(), "no whole safetensors file"),
        ("empty", Vec::new(), "no whole safetensors file"),
        ("picture", b"\x89PNG\r\n\x1a\n not a model at all".to_vec(), "no whole safetensors file"),
    ];
    for (name, bytes, phrase) in cases {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("the folder is ours");
        assert_says(&golden(text(&path), &["--data", "digits"]), &[name, phrase]);
    }
    assert_says(&golden("nowhere.safetensors", &["--data", "digits"]), &["nowhere.safetensors"]);
}

#[test]
fn trained_weights_that_are_no_network_are_refused_and_nothing_is_written() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("weights"), b"\x08\0\0\0\0\0\0\0{}      ").expect("the folder is ours");
    fs::write(path("meta.json"), "{ \"config\": 7 }").expect("the folder is ours");
    let (weights, meta, output) = (path("weights"), path("meta.json"), path("model.safetensors"));
    let flags = ["quantize", "--weights", text(&weights), "--meta", text(&meta), "--calibration", "digits"];
    assert_says(&[&flags[..], &["-o", text(&output)]].concat(), &["meta.json"]);
    assert!(!output.exists());
}

#[test]
fn data_sets_that_are_none_are_named_with_the_next_step() {
    let folder = folder();
    let model = model();
    assert_says(&golden(&model, &["--data", text(folder.path())]), &["no CIFAR-10 batches", "data_batch_1"]);
    fs::write(folder.path().join("data_batch_1.bin"), [0; 100]).expect("the folder is ours");
    assert_says(&golden(&model, &["--data", text(folder.path())]), &["100 bytes", "expected 30730000"]);
    assert_says(&["data", "check", "--data", text(folder.path())], &["100 bytes", "expected 30730000"]);

    let home = folder.path().join("home");
    let output = command(&golden(&model, &[])).env("HOME", &home).env_remove("XDG_CACHE_HOME").output();
    let output = output.expect("the command was built");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("hafnia data fetch") && message.contains("--data digits"), "{message}");
}

#[test]
fn configurations_that_do_not_hold_are_refused_and_nothing_is_written() {
    let folder = folder();
    let good = "name = \"mine\"\nclock_mhz = 80\n[array]\nrows = 4\ncols = 4\n[memory]\nweight_words = 4096\n\
                map_words = 4096\naccumulator_words = 1024\nparameter_words = 1024\nprogram_descriptors = 64\n";
    let file = folder.path().join("config.toml");
    let output = folder.path().join("out");
    let generate = ["generate", "--config", text(&file), "-o", text(&output)];
    let cases: [(&str, &str, &[&str]); 5] = [
        ("rows = 4", "rows = 17", &["config.toml", "`array.rows` is 17", "2 to 16"]),
        ("rows = 4", "row = 4", &["config.toml", "`row`", "`rows`"]),
        ("rows = 4", "rows = \"four\"", &["config.toml", "rows"]),
        ("\"mine\"", "\"../mine\"", &["config.toml", "`name`"]),
        ("clock_mhz = 80", "", &["config.toml", "clock_mhz"]),
    ];
    for (line, instead, phrases) in cases {
        fs::write(&file, good.replace(line, instead)).expect("the folder is ours");
        assert_says(&generate, phrases);
        assert!(!output.exists(), "{instead}");
    }
    fs::write(&file, good.replace("map_words = 4096", "map_words = 512")).expect("the folder is ours");
    let model = model();
    let run = golden(&model, &["--data", "digits", "--config", text(&file)]);
    assert_says(&run, &["layer 0", "`memory.map_words`", "1024", "512"]);
    assert_says(&["generate", "--config", "nowhere.toml", "-o", text(&output)], &["nowhere.toml"]);
}

#[test]
fn cells_at_risk_that_are_none_are_refused() {
    let model = model();
    for (more, phrases) in [
        (["--bits", "0"], ["no bit", "0x01"]),
        (["--bits", "0x100"], ["0x100", "such as 0x80"]),
        (["--bits", "scales=1"], ["no site `scales`", "activations"]),
        (["--bits", "activations=1"], ["`--bits activations=MASK`", "`--sites`"]),
        (["--sites", "weights,weights"], ["`--sites` names one twice", "each once"]),
        (["--sites", "activations"], ["activations out of the hardware", "`injector.activations`"]),
        (["--layers", "2,9"], ["no layer 9", "0 to 8"]),
    ] {
        assert_says(&golden(&model, &[&["--data", "digits", "--ber", "0.1"], &more[..]].concat()), &phrases);
    }
}

#[test]
fn faults_that_make_no_sense_are_refused_by_flag_or_by_file_and_key() {
    let (model, folder) = (model(), folder());
    let file = folder.path().join("faults.toml");
    for (lines, phrases) in [
        ("ber_per_read = 2.0", ["`ber_per_read`", "[0, 1]"]),
        ("p01_per_read = nan", ["`p01_per_read`", "NaN"]),
        ("ber_per_read = 0.1\np10_per_read = 0.1", ["`ber_per_read`", "`p10_per_read`"]),
        ("device = \"tsmc40-asscc17\"", ["published no bit-error rate", "intel22-isscc19"]),
        ("sites = [\"scales\"]", ["scales", "activations"]),
        ("ber = 0.1", ["`ber`", "`ber_per_read`"]),
        ("layers = [9]", ["`layers`", "0 to 8"]),
    ] {
        fs::write(&file, format!("[fault]\n{lines}\n")).expect("the folder is ours");
        let phrases = [&["faults.toml"][..], &phrases].concat();
        assert_says(&golden(&model, &["--data", "digits", "--fault", text(&file)]), &phrases);
    }
    assert_says(&golden(&model, &["--data", "digits", "--fault", "nowhere.toml"]), &["nowhere.toml"]);
    for (flags, phrases) in [
        (["--p01", "1.5"], ["`--p01`", "[0, 1]"]),
        (["--ber", "nan"], ["`--ber`", "NaN"]),
        (["--seed", "0"], ["seed 0", "from 1 up"]),
        (["--cells", "stuck_at_0_fraction=1.5"], ["`stuck_at_0_fraction`", "[0, 1]"]),
        (["--cells", "stuck=0.1"], ["`stuck`", "`stuck_at_0_fraction`"]),
        (["--cells", "telegraph_fraction=0.1"], ["`telegraph_capture_reads`", "all three"]),
        (["--device", "tsmc40-asscc17"], ["published no bit-error rate", "10.1109/ASSCC.2017.8240203"]),
    ] {
        assert_says(&golden(&model, &[&["--data", "digits"], &flags[..]].concat()), &phrases);
    }
}

#[test]
fn output_that_cannot_be_written_is_refused() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("the folder is ours");
    let inside = file.join("out");
    assert_says(&["generate", "-o", text(&inside)], &["cannot write", "file/out"]);
    let model = model();
    let log = folder.path().join("no/such/folder/flips.csv");
    assert_says(
        &golden(&model, &["--data", "digits", "--flip-log", text(&log)]),
        &["flips.csv", "a folder that exists"],
    );
}

#[test]
fn noise_without_an_injector_is_refused_by_every_engine() {
    let folder = folder();
    stdout(&["generate", "--preset", "4x4", "-o", text(folder.path())], 0);
    let config = folder.path().join("config.toml");
    let preset = fs::read_to_string(&config).expect("it was written");
    fs::write(&config, preset.replace("[\"read\"]", "[]")).expect("the folder is ours");
    let model = model();
    for engine in ["golden", "sim"] {
        let run = ["run", "--engine", engine, "--model", &model, "--data", "digits", "--config", text(&config)];
        assert_says(
            &[&run[..], &["--ber", "1e-3"]].concat(),
            &["`4x4` leaves faults of kind `read` of weights out", "`injector.weights`", "sites at risk"],
        );
        assert_says(
            &[&run[..], &["--cells", "p01_per_write=0.1", "--sites", "biases"]].concat(),
            &["`4x4` leaves faults of kind `write` of biases out", "`injector.biases`", "sites at risk"],
        );
    }
    assert_says(&golden(&model, &["--data", "digits", "--ber", "1e-12"]), &["too low", "the least is 1.8e-10"]);
}

/// A limit on the size of files stands for a disk that fills up while a waveform is written.
#[test]
fn waveform_that_cannot_be_written_to_its_end_is_an_error() {
    let (folder, model) = (folder(), model());
    // Both files are longer than this limit, and so is what the build writes.
    for name in ["w.vcd", "w.fst"] {
        let wave = folder.path().join(name);
        let run = sim(&model, &["--preset", "4x4", "--wave", text(&wave), "--wave-window", "0:3000"]);
        assert!(hafnia(&run).status.success());
        let output = limited(200, &run);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{name}: {message}");
        assert!(message.contains(name) && message.contains("cannot write the waveform"), "{message}");
    }
    let late = folder.path().join("late.vcd");
    let run = sim(&model, &["--preset", "4x4", "--wave", text(&late), "--wave-window", "100000000:5"]);
    assert_says(&run, &["late.vcd", "begins at cycle 100000000", "--wave-window"]);
}

#[test]
fn result_that_cannot_be_printed_is_an_error() {
    let full = fs::File::options().write(true).open("/dev/full").expect("a device that is always full");
    let output = command(&["doctor"]).stdout(full).output().expect("the command was built");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write the result"));
}

#[test]
fn no_output_destroys_an_input() {
    let folder = folder();
    let (original, copy) = (model(), folder.path().join("model.safetensors"));
    fs::copy(&original, &copy).expect("the folder is ours");
    let (model, log) = (text(&copy), folder.path().join("flips.csv"));
    assert_says(
        &golden(model, &["--data", "digits", "--flip-log", model]),
        &["--flip-log", "model.safetensors", "reads", "a file of its own"],
    );
    assert_says(&sim(model, &["--flip-log", text(&log), "--wave", text(&log)]), &["both", "a file of its own"]);
    assert!(fs::read(&copy).expect("it is there") == fs::read(original).expect("it is there"));

    let data = folder.path().join("data");
    fs::create_dir(&data).expect("the folder is ours");
    let names = (1..=5).map(|i| format!("data_batch_{i}.bin")).chain(["test_batch.bin".to_owned()]);
    for name in names {
        // As long as the real ones, and without a byte on the disk.
        fs::File::create(data.join(name)).and_then(|f| f.set_len(30_730_000)).expect("the folder is ours");
    }
    let batch = data.join("test_batch.bin");
    assert_says(
        &golden(model, &["--data", text(&data), "--flip-log", text(&batch)]),
        &["--flip-log", "test_batch.bin"],
    );
    assert_eq!(fs::metadata(&batch).expect("it is there").len(), 30_730_000);
}

/// A limit on the size of files stands for a disk that fills up while the log is written.
#[test]
fn full_disk_leaves_the_old_flip_log_alone() {
    let folder = folder();
    let log = folder.path().join("flips.csv");
    fs::write(&log, "old").expect("the folder is ours");
    let model = model();
    let more = ["--data", "digits", "--images", "0:64", "--ber", "0.5", "--flip-log", text(&log)];
    let output = limited(100, &golden(&model, &more));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("flips.csv") && message.contains("nothing was left half written"), "{message}");
    assert_eq!(fs::read_to_string(&log).expect("the old log is there"), "old");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder is there").count(), 1);
}

fn sim<'a>(model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "--engine", "sim", "--model", model, "--data", "digits", "--images", "0:1"], more].concat()
}

#[test]
fn missing_verilator_is_named_and_the_golden_model_runs_without_it() {
    let folder = folder();
    let model = model();
    let path = folder.path();
    let run = |arguments: &[&str]| {
        let output = command(arguments).env("PATH", path).env_remove("VERILATOR_ROOT").env_remove("CXX").output();
        output.expect("the command was built")
    };
    let output = run(&sim(&model, &[]));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("verilator") && message.contains("scripts/setup"), "{message}");
    assert!(run(&golden(&model, &["--data", "digits", "--images", "0:1"])).status.success());
}

#[test]
fn verilog_that_is_none_or_has_other_ports_is_refused() {
    let folder = folder();
    let model = model();
    let file = folder.path().join("mine.v");
    assert_says(&sim(&model, &["--rtl", text(&file)]), &["mine.v", "hafnia generate"]);
    fs::write(&file, "module hafnia_8x8(input wire clk_i); endmodule\n").expect("the folder is ours");
    assert_says(&sim(&model, &["--rtl", text(&file)]), &["hafnia_8x8", "port"]);
    fs::write(&file, "this is no Verilog\n").expect("the folder is ours");
    assert_says(&sim(&model, &["--rtl", text(&file)]), &["syntax error"]);
}

/// A damaged cache entry is made again, and says so.
#[test]
fn stale_cache_is_built_again_with_a_notice() {
    let build = folder();
    let model = model();
    let run = || command(&sim(&model, &["--preset", "4x4"])).env("HAFNIA_BUILD", build.path()).output();
    assert!(run().expect("the command was built").status.success());
    let entries = fs::read_dir(build.path().join("verilated")).expect("there is a cache");
    let library = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").path().join("model.so");
    let library = entries.map(library).find(|path| path.is_file()).expect("the model is in the cache");
    let bytes = fs::read(&library).expect("the library is there");
    fs::write(&library, &bytes[..bytes.len() / 2]).expect("the cache is ours");
    let output = run().expect("the command was built");
    assert!(output.status.success());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("damaged") && message.contains("made again"), "{message}");
    assert!(run().expect("the command was built").stderr.is_empty(), "the entry is whole again");
}

#[test]
fn two_runs_at_once_build_the_hardware_once() {
    let build = folder();
    let model = model();
    let start = || {
        let mut command = command(&sim(&model, &["--preset", "4x4"]));
        command.env("HAFNIA_BUILD", build.path()).stdout(std::process::Stdio::piped());
        command.stderr(std::process::Stdio::piped()).spawn().expect("the command was built")
    };
    let outputs = [start(), start()].map(|child| child.wait_with_output().expect("it ends"));
    assert!(outputs.iter().all(|output| output.status.success()));
    let building =
        outputs.iter().filter(|o| String::from_utf8_lossy(&o.stderr).contains("building the model of")).count();
    assert_eq!(building, 1, "{outputs:?}");
}
