//! `report`: the page of a sweep, alone and in a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{assert_documented, folder, hafnia, json, model, refused, rows, text, write_sweep};
use serde_json::Value;

/// Sweeps two presets, three rates and two seeds over digits and returns the folder.
fn swept(folder: &Path) -> PathBuf {
    let file = folder.join("sweep.toml");
    let grid = "presets = [\"4x4\", \"8x8\"]\nber = [0, 1e-3, 1e-2, 1e-1]\nseeds = [1, 2]\nimages = [0, 60]\n";
    let sweep = format!("models = [\"{}\"]\ndata = \"digits\"\n{grid}", model());
    fs::write(&file, sweep).expect("the folder is ours");
    let rows = folder.join("rows");
    json(&["sweep", text(&file), "-o", text(&rows)], 0);
    rows
}

#[test]
fn a_page_and_its_plots_are_the_same_bytes_each_time_and_every_field_is_documented() {
    let folder = folder();
    let rows = swept(folder.path());
    let (page, plots) = (folder.path().join("page.html"), folder.path().join("plots"));
    let arguments = ["report", text(&rows), "-o", text(&page), "--svg", text(&plots)];
    let report = json(&arguments, 0);
    let read = || -> Vec<Vec<u8>> {
        let plots = report["svg"].as_array().expect("a list").iter().filter_map(Value::as_str).map(PathBuf::from);
        plots.chain([page.clone()]).map(|path| fs::read(path).expect("it was written")).collect()
    };
    let first = read();
    // Accuracy, and its price in read energy, LUT4 and cycles.
    assert_eq!(first.len(), 5);
    json(&arguments, 0);
    assert!(first == read(), "the same rows gave other bytes");

    assert_documented(&report);
    assert_eq!(report["curves"].as_array().map(Vec::len), Some(2));
    assert_eq!((&report["warnings"], &report["audit"]["of"]), (&Value::Array(vec![]), &(14 * 60).into()));
}

#[test]
fn the_figures_are_those_of_run() {
    let folder = folder();
    let rows = swept(folder.path());
    let report = json(&["report", text(&rows), "-o", text(&folder.path().join("page.html"))], 0);
    let run = |seed| {
        let flags = ["--data", "digits", "--images", "0:60", "--preset", "8x8", "--ber", "1e-2", "--seed", seed];
        let row = json(&[&["run", "--engine", "golden", "--model", &model()], &flags[..]].concat(), 0);
        row["top1"].as_f64().expect("a number")
    };
    let mean = (run("1") + run("2")) / 2.0;
    let point = &report["curves"][1]["points"][2];
    assert!((point["mean"].as_f64().expect("a number") - mean).abs() < 1e-12, "{point}, expected {mean}");
}

#[test]
fn an_unfinished_sweep_is_told_and_no_file_of_it_is_written_over() {
    let folder = folder();
    let rows = swept(folder.path());
    let table = rows.join("rows.csv");
    let whole = fs::read_to_string(&table).expect("there are rows");
    let message = refused(&["report", text(&rows), "-o", text(&table)]);
    assert!(message.contains("rows.csv") && message.contains("file of its own"), "{message}");
    assert_eq!(fs::read_to_string(&table).expect("it is still there"), whole);

    let part: String = whole.lines().take(12).map(|line| format!("{line}\n")).collect();
    fs::write(&table, part).expect("the folder is ours");
    let page = folder.path().join("page.html");
    let output = hafnia(&["report", text(&rows), "-o", text(&page)]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && message.contains("3 of its 14 points"), "{message}");
    assert!(fs::read_to_string(&page).expect("it was written").contains("3 of its 14 points"));

    fs::write(&table, whole.lines().next().expect("a header").to_owned() + "\n").expect("the folder is ours");
    assert!(refused(&["report", text(&rows), "-o", text(&page)]).contains("no finished row"));
}

/// The rows that are recorded, of a version without the columns of today, which no row can be added to.
#[test]
fn recorded_results_are_read_and_not_added_to() {
    let folder = folder();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let recorded = root.join("results/vgg-a8-sites");
    let report = json(&["report", text(&recorded), "-o", text(&folder.path().join("page.html"))], 0);
    assert_eq!(
        (&report["sources"][0]["missing"], &report["curves"][0]["points"][1]["weights"]),
        (&0.into(), &Value::Null)
    );
    let copy = folder.path().join("copy");
    fs::create_dir(&copy).expect("the folder is ours");
    let file = write_sweep(folder.path(), "ber = [1e-3]\nseeds = [1]\n");
    fs::copy(recorded.join("rows.csv"), copy.join("rows.csv")).expect("the folder is ours");
    let message = refused(&["sweep", text(&file), "-o", text(&copy), "--resume"]);
    assert!(
        message.contains("rows.csv: its rows are of an earlier version") && message.contains("another folder"),
        "{message}"
    );
}

/// A browser without a window and with a profile of its own, and what it prints of a page.
struct Browser {
    program: String,
    profile: tempfile::TempDir,
}

impl Browser {
    fn find() -> Option<Self> {
        let tools = json(&["doctor"], 0);
        let tool = tools["tools"].as_array()?.iter().find(|tool| tool["name"] == "chromium")?.clone();
        match tool["found"].as_str() {
            Some(program) => Some(Self { program: program.to_owned(), profile: folder() }),
            None => {
                hafnia_testing::skip(&format!("no chromium. {}", tool["how_to_get"].as_str().unwrap_or_default()));
                None
            }
        }
    }

    /// Opens a page; returns what goes to standard output, and what the page and its scripts complained of.
    fn open(&self, page: &Path, flags: &[&str]) -> (String, Vec<String>) {
        let quiet =
            ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
        let output = Command::new("timeout")
            .args(["120", &self.program])
            .args(quiet)
            .args([
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--enable-logging=stderr",
            ])
            .arg(format!("--user-data-dir={}", self.profile.path().display()))
            .args(flags)
            .arg(format!("file://{}", page.display()))
            .output()
            .expect("there is `timeout`");
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{} {flags:?}: {messages}", self.program);
        let complaints = messages.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
        (String::from_utf8_lossy(&output.stdout).into_owned(), complaints)
    }
}

#[test]
fn a_browser_shows_every_plot_light_dark_narrow_and_on_paper_without_complaint() {
    let Some(browser) = Browser::find() else { return };
    let folder = folder();
    let rows = swept(folder.path());
    let broken = folder.path().join("broken.html");
    fs::write(&broken, "<script>missing()</script>").expect("the folder is ours");
    assert_eq!(browser.open(&broken, &["--dump-dom"]).1.len(), 1, "complaints are not seen");

    // Kept, to be looked at.
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    fs::create_dir_all(&kept).expect("the target folder can be written");
    let page = kept.join("page.html");
    let report = json(&["report", text(&rows), "-o", text(&page), "--svg", text(&kept)], 0);
    let (dom, complaints) = browser.open(&page, &["--dump-dom"]);
    assert_eq!(complaints, [""; 0]);
    let plots = report["svg"].as_array().expect("a list");
    for plot in plots.iter().filter_map(|plot| Path::new(plot.as_str()?).file_stem()?.to_str()) {
        assert!(dom.contains(&format!("id=\"plot-{plot}\"")), "no {plot}");
    }
    assert_eq!(dom.matches("<svg").count(), plots.len());

    let click = "<script>document.querySelector('.key').dispatchEvent(new Event('click'))</script>";
    let clicked = folder.path().join("clicked.html");
    fs::write(&clicked, fs::read_to_string(&page).expect("it was written") + click).expect("the folder is ours");
    assert_eq!(dom.matches(" off\"").count(), 0);
    // The key itself, and its curve.
    assert_eq!(browser.open(&clicked, &["--dump-dom"]).0.matches(" off\"").count(), 2);

    let dark = "--blink-settings=preferredColorScheme=0";
    let views: [(&str, &[&str]); 4] = [
        ("light.png", &["--window-size=1200,4600"]),
        ("dark.png", &["--window-size=1200,4600", dark]),
        ("narrow.png", &["--window-size=500,5400"]),
        ("page.pdf", &["--no-pdf-header-footer"]),
    ];
    let files = views.map(|(name, flags)| {
        let path = kept.join(name);
        // Of an earlier run.
        let _ = fs::remove_file(&path);
        let what = if name.ends_with("pdf") { "print-to-pdf" } else { "screenshot" };
        let (_, complaints) = browser.open(&page, &[flags, &[&*format!("--{what}={}", path.display())]].concat());
        assert_eq!(complaints, [""; 0], "{name}");
        fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
    });
    assert!(files[..3].iter().all(|png| png.starts_with(b"\x89PNG")) && files[3].starts_with(b"%PDF-"));
    assert!(files[0] != files[1], "light and dark look the same");
}

#[test]
fn folders_that_are_no_whole_sweep_are_refused_by_what_they_are() {
    let folder = folder();
    let file = write_sweep(folder.path(), "ber = [1e-3]\nseeds = [1, 2]\n");
    let output = folder.path().join("out");
    let page = folder.path().join("page.html");
    let report = |of: &Path| refused(&["report", text(of), "-o", text(&page)]);
    assert!(report(folder.path()).contains("holds no `rows.csv`"));
    json(&["sweep", text(&file), "-o", text(&output), "--shard", "1/2"], 0);
    assert!(report(&output).contains("shards alone; merge them with"));
    json(&["sweep", text(&file), "-o", text(&output), "--resume"], 0);
    let (rows, path) = (rows(&output), output.join("rows.csv"));
    let last = rows.lines().last().expect("there are rows");
    fs::write(&path, format!("{rows}{last}\n")).expect("the folder is ours");
    assert!(report(&output).contains("line 4: an earlier line is of the same point"));
    assert!(!page.exists());
}
