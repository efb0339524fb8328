//! Writes ofmap values of `cols` channels into feature-map words of `rows` channels.
//!
//! Output fold `k` starts at channel `k * cols`: lane `(k * cols) mod rows` of a word. The values are shifted to that lane
//! and leave in one to `split_writes` writes of consecutive folds. Pixels must be at least that many cycles apart: the
//! descriptor's `emit_interval` sees to it. Latency 1 from `valid_i` to the first write.

use hafnia_config::Elaborated;
use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct WriteBack {
    pub clk_i: Wire<In>,
    pub start_i: Wire<In>,
    pub base_i: Wire<In>,
    pub image_words_i: Wire<In>,
    pub plane_words_i: Wire<In>,
    pub images_i: Wire<In>,
    pub folds_i: Wire<In>,
    pub cols_last_i: Wire<In>,
    pub valid_i: Wire<In>,
    pub values_i: Wire<In>,
    pub lanes_o: Wire<Out>,
    pub address_o: Wire<Out>,
    pub data_o: Wire<Out>,
    _text: String,
}

impl WriteBack {
    /// Returns the write-back of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        Self {
            clk_i: Wire::new(1),
            start_i: Wire::new(1),
            base_i: Wire::new(hw.map_address_bits),
            image_words_i: Wire::new(hw.map_address_bits),
            plane_words_i: Wire::new(hw.map_address_bits),
            images_i: Wire::new(8),
            folds_i: Wire::new(16),
            cols_last_i: Wire::new(8),
            valid_i: Wire::new(1),
            values_i: Wire::new(8 * hw.cols),
            lanes_o: Wire::new(hw.rows),
            address_o: Wire::new(hw.map_address_bits),
            data_o: Wire::new(8 * hw.rows),
            _text: text(hw),
        }
    }
}

fn text(hw: &Elaborated) -> String {
    let (rows, cols) = (hw.rows, hw.cols);
    // With `cols` a multiple of `rows` every fold starts at lane 0; otherwise the first lane moves by `cols mod rows`.
    let aligned = cols % rows == 0;
    let bytes = if aligned { cols } else { cols + rows - 1 };
    let (skip, step) = (cols / rows, cols % rows);
    let a = hw.map_address_bits;
    let data_in =
        if bytes == cols { "values_i".to_owned() } else { format!("{{{}'d0, values_i}}", 8 * (bytes - cols)) };
    let mask_in = if bytes == cols { "in_use".to_owned() } else { format!("{{{}'d0, in_use}}", bytes - cols) };
    let (data_in, mask_in) = if aligned {
        (data_in, mask_in)
    } else {
        (format!("{data_in} << {{lane, 3'd0}}"), format!("{mask_in} << lane"))
    };
    let in_use: Vec<String> = (0..cols).rev().map(|c| format!("(~last_fold | (cols_last_i > 8'd{c}))")).collect();
    let multiple = |n: u32| match n {
        0 => format!("{a}'d0"),
        1 => "plane_words_i".to_owned(),
        n => format!("plane_words_i * {a}'d{n}"),
    };
    let (next_lane, next_fold) = if aligned {
        (String::from("5'd0"), format!("fold_base + {}", multiple(skip)))
    } else {
        (
            format!("wraps ? lane + 5'd{step} - 5'd{rows} : lane + 5'd{step}"),
            format!("fold_base + (wraps ? {} : {})", multiple(skip + 1), multiple(skip)),
        )
    };
    let wraps = if aligned { String::new() } else { format!("wire wraps = lane + 5'd{step} >= 5'd{rows};\n") };
    // Without a second write what is not written may stay.
    let (shifted_data, shifted_mask) = if bytes > rows {
        (format!("    data <= data >> {};\n", 8 * rows), format!("mask >> {rows}"))
    } else {
        (String::new(), format!("{bytes}'d0"))
    };
    let (data_out, mask_out) = if bytes >= rows {
        (format!("data[{}:0]", 8 * rows - 1), format!("mask[{}:0]", rows - 1))
    } else {
        (format!("{{{}'d0, data}}", 8 * (rows - bytes)), format!("{{{}'d0, mask}}", rows - bytes))
    };
    format!(
        "reg [{dtop}:0] data;
reg [{mtop}:0] mask;
reg [{atop}:0] address;
reg [{atop}:0] fold_base;
reg [{atop}:0] image_base;
reg [{atop}:0] pixel;
reg [7:0] image;
reg [15:0] fold;
reg [4:0] lane;
// Whether this is the last one, known with each count.
reg last_fold;
reg last_image;
reg last_pixel;
wire [{ctop}:0] in_use = {{{in_use}}};
{wraps}wire [{atop}:0] next_fold_base = {next_fold};
wire [4:0] next_lane = {next_lane};
assign lanes_o = {mask_out};
assign address_o = address;
assign data_o = {data_out};
always @(posedge clk_i) begin
  if (start_i) begin
    mask <= {bytes}'d0;
    fold_base <= base_i;
    image_base <= base_i;
    pixel <= {a}'d0;
    image <= 8'd0;
    fold <= 16'd0;
    last_fold <= folds_i == 16'd1;
    last_image <= images_i == 8'd1;
    last_pixel <= plane_words_i == {a}'d1;
    lane <= 5'd0;
  end else if (valid_i) begin
    data <= {data_in};
    mask <= {mask_in};
    address <= image_base + pixel;
    last_pixel <= last_pixel ? plane_words_i == {a}'d1 : pixel + {a}'d2 == plane_words_i;
    if (last_pixel) begin
      pixel <= {a}'d0;
      last_image <= last_image ? images_i == 8'd1 : image + 8'd2 == images_i;
      if (last_image) begin
        image <= 8'd0;
        fold <= fold + 16'd1;
        last_fold <= fold + 16'd2 == folds_i;
        lane <= next_lane;
        fold_base <= next_fold_base;
        image_base <= next_fold_base;
      end else begin
        image <= image + 8'd1;
        image_base <= image_base + image_words_i;
      end
    end else pixel <= pixel + {a}'d1;
  end else if (|mask) begin
{shifted_data}    mask <= {shifted_mask};
    address <= address + plane_words_i;
  end
end
",
        dtop = 8 * bytes - 1,
        mtop = bytes - 1,
        atop = a - 1,
        ctop = cols - 1,
        in_use = in_use.join(", "),
    )
}

impl Logic for WriteBack {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom(
            "write_back",
            "Writes ofmap values of `cols` channels into words of `rows` channels.",
            self._text.clone(),
        )
    }
}
