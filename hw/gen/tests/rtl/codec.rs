//! Encoders, decoders and the port that decodes a memory's words, against the golden codec.

use std::collections::VecDeque;

use crate::common::{Bench, array, coded, rng};
use hafnia_config::Elaborated;
use hafnia_config::accel::ProtectionConfig;
use hafnia_config::fault::{Kinds, Site};
use hafnia_config::protect::{Code, OnDetected};
use hafnia_golden::codec::Codec;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

fn words(value: u128, bits: u32) -> Vec<u32> {
    (0..bits.div_ceil(32)).map(|word| (value >> (32 * word)) as u32).collect()
}

fn value(words: &[u32]) -> u128 {
    words.iter().rev().fold(0, |value, &word| value << 32 | u128::from(word))
}

/// No errors, one, two, or many.
fn errors(rng: &mut ChaCha8Rng, cells: u32) -> u128 {
    match rng.random_range(0..5) {
        0 => 0,
        4 => rng.random::<u128>() & (u128::MAX >> (128 - cells)),
        count => (0..count).fold(0, |errors, _| errors ^ 1 << rng.random_range(0..cells)),
    }
}

/// Random data through the encoder, and codewords with errors through the decoder, back to back.
fn compare(hw: &Elaborated, site: Site) {
    let word = hw.codeword(site);
    let (codec, name) = (Codec::new(word).expect("a code"), word.code.to_string().replace('-', "_"));
    let mut encoder = Bench::new(hw, &format!("encoder_{name}"));
    let mut decoder = Bench::new(hw, &format!("decoder_{name}"));
    let (mut rng, mut under_way) = (rng(word.cells().into()), VecDeque::new());
    for n in 0..3000 {
        let data = rng.random::<u64>() & word.data_cells() as u64;
        let stored = codec.encode(data);
        encoder.set_words("data_i", &words(data.into(), word.data_bits));
        assert_eq!(value(&encoder.get_words("code_o")), stored, "{name}, {data:x}");
        let read = stored ^ errors(&mut rng, word.cells());
        decoder.set_words("code_i", &words(read, word.cells()));
        under_way.push_back(codec.decode(read));
        decoder.step();
        if under_way.len() as u32 == word.code.latency() {
            let want = under_way.pop_front().expect("it is not empty");
            let [corrected, detected] = ["corrected_o", "detected_o"].map(|port| decoder.get(port) as u8);
            let got = (value(&decoder.get_words("data_o")) as u64, corrected, detected);
            assert_eq!(got, (want.data, want.corrected, want.detected), "{name}, word {n}");
        }
    }
}

#[test]
fn codewords_are_those_of_the_golden_codec() {
    let codes = [8, 16, 32, 64].map(|data_bits| Code::Secded { data_bits }).into_iter();
    for code in codes.chain([Code::Parity, Code::Tmr, Code::MsbTmr { bits: 3 }]) {
        let hw = coded(&array(4, 8, 8), code);
        compare(&hw, Site::Weights);
        if hw.codeword(Site::Biases) != hw.codeword(Site::Weights) {
            // A module is named after its code; that of biases has another name where both are there.
            let mut config = hw.config.clone();
            config.protection = ProtectionConfig { biases: Some(code.for_biases()), ..ProtectionConfig::default() };
            compare(&config.validate().expect("the code fits"), Site::Biases);
        }
    }
    let mut config = coded(&array(4, 8, 8), Code::Secded { data_bits: 32 }).config;
    config.protection.on_detected = OnDetected::Zero;
    compare(&config.validate().expect("the code fits"), Site::Weights);
}

/// Words of the decode port of weights, some cycles without one: data and numbers of units, and where writes may fail no error
/// of what is not in use.
#[test]
fn decode_port_counts_the_units_of_the_words_that_are_read() {
    for (code, kinds) in [
        (Code::Secded { data_bits: 16 }, Kinds::READ),
        (Code::Secded { data_bits: 8 }, Kinds::ALL),
        (Code::Parity, Kinds::ALL),
        (Code::Tmr, Kinds::READ),
        (Code::MsbTmr { bits: 2 }, Kinds::ALL),
    ] {
        let mut config = coded(&array(4, 8, 8), code).config;
        (config.injector.weights, config.injector.biases) = (kinds, Kinds::NONE);
        config.protection.biases = Some(Code::None);
        let hw = config.validate().expect("the configuration is legal");
        let (port, word) = (hw.port(Site::Weights), hw.codeword(Site::Weights));
        let codec = Codec::new(word).expect("a code");
        let (mut bench, mut rng) = (Bench::new(&hw, "decode_port"), rng(3));
        let before = hw.memory_latency(Site::Weights) + hw.injector_latency;
        let (mut coming, mut leaving) = (VecDeque::new(), VecDeque::new());
        let mut seen = [0; 2];
        for cycle in 0..4000 {
            let (issue, live) = (rng.random_bool(0.7), rng.random_range(1..=hw.cols));
            bench.set("issue_i", issue.into());
            bench.set("live_i", (1 << live) - 1);
            coming.push_back((issue, live));
            if coming.len() as u32 > before {
                let (issue, live) = coming.pop_front().expect("it is not empty");
                let (mut code, mut want) = (Vec::new(), (0u64, 0, 0));
                for lane in (0..port.lanes).rev() {
                    let bytes = live.saturating_sub(lane * port.lane_bytes).min(port.lane_bytes);
                    let in_use = word.cells_in_use(bytes);
                    let data = rng.random::<u64>() & (in_use & word.data_cells()) as u64;
                    let wrong = errors(&mut rng, port.cells);
                    // Without write errors the read port sees to it that nothing else is wrong.
                    let wrong = if kinds == Kinds::ALL { wrong } else { wrong & in_use };
                    let read = codec.decode(codec.encode(data) ^ wrong & in_use);
                    code.push(codec.encode(data) ^ wrong);
                    want.0 = if word.data_bits == 64 { read.data } else { want.0 << word.data_bits | read.data };
                    want.1 += if issue { read.corrected.count_ones() } else { 0 };
                    want.2 += if issue { read.detected.count_ones() } else { 0 };
                }
                let cells = code.iter().rev().flat_map(|lane| (0..port.cells).map(move |cell| lane >> cell & 1 == 1));
                let mut packed = vec![0u32; (port.cells * port.lanes).div_ceil(32) as usize];
                cells.enumerate().filter(|(_, one)| *one).for_each(|(n, _)| packed[n / 32] |= 1 << (n % 32));
                bench.set_words("code_i", &packed);
                leaving.push_back(want);
            }
            bench.step();
            if leaving.len() as u32 == code.latency() {
                let (data, corrected, detected) = leaving.pop_front().expect("it is not empty");
                let got = (bench.get("data_o"), bench.get("corrected_o"), bench.get("detected_o"));
                assert_eq!(got, (data, corrected.into(), detected.into()), "{code}, cycle {cycle}");
                seen = [seen[0] + corrected, seen[1] + detected];
            }
        }
        assert!(seen.iter().any(|&count| count > 1000), "{code}: {seen:?}");
    }
}
