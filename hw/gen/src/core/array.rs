//! The weight-stationary array: `cols` columns of `rows` PEs, skewed at the edges.
//!
//! Row `r` meets a pixel `r` cycles after row 0, column `c` another `c` cycles later. The ofmap values of one pixel leave
//! the columns on the same diagonal and are straightened before `values_o`.

use hafnia_config::Elaborated;
use rust_hdl::core::prelude::*;

use super::column::{Column, HOST_ADDRESS_BITS};
use super::control::Control;
use super::skew::Skew;
use crate::emit::{custom, range};
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Array {
    pub clk_i: Wire<In>,
    pub x_i: Wire<In>,
    pub switch_i: Wire<In>,
    pub control_i: Wire<In>,
    pub weights_i: Wire<In>,
    pub load_i: Wire<In>,
    pub valid_o: Wire<Out>,
    pub values_o: Wire<Out>,
    pub host_read_i: Wire<In>,
    pub host_address_i: Wire<In>,
    pub host_data_i: Wire<In>,
    pub bias_i: Wire<In>,
    /// The column that takes the bias.
    pub bias_load_i: Wire<In>,
    pub host_write_scale_i: Wire<In>,
    pub accumulators_o: Wire<Out>,
    pixel_skew: Skew,
    weight_skew: Skew,
    columns: Vec<Column>,
    _text: String,
}

impl Array {
    /// Returns the array of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let mut array = Self {
            clk_i: Wire::new(1),
            x_i: Wire::new(8 * hw.rows),
            switch_i: Wire::new(1),
            control_i: Wire::new(Control::new(hw).bits),
            weights_i: Wire::new(8 * hw.cols),
            load_i: Wire::new(hw.rows),
            valid_o: Wire::new(1),
            values_o: Wire::new(8 * hw.cols),
            host_read_i: Wire::new(1),
            host_address_i: Wire::new(HOST_ADDRESS_BITS),
            host_data_i: Wire::new(32),
            bias_i: Wire::new(32),
            bias_load_i: Wire::new(hw.cols),
            host_write_scale_i: Wire::new(hw.cols),
            accumulators_o: Wire::new(32 * hw.cols),
            pixel_skew: Skew::new("pixel_skew", hw.rows, 9),
            weight_skew: Skew::new("weight_skew", hw.cols, 8),
            columns: (0..hw.cols).map(|_| Column::new(hw)).collect(),
            _text: String::new(),
        };
        array._text = array.wire_edges(hw) + &array.wire_columns() + &straighten(hw.cols);
        array
    }

    fn wire_edges(&mut self, hw: &Elaborated) -> String {
        self.pixel_skew.clk_i.connect();
        self.weight_skew.clk_i.connect();
        let lanes: Vec<_> = (0..hw.rows).rev().map(|r| format!("switch_i, x_i[{}:{}]", 8 * r + 7, 8 * r)).collect();
        let mut text = self.pixel_skew.lanes_i.drive("pixel_skew_lanes_i", &format!("{{{}}}", lanes.join(", ")));
        text.push_str(&self.weight_skew.lanes_i.drive("weight_skew_lanes_i", "weights_i"));
        let (mut x, mut switch) = (Vec::new(), Vec::new());
        for r in (0..hw.rows).rev() {
            x.push(format!("pixel_skew_lanes_o[{}:{}]", 9 * r + 7, 9 * r));
            switch.push(format!("pixel_skew_lanes_o[{}]", 9 * r + 8));
        }
        let top = Control::new(hw).bits - 1;
        text.push_str(&format!(
            "wire [{}:0] x = {{{}}};\nwire [{}:0] switch = {{{}}};\n",
            8 * hw.rows - 1,
            x.join(", "),
            hw.rows - 1,
            switch.join(", ")
        ));
        // The control word waits for the sum at the bottom of column 0.
        for n in 1..=hw.rows {
            text.push_str(&format!("reg [{top}:0] control_{n};\n"));
        }
        text.push_str("always @(posedge clk_i) begin\n  control_1 <= control_i;\n");
        for n in 2..=hw.rows {
            text.push_str(&format!("  control_{n} <= control_{};\n", n - 1));
        }
        text.push_str(&format!("end\nwire [{top}:0] control = control_{};\n", hw.rows));
        text
    }

    fn wire_columns(&mut self) -> String {
        // Scales are written a cycle after the request: the columns are far apart.
        let mut text = format!(
            "reg {columns}write_scale;\nreg [{address}:0] scale_address;\nreg [31:0] scale_data;\n\
             always @(posedge clk_i) begin\n  write_scale <= host_write_scale_i;\n  scale_address <= host_address_i;\n  \
             scale_data <= host_data_i;\nend\n",
            columns = range(self.columns.len() as u32),
            address = HOST_ADDRESS_BITS - 1,
        );
        let mut accumulators = Vec::new();
        for (c, column) in self.columns.iter_mut().enumerate() {
            column.clk_i.connect();
            let left =
                |port: &str, edge: &str| if c == 0 { edge.to_owned() } else { format!("columns_{}_{port}", c - 1) };
            for (port, name, from) in [
                (&mut column.x_i, "x_i", left("x_o", "x")),
                (&mut column.switch_i, "switch_i", left("switch_o", "switch")),
                (&mut column.load_i, "load_i", left("load_o", "load_i")),
                (&mut column.control_i, "control_i", left("control_o", "control")),
                (&mut column.weight_i, "weight_i", format!("weight_skew_lanes_o[{}:{}]", 8 * c + 7, 8 * c)),
                (&mut column.host_read_i, "host_read_i", "host_read_i".to_owned()),
                (&mut column.host_address_i, "host_address_i", "host_address_i".to_owned()),
                (&mut column.bias_i, "bias_i", "bias_i".to_owned()),
                (&mut column.bias_load_i, "bias_load_i", format!("bias_load_i[{c}]")),
                (&mut column.host_write_scale_i, "host_write_scale_i", format!("write_scale[{c}]")),
                (&mut column.scale_address_i, "scale_address_i", "scale_address".to_owned()),
                (&mut column.scale_data_i, "scale_data_i", "scale_data".to_owned()),
            ] {
                text.push_str(&port.drive(&format!("columns_{c}_{name}"), &from));
            }
            accumulators.insert(0, format!("columns_{c}_accumulator_o"));
        }
        text.push_str(&format!("assign accumulators_o = {{{}}};\n", accumulators.join(", ")));
        text
    }
}

/// Stage `n` holds the values of columns 0 to `n` of one pixel; the last column closes the word.
fn straighten(cols: u32) -> String {
    let mut text = String::new();
    let last = cols - 1;
    for n in 0..last {
        text.push_str(&format!("reg [{}:0] straight_{n};\n", 8 * n + 7));
    }
    text.push_str("always @(posedge clk_i) begin\n");
    for n in 0..last {
        let value = if n == 0 {
            "columns_0_value_o".to_owned()
        } else {
            format!("{{columns_{n}_value_o, straight_{}}}", n - 1)
        };
        text.push_str(&format!("  if (columns_{n}_valid_o) straight_{n} <= {value};\n"));
    }
    text.push_str(&format!(
        "end\nassign valid_o = columns_{last}_valid_o;\nassign values_o = {{columns_{last}_value_o, straight_{}}};\n",
        last - 1
    ));
    text
}

impl Logic for Array {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("array", "The weight-stationary array, skewed at the edges.", self._text.clone())
    }
}
