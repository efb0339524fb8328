use hafnia_config::{fault::Thresholds, presets, schedule::Schedule};
use hafnia_cosim::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mut c = presets::find("8x8").unwrap();
    if let Ok(p) = presets::find(&a[1]) { c = p } else {
        let (r, k) = a[1].split_once('x').unwrap();
        c.array.rows = r.parse().unwrap(); c.array.cols = k.parse().unwrap(); c.name = a[1].clone();
        c.memory.parameter_words = 1024; c.memory.weight_words = 40000;
    }
    let hw = c.validate().unwrap();
    let model = hafnia_quantize::read_model(std::path::Path::new(&a[2])).unwrap();
    let p: f64 = a[3].parse().unwrap();
    let n: usize = a[4].parse().unwrap();
    let data = hafnia_dataset::Dataset::digits();
    let imgs = data.test().read(0, n).unwrap();
    let q: Vec<_> = (0..n).map(|i| model.network.quantise_image(imgs.pixels(i))).collect();
    let schedule = Schedule::new(&hw, &model.network.shapes(), None).unwrap();
    println!("batch {} resident {}", schedule.batch, schedule.resident);
    let t = std::time::Instant::now();
    let m = hafnia_verilate::Builder::new().build(&design(&hw), Default::default()).unwrap();
    println!("build {:?}", t.elapsed());
    let t = std::time::Instant::now();
    let v = Verify { hw: &hw, network: &model.network, schedule: &schedule, thresholds: Thresholds::new(p, hw.codeword_bits).unwrap(), seed: 1 };
    let o = v.run(&m, 0, &q, &mut |_| ()).unwrap();
    match o { Outcome::Equal(s) => println!("EQUAL {} values {} flips {:?} {:?}", s.images, s.values, s.flips.len(), s.counters), Outcome::Differs{difference, first, cycles} => println!("DIFFERS {difference} first {first} cycles {cycles:?}") }
    println!("run {:?}", t.elapsed());
}
