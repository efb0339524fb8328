//! `hafnia presets`.

use clap::builder::PossibleValuesParser;
use hafnia_config::board::{self, Board};
use hafnia_config::device::{self, Device};
use hafnia_config::{AccelConfig, presets};
use serde_json::{Value, json};

use crate::Status;
use crate::console::{Console, Failure};

#[derive(clap::Args)]
pub struct Args {
    /// Show this one alone and in full: an accelerator as its configuration file, a device with every figure.
    #[arg(value_name = "NAME", value_parser = names())]
    name: Option<String>,
}

fn names() -> PossibleValuesParser {
    let accelerators = presets::all().into_iter().map(|config| config.name);
    let boards = board::all().into_iter().map(|board| board.name);
    accelerators.chain(boards).chain(device::all().into_iter().map(|device| device.name)).collect::<Vec<_>>().into()
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let (accelerators, boards, devices, text) = match &args.name {
        None => (presets::all(), board::all(), device::all(), list(&presets::all(), &board::all(), &device::all())),
        Some(name) => match (presets::find(name), board::find(name)) {
            (Ok(config), _) => (vec![config.clone()], vec![], vec![], config.to_toml()),
            (_, Ok(board)) => (vec![], vec![board.clone()], vec![], board_row(&board) + "\n" + board.pins()),
            _ => {
                let device = device::find(name)?;
                (vec![], vec![], vec![device.clone()], full(&device))
            }
        },
    };
    let accelerators: Vec<_> = accelerators.iter().map(|c| with(json!(c), "config_hash", json!(c.hash()))).collect();
    let devices: Vec<_> = devices.iter().map(|d| with(json!(d), "doi", json!(d.doi()))).collect();
    console.result(&text, &json!({ "accelerators": accelerators, "boards": boards, "devices": devices }))?;
    Ok(Status::Done)
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    object[key] = value;
    object
}

fn list(accelerators: &[AccelConfig], boards: &[Board], devices: &[Device]) -> String {
    let head =
        ["", "rows x cols", "weights", "maps", "accumulators", "parameters", "descriptors", "faults", "protection"];
    let mut text =
        "Accelerators, memories in words (docs/configuration.md)\n\n".to_owned() + &row(head.map(str::to_owned));
    accelerators.iter().for_each(|config| text.push_str(&accelerator(config)));
    text.push_str("\nBoards, with the accelerator and the clock that they get (docs/boards.md)\n\n");
    boards.iter().for_each(|board| text.push_str(&board_row(board)));
    text.push_str("\nMemory devices of the literature (docs/devices.md)\n");
    devices.iter().for_each(|device| text.push_str(&format!("\n{}", brief(device))));
    text + "\n`hafnia presets NAME` shows one in full.\n"
}

fn accelerator(config: &AccelConfig) -> String {
    let memory = &config.memory;
    row([
        config.name.clone(),
        format!("{} x {}", config.array.rows, config.array.cols),
        memory.weight_words.to_string(),
        format!("2 x {}", memory.map_words),
        memory.accumulator_words.to_string(),
        memory.parameter_words.to_string(),
        memory.program_descriptors.to_string(),
        config.injector.to_string(),
        config.protection.code.to_string(),
    ])
}

fn board_row(board: &Board) -> String {
    let Board { name, title, preset, baud, .. } = board;
    let (device, clock) = (board.device.to_string(), board::mhz(board.clock_khz));
    format!("{name:<16}{title:<30}{device:<14}{preset:<10}{clock:>6} MHz{baud:>10} bit/s\n")
}

fn row([name, array, weights, maps, accumulators, parameters, descriptors, injector, code]: [String; 9]) -> String {
    let memories = format!("{weights:>9}{maps:>11}{accumulators:>14}{parameters:>12}{descriptors:>13}");
    format!("{name:<10}{array:>11}{memories}{code:>14}  {injector}\n")
}

/// A line for each figure, those that were not published together on the last.
fn brief(device: &Device) -> String {
    let (missing, published): (Vec<_>, Vec<_>) =
        device.figures().into_iter().partition(|figure| figure.value.is_none() && figure.condition.is_none());
    let mut text = title(device);
    published.iter().for_each(|figure| text.push_str(&line(figure.name, figure)));
    let missing: Vec<_> = missing.iter().map(|figure| figure.name).collect();
    text + &line(device::NOT_PUBLISHED, missing.join(", "))
}

/// A line for each figure.
fn full(device: &Device) -> String {
    title(device) + &device.figures().iter().map(|figure| line(figure.name, figure)).collect::<String>()
}

fn title(device: &Device) -> String {
    format!("{:<20}{}\n", device.name, device.source)
}

fn line(name: &str, figure: impl std::fmt::Display) -> String {
    format!("  {name:<18}{figure}\n")
}
