fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mut c = hafnia_config::presets::find("8x8").unwrap();
    if let Ok(p) = hafnia_config::presets::find(&a[1]) { c = p } else {
        let (r, k) = a[1].split_once('x').unwrap();
        c.array.rows = r.parse().unwrap(); c.array.cols = k.parse().unwrap(); c.name = a[1].clone();
    }
    hafnia_gen::generate(&c.validate().unwrap()).write(a[2].as_ref()).unwrap();
}
