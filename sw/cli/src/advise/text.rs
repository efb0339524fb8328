//! Advice as text.

use hafnia_config::device::Device;
use hafnia_report::{Advice, Answer, Candidate, Cost, Evidence, Programming, Wanted};
use hafnia_sweep::rate;

use crate::table::{NOTHING, table};

pub fn text(advice: &Advice) -> String {
    let answers = advice.answers.iter().map(|answer| section(answer, &advice.wanted));
    question(&advice.wanted) + "\n" + &answers.collect::<String>() + "\n" + &notes(advice)
}

/// The line that says what is asked.
fn question(wanted: &Wanted) -> String {
    let Wanted { ber, device, loss, by, limits, .. } = wanted;
    let points = if *loss == 1.0 { "point" } else { "points" };
    let mut text = format!("At most {loss} {points} of top-1 lost at a bit-error rate of {}", rate(*ber));
    if let Some(Device { name, source, raw_ber, raw_ber_condition, .. }) = device {
        text.push_str(&match raw_ber_condition.as_ref().filter(|_| *raw_ber == Some(*ber)) {
            Some(condition) => format!(", that of {name} ({condition}), {source}"),
            None => format!(", device {name}, {source}"),
        });
    }
    for limit in limits {
        text.push_str(&format!("; at most {} {}", limit.cost.shown(limit.at_most), limit.cost.told()));
    }
    text + "; cheapest first by " + &by.told()
}

fn section(answer: &Answer, wanted: &Wanted) -> String {
    let mut text = format!("\n{}; clean top-1 {}\n\n", answer.question, percent(answer.clean));
    let (meet, fail): (Vec<_>, Vec<_>) = answer.setups.iter().partition(|setup| setup.meets);
    if meet.is_empty() {
        text.push_str("Nothing meets it.\n");
    } else {
        text.push_str(&table(&rows(&meet, wanted)));
    }
    if !fail.is_empty() {
        text.push_str("\ndo not meet it\n");
    }
    for Candidate { label, reasons, .. } in fail {
        let reasons = reasons.iter().map(|reason| format!("    {reason}\n"));
        text.push_str(&format!("  {label}\n{}", reasons.collect::<String>()));
    }
    let evidence = answer.setups.iter().filter_map(|setup| Some((setup, setup.evidence.as_ref()?)));
    let lines = evidence.map(|(setup, evidence)| format!("  {}: {}\n", setup.label, told(evidence, setup)));
    let lines = lines.collect::<String>();
    if lines.is_empty() { text } else { text + "\nevidence\n" + &lines }
}

/// The table of those that meet what is wanted.
fn rows(setups: &[&Candidate], wanted: &Wanted) -> Vec<Vec<String>> {
    let energy = wanted.device.as_ref().filter(|device| device.read_pj_per_bit.is_some());
    let energy = energy.map(|device| ("nJ read", Cost::Energy(device.name.clone())));
    let others = [
        ("overhead", Cost::Overhead),
        ("LUT4", Cost::Lut4),
        ("FF", Cost::Ff),
        ("DP16KD", Cost::Dp16kd),
        ("cycles", Cost::Cycles),
    ];
    let costs: Vec<_> = energy.into_iter().chain(others).collect();
    let head = ["meet it", "at rate", "top-1", "at least", "points lost"].into_iter();
    let mut rows = vec![head.chain(costs.iter().map(|(name, _)| *name)).map(str::to_owned).collect::<Vec<_>>()];
    for setup in setups {
        let Evidence { ber, mean, low, loss, .. } = setup.evidence.as_ref().expect("what meets it was measured");
        let mut row = vec![setup.label.clone(), rate(*ber), percent(*mean)];
        row.push(low.map_or_else(|| NOTHING.to_owned(), percent));
        row.push(loss.map_or_else(|| NOTHING.to_owned(), |loss| format!("{loss:.3}")));
        let shown = |cost: &Cost| cost.of(&setup.price).map_or_else(|| NOTHING.to_owned(), |value| cost.shown(value));
        row.extend(costs.iter().map(|(_, cost)| shown(cost)));
        rows.push(row);
    }
    rows
}

/// The rows of a setup in words.
fn told(evidence: &Evidence, setup: &Candidate) -> String {
    let Evidence { ber, seeds, exact, folders, audited, programming, .. } = evidence;
    let images = setup.setup.images;
    let mut text = format!("rate {}, {}, {images} images each", rate(*ber), these(seeds));
    if *exact {
        text.push_str(", which nothing random enters");
    }
    text.push_str(&match &*setup.setup.engine {
        "sim" => ", computed on the simulated RTL".to_owned(),
        "fpga" => ", computed on a board".to_owned(),
        _ => format!(", {audited} of {} audited on the simulated RTL", images * seeds.len() as u64),
    });
    let folders = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>();
    text.push_str(&format!(", in {}", folders.join(" and ")));
    if let Some(Programming { cells, give_ups, scrubbed, pulses_per_cell, endurance_share, .. }) = programming {
        text.push_str(&format!(
            "; programmed with {pulses_per_cell:.4} pulses a cell, {give_ups} of {cells} cells given up"
        ));
        if *scrubbed > 0 {
            text.push_str(&format!(", {scrubbed} of the pulses by scrubbing"));
        }
        let share = endurance_share.map(|share| format!(", {share:.2e} of the endurance"));
        text.push_str(&share.unwrap_or_default());
    }
    text
}

/// Seeds in words, those that follow one another as a range.
fn these(seeds: &[u64]) -> String {
    match seeds {
        [one] => format!("seed {one}"),
        [first, .., last] if seeds.is_sorted() && last - first == seeds.len() as u64 - 1 => {
            format!("{} seeds ({first} to {last})", seeds.len())
        }
        _ => {
            let list = seeds.iter().map(u64::to_string).collect::<Vec<_>>();
            format!("{} seeds ({})", seeds.len(), list.join(", "))
        }
    }
}

/// What the figures leave out.
fn notes(advice: &Advice) -> String {
    let setups = || advice.answers.iter().flat_map(|answer| &answer.setups);
    let device = advice.wanted.device.as_ref();
    let mut notes = String::from(
        "At least: the lower end of the 95% interval of the mean over seeds; points are lost down to there.\n",
    );
    if device.is_some_and(|device| device.read_pj_per_bit.is_some()) {
        notes.push_str("The energy of decoders is not modelled, nor that of the array and of the other memories.\n");
    }
    let is_programmed =
        |setup: &Candidate| setup.evidence.as_ref().is_some_and(|evidence| evidence.programming.is_some());
    if let Some(device) = device.filter(|_| setups().any(is_programmed)) {
        notes.push_str(&format!("To program {}:", device.name));
        let told = device.figures().into_iter().filter(|figure| ["write pulse", "endurance"].contains(&figure.name));
        told.for_each(|figure| notes.push_str(&format!(" {} {figure};", figure.name)));
        notes.push_str(" how many cells it writes at once is not published, so no time of the whole is given.\n");
    }
    notes
}

fn percent(share: f64) -> String {
    format!("{:.2}%", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::these;

    #[test]
    fn seeds_that_follow_one_another_are_a_range() {
        let told = [&[7][..], &[1, 2, 3], &[1, 2, 4], &[3, 1, 2]].map(these);
        assert_eq!(told, ["seed 7", "3 seeds (1 to 3)", "3 seeds (1, 2, 4)", "3 seeds (3, 1, 2)"]);
    }
}
