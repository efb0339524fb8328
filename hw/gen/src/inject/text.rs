//! Verilog of one step of a Tausworthe component, shared by the seeder and the lanes.

use hafnia_config::fault::Tausworthe;

/// Returns the expression of the next state of the 32-bit register `z`:
/// `b = ((z << q) ^ z) >> r; z' = ((z & mask) << s) ^ b`. The shifts are wiring; only the XORs cost logic.
pub fn step(z: &str, component: &Tausworthe) -> String {
    let Tausworthe { k, q, s } = *component;
    let low = 32 - k;
    let kept = format!("{{{z}[{}:{low}], {}'d0}}", 31 - s, s + low);
    format!("{kept} ^ ((({z} << {q}) ^ {z}) >> {})", component.r())
}
