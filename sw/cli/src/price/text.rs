//! Prices as tables.

use hafnia_config::device::NOT_PUBLISHED;
use hafnia_config::price::DEVICE;

use super::{CodePrice, Price};
use crate::table::{NOTHING, table};

pub fn text(price: &Price<'_>) -> String {
    let mut text = format!(
        "Protections of the weight memory on the array {} x {} of {}\n\n",
        price.rows, price.cols, price.preset
    );
    text.push_str(&table(&hardware(price)));
    text.push_str(&format!("\nCells: {}, not routed; in brackets, over none\n", price.synthesis.tool));
    if let Some(routing) = &price.routing {
        text.push_str(&format!(
            "Fmax: {}, {} speed grade {}, out of context, seed {}\n",
            routing.tool, routing.device, routing.speed_grade, routing.seed
        ));
    }
    if let Some(model) = &price.model {
        text.push_str(&format!("\n{}, batch {}; of an image\n\n", model.name, model.batch));
        text.push_str(&table(&reads(price)));
        text.push_str(&format!(
            "\nTo program the model: {} weight words. How many cells a device writes at once is not published, so no time is\n\
             given but that of a pulse.\n",
            model.weight_words
        ));
    }
    for device in &price.devices {
        text.push_str(&format!("\n{:<20}{}\n", device.device.name, device.device.source));
        let told = ["read energy", "write pulse", "write energy", "endurance"];
        for figure in device.device.figures().into_iter().filter(|figure| told.contains(&figure.name)) {
            text.push_str(&format!("  {:<18}{figure}\n", figure.name));
        }
    }
    price.notes.iter().fold(text + "\n", |text, note| text + note + "\n")
}

fn hardware(price: &Price<'_>) -> Vec<Vec<String>> {
    let head = ["protection", "overhead", "cycles", "LUT4", "CCU2C", "FF", "DP16KD", "MULT18X18D", "Fmax"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for code in &price.codes {
        let mut row = vec![code.name(), format!("{:.1}%", 100.0 * code.overhead), format!("+{}", code.latency_cycles)];
        let counts = code.cells.map(|cells| cells.counts());
        let over = code.over_none.map(|over| over.counts());
        row.extend((0..5).map(|n| match (counts, over) {
            (Some(counts), Some(over)) => format!("{} ({:+})", counts[n], over[n]),
            (Some(counts), None) => counts[n].to_string(),
            (None, _) => NOTHING.to_owned(),
        }));
        row.push(clock(code));
        rows.push(row);
    }
    rows
}

fn clock(code: &CodePrice) -> String {
    match (code.fits, code.fmax_mhz) {
        (_, Some(fmax)) => format!("{fmax:.2} MHz"),
        (Some(false), None) => format!("larger than {DEVICE}"),
        (Some(true), None) => "not routed".to_owned(),
        (None, None) => NOTHING.to_owned(),
    }
}

fn reads(price: &Price<'_>) -> Vec<Vec<String>> {
    let mut head = vec!["protection".to_owned(), "weight cells stored".to_owned(), "cells read".to_owned()];
    // Of many devices those without a read energy are told below alone.
    let shown = |n: usize| price.devices.len() == 1 || price.devices[n].device.read_pj_per_bit.is_some();
    let shown: Vec<usize> = (0..price.devices.len()).filter(|&n| shown(n)).collect();
    head.extend(shown.iter().map(|&n| format!("nJ read, {}", price.devices[n].device.name)));
    let mut rows = vec![head];
    for code in &price.codes {
        let mut row = vec![code.name()];
        row.push(code.weight_cells.map_or_else(|| NOTHING.to_owned(), |cells| cells.to_string()));
        row.push(code.cells_read.map_or_else(|| NOTHING.to_owned(), |cells| format!("{cells:.0}")));
        let energies = shown.iter().map(|&n| code.energy[n].nj);
        row.extend(energies.map(|nj| nj.map_or_else(|| NOT_PUBLISHED.to_owned(), |nj| format!("{nj:.1}"))));
        rows.push(row);
    }
    rows
}
