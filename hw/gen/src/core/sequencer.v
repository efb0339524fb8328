localparam IDLE = 4'd0;
localparam FETCH = 4'd1;
localparam SEED = 4'd2;
localparam DRAIN = 4'd3;
localparam STORE = 4'd4;
localparam RUN = 4'd8; // its bit alone says so: what depends on it has no time to spare
reg [3:0] state;
wire running = state[3];
reg [15:0] timer;
reg [7:0] index;
reg [7:0] left;
reg stopping; // the array drains, then the program is over
<FIELDS>
assign busy_o = state != IDLE;
assign program_read_o = state == FETCH;
assign program_address_o = {index, timer[4:0]};
// Each site's chain is as long as its generators are many.
assign weight_key_o = {f_weight_key3, f_weight_key2, f_weight_key1, f_weight_key0};
assign weight_shift_o = (state == SEED) & (timer < 16'd<WEIGHT_SEEDS>);
assign bias_key_o = {f_bias_key3, f_bias_key2, f_bias_key1, f_bias_key0};
assign bias_shift_o = (state == SEED) & (timer < 16'd<BIAS_SEEDS>);
assign map_key_o = {f_map_key3, f_map_key2, f_map_key1, f_map_key0};
assign map_shift_o = (state == SEED) & (timer < 16'd<MAP_SEEDS>);
assign source_o = f_source;
assign write_base_o = f_dest_base[<MTOP>:0];
assign write_image_o = f_dest_image[<MTOP>:0];
assign write_plane_o = f_dest_plane[<MTOP>:0];
assign images_o = f_images;
assign folds_o = f_k_folds;
assign cols_last_o = f_cols_last;
assign layer_o = f_layer;
assign group_o = f_group;
assign epochs_o = {d31, d30, d29, d28, d27, d26, d25, d24};
assign count_run_o = (state == SEED) | running | (state == DRAIN);
assign count_select_o = timer[3:0];
assign store_o = state == STORE;
assign store_index_o = index;

// The last cycle of FETCH, with the timer at 34: the descriptor is complete, every loop starts.
// Whether a loop or a state is at its end is known with its counter, not compared when it is asked.
reg begin_layer;
reg seeded;
reg drained;
reg stored;
assign seed_load_o = begin_layer;
assign write_start_o = begin_layer;
assign count_clear_o = begin_layer;
wire [1:0] first_tap = {1'b0, ~f_taps9};
wire [1:0] last_tap = {f_taps9, ~f_taps9};

// The cycle before RUN. Weights are loaded from then on, and nothing runs that is not loaded: only stalls ask for the state.
wire begin_run = begin_layer ? (<AFTER_FETCH>) == RUN : (state == SEED) & seeded;

// Weight loading: one row of a tile per cycle, one tile ahead of the pixels.
reg loading;
reg tile_ready;
reg tiles_done;
reg [7:0] tile_row;
reg [15:0] tile_c;
reg [15:0] tile_k;
reg [1:0] tile_r;
reg [1:0] tile_s;
reg [31:0] tile_address; // in the model's image
reg tile_last_c; // tile_c + 1 == f_c_folds
reg tile_last_k;
reg tile_last_tap; // tile_r and tile_s are at their last tap
reg row_last; // of this tile
wire [7:0] tile_cols = tile_last_k ? f_cols_last : 8'd<COLS>;
wire load = loading & weight_ready_i;
wire load_last = load & row_last;
assign weight_next_o = load;
wire load_final = load_last & tile_last_tap & tile_last_c & tile_last_k;
wire next_last_c = tile_last_c ? f_c_folds == 16'd1 : tile_c + 16'd2 == f_c_folds;

// Passes: one tile each.
// The loading of weights decides in the same cycle whether a pass starts, and what starts with it moves every counter of the
// pixels. What else they depend on is known a cycle before.
reg pass_busy;
reg idle; // ~pass_busy & ~passes_done
reg pixels_done;
reg passes_done;
reg [7:0] wait_cycles;
reg going; // pass_busy & ~pixels_done & (wait_cycles == 0)
reg [7:0] age;
reg aged; // age >= age_last
reg [15:0] pass_c;
reg [15:0] pass_k;
reg [1:0] pass_r;
reg [1:0] pass_s;
reg pass_last_c; // pass_c + 1 == f_c_folds
reg pass_last_k;
reg pass_last_tap;
wire [7:0] pass_rows = pass_last_c ? f_rows_last : 8'd<ROWS>;
wire [7:0] pass_cols = pass_last_k ? f_cols_last : 8'd<COLS>;
wire pass_first = (pass_c == 16'd0) & (pass_r == first_tap) & (pass_s == first_tap);
wire pass_emits = pass_last_c & pass_last_tap & ~f_raw;
wire [7:0] interval = pass_emits ? f_emit_interval : 8'd1;
reg emits_apart; // f_emit_interval != 1
wire apart = pass_emits & emits_apart;
wire pass_start = idle & (tile_ready | load_last);
wire issue = pass_start | going;

// Pixels of a pass: image by image; 2x2 windows one after the other when a pool follows, else row by row.
reg [7:0] x;
reg [7:0] y;
reg [1:0] corner;
reg [7:0] image;
reg [<MTOP>:0] pixel;
reg [<MTOP>:0] image_base;
reg [<MTOP>:0] fold_base;
reg [<ATOP>:0] accumulator;
reg [<ATOP>:0] accumulator_base;
wire [7:0] stride = f_pool ? 8'd2 : 8'd1;
wire corner_last = ~f_pool | (corner == 2'd3);
wire [7:0] strides = f_pool ? 8'd4 : 8'd2; // two of them
reg x_last; // x + stride == f_width
reg y_last;
reg image_last;
wire last = corner_last & x_last & y_last & image_last;
wire pixel_last = issue & last;
wire [7:0] pixel_x = {x[7:1], f_pool ? corner[0] : x[0]};
wire [7:0] pixel_y = {y[7:1], f_pool ? corner[1] : y[0]};
wire pads_y = ((pass_r == 2'd0) & (pixel_y == 8'd0)) | ((pass_r == 2'd2) & (pixel_y + 8'd1 == f_height));
wire pads_x = ((pass_s == 2'd0) & (pixel_x == 8'd0)) | ((pass_s == 2'd2) & (pixel_x + 8'd1 == f_width));
wire [<MTOP>:0] width = <WIDTH>;
wire [<MTOP>:0] one = <MAP>'d1;
wire [<MTOP>:0] tap_y = (pass_r == 2'd0) ? -width : (pass_r == 2'd2) ? width : <MAP>'d0;
wire [<MTOP>:0] tap_x = (pass_s == 2'd0) ? -one : (pass_s == 2'd2) ? one : <MAP>'d0;
wire [7:0] age_last = f_taps9 ? 8'd<MIN_PASS> : 8'd<TAP_PASS>;
wire wait_end = wait_cycles <= 8'd1;
// A pass does not end in the cycle in which it starts.
wire pass_end = pass_busy & aged & (pixels_done ? wait_end : going & last & ~apart);
wire pass_last = pass_last_tap & pass_last_c & pass_last_k;
wire done = passes_done | (~pixels_done & pass_last); // where pass_end is: whether it was the last
wire ended = passes_done & ~pass_busy;
assign count_stall_o = running & idle & ~pass_start;

always @(posedge clk_i) begin
  timer <= timer + 16'd1;
  begin_layer <= (state == FETCH) & (timer == 16'd33) & ~stop_i & ~rst_i;
  seeded <= (state == SEED) & (timer == 16'd<SEED_LAST> - 16'd1);
  drained <= (state == DRAIN) & (timer == 16'd<DRAIN_LAST> - 16'd1) & ~stop_i;
  stored <= (state == STORE) & (timer == 16'd14);
  case (state)
    IDLE: begin
      timer <= 16'd0;
      stopping <= 1'b0;
      index <= first_i;
      left <= count_i;
      if (start_i & (count_i != 8'd0)) state <= FETCH;
    end
    FETCH: if (begin_layer) begin
      timer <= 16'd0;
      state <= <AFTER_FETCH>;
    end
    SEED: if (seeded) begin
      timer <= 16'd0;
      state <= RUN;
    end
    RUN: if (ended) begin
      timer <= 16'd1; // the pipeline has drained for a cycle
      state <= DRAIN;
    end
    DRAIN: if (drained) begin
      timer <= 16'd0;
      state <= stopping ? IDLE : STORE;
    end
    STORE: if (stored) begin
      timer <= 16'd0;
      index <= index + 8'd1;
      left <= left - 8'd1;
      state <= (left == 8'd1) ? IDLE : FETCH;
    end
    default: state <= IDLE;
  endcase
  if (stop_i & (state != IDLE)) begin
    timer <= 16'd0;
    stopping <= 1'b1;
    state <= DRAIN;
  end
  if (rst_i) state <= IDLE;
end

// Program words arrive two cycles after their address; the first one ends up in d0.
reg arrives;
always @(posedge clk_i) begin
  arrives <= (state == FETCH) & (timer >= 16'd1) & (timer < 16'd33);
  if (arrives) begin
<SHIFT>    d31 <= program_data_i;
  end
end

always @(posedge clk_i) begin
  if (begin_run) loading <= 1'b1;
  if (begin_layer) begin
    tile_ready <= 1'b0;
    tiles_done <= 1'b0;
    tile_row <= 8'd0;
    tile_c <= 16'd0;
    tile_k <= 16'd0;
    tile_r <= first_tap;
    tile_s <= first_tap;
    tile_address <= f_weight_base;
    tile_last_c <= f_c_folds == 16'd1;
    tile_last_k <= f_k_folds == 16'd1;
    tile_last_tap <= ~f_taps9;
    row_last <= (f_c_folds == 16'd1) & (f_rows_last == 8'd1);
  end else begin
    if (load) begin
      tile_row <= tile_row + 8'd1;
      row_last <= tile_row + 8'd2 == (tile_last_c ? f_rows_last : 8'd<ROWS>);
      tile_address <= tile_address + 32'd1;
    end
    if (load_last) begin
      loading <= 1'b0;
      tile_ready <= 1'b1;
      tile_row <= 8'd0;
      row_last <= (tile_last_tap ? next_last_c : tile_last_c) & (f_rows_last == 8'd1);
      tiles_done <= load_final;
      tile_last_tap <= ~f_taps9 | ((tile_r == 2'd2) & (tile_s == 2'd1));
      tile_s <= (tile_s == last_tap) ? first_tap : tile_s + 2'd1;
      if (tile_s == last_tap) tile_r <= (tile_r == last_tap) ? first_tap : tile_r + 2'd1;
      if (tile_last_tap) begin
        tile_c <= tile_last_c ? 16'd0 : tile_c + 16'd1;
        tile_last_c <= next_last_c;
      end
      if (tile_last_tap & tile_last_c) begin
        tile_k <= tile_k + 16'd1;
        tile_last_k <= tile_k + 16'd2 == f_k_folds;
      end
    end
    if (pass_start) begin
      tile_ready <= 1'b0;
      loading <= ~(tiles_done | load_final);
    end
  end
  if (stop_i | rst_i) begin
    loading <= 1'b0;
    tile_ready <= 1'b0;
  end
end

always @(posedge clk_i) begin
  if (begin_layer | stop_i | rst_i) begin // after a stop no pass is under way, or its pixels would be written
    pass_busy <= 1'b0;
    pixels_done <= 1'b0;
    passes_done <= 1'b0;
    idle <= 1'b1;
    going <= 1'b0;
    emits_apart <= f_emit_interval != 8'd1;
    wait_cycles <= 8'd0;
    pass_c <= 16'd0;
    pass_k <= 16'd0;
    pass_r <= first_tap;
    pass_s <= first_tap;
    pass_last_c <= f_c_folds == 16'd1;
    pass_last_k <= f_k_folds == 16'd1;
    pass_last_tap <= ~f_taps9;
  end else begin
    pass_busy <= pass_start | (pass_busy & ~pass_end);
    idle <= pass_busy ? pass_end & ~done : idle & ~pass_start;
    pixels_done <= (pixels_done | pixel_last) & ~pass_end;
    if (pixel_last & pass_last) passes_done <= 1'b1;
    if (issue) wait_cycles <= interval - 8'd1;
    else if (wait_cycles != 8'd0) wait_cycles <= wait_cycles - 8'd1;
    going <= issue ? ~last & ~apart : pass_busy & ~pixels_done & wait_end;
    if (pass_start) age <= 8'd1;
    else if (~aged) age <= age + 8'd1;
    aged <= pass_start ? age_last == 8'd1 : aged | (age + 8'd1 == age_last);
    if (pixel_last) begin
      pass_last_tap <= ~f_taps9 | ((pass_r == 2'd2) & (pass_s == 2'd1));
      pass_s <= (pass_s == last_tap) ? first_tap : pass_s + 2'd1;
      if (pass_s == last_tap) pass_r <= (pass_r == last_tap) ? first_tap : pass_r + 2'd1;
      if (pass_last_tap) begin
        pass_c <= pass_last_c ? 16'd0 : pass_c + 16'd1;
        pass_last_c <= pass_last_c ? f_c_folds == 16'd1 : pass_c + 16'd2 == f_c_folds;
      end
      if (pass_last_tap & pass_last_c) begin
        pass_k <= pass_k + 16'd1;
        pass_last_k <= pass_k + 16'd2 == f_k_folds;
      end
    end
  end
end

// The fold base of the pass after this one.
wire [<MTOP>:0] next_fold_base = ~pass_last_tap ? fold_base
  : pass_last_c ? f_source_base[<MTOP>:0] : fold_base + f_source_plane[<MTOP>:0];
// The head keeps the sums of each output fold apart.
wire [<ATOP>:0] next_accumulator_base = (f_raw & pass_last_tap & pass_last_c)
  ? accumulator_base + <IMAGES> : accumulator_base;
always @(posedge clk_i) begin
  if (begin_layer) begin
    x <= 8'd0;
    y <= 8'd0;
    corner <= 2'd0;
    image <= 8'd0;
    x_last <= stride == f_width;
    y_last <= stride == f_height;
    image_last <= f_images == 8'd1;
    pixel <= <MAP>'d0;
    image_base <= f_source_base[<MTOP>:0];
    fold_base <= f_source_base[<MTOP>:0];
    accumulator <= f_accumulator_base[<ATOP>:0];
    accumulator_base <= f_accumulator_base[<ATOP>:0];
  end else if (issue) begin
    accumulator <= accumulator + <ACC>'d1;
    if (~corner_last) begin
      corner <= corner + 2'd1;
      pixel <= (corner == 2'd1) ? pixel + width - one : pixel + one;
    end else begin
      corner <= 2'd0;
      if (~x_last) begin
        x <= x + stride;
        x_last <= x + strides == f_width;
        pixel <= f_pool ? pixel - width + one : pixel + one;
      end else begin
        x <= 8'd0;
        x_last <= stride == f_width;
        pixel <= y_last ? <MAP>'d0 : pixel + one;
        y <= y_last ? 8'd0 : y + stride;
        y_last <= y_last ? stride == f_height : y + strides == f_height;
        if (y_last) begin
          image <= image_last ? 8'd0 : image + 8'd1;
          image_last <= image_last ? f_images == 8'd1 : image + 8'd2 == f_images;
          image_base <= image_last ? next_fold_base : image_base + f_source_image[<MTOP>:0];
          if (image_last) begin
            fold_base <= next_fold_base;
            accumulator <= next_accumulator_base;
            accumulator_base <= next_accumulator_base;
          end
        end
      end
    end
  end
end

// Registered commands to the weight memory and to the feeder.
reg weight_read;
reg [31:0] weight_address;
reg [<ROWSTOP>:0] weight_row;
reg [<COLSTOP>:0] weight_live;
reg [7:0] weight_cols;
reg pixel_valid;
reg pixel_switch;
reg pixel_padding;
reg [<MTOP>:0] pixel_address;
reg [<ROWSTOP>:0] pixel_rows;
reg [7:0] pixel_row_count;
reg [7:0] pixel_col_count;
reg [4:0] pixel_flags;
reg [<ATOP>:0] pixel_accumulator;
reg [<PTOP>:0] pixel_parameter;
assign weight_read_o = weight_read;
assign weight_address_o = weight_address;
assign weight_row_o = weight_row;
assign weight_live_o = weight_live;
assign weight_cols_o = weight_cols;
assign pixel_valid_o = pixel_valid;
assign pixel_switch_o = pixel_switch;
assign pixel_padding_o = pixel_padding;
assign pixel_address_o = pixel_address;
assign pixel_rows_o = pixel_rows;
assign pixel_row_count_o = pixel_row_count;
assign pixel_col_count_o = pixel_col_count;
assign pixel_control_o = {pixel_parameter, pixel_accumulator, pixel_flags, pixel_valid};
always @(posedge clk_i) begin
  weight_read <= load;
  if (load) begin
    weight_address <= tile_address;
    weight_row <= {<ONEHOT>};
    weight_live <= <COLMASK>;
    weight_cols <= tile_cols;
  end
  pixel_valid <= issue;
  if (issue) begin
    pixel_switch <= pass_start;
    pixel_padding <= f_taps9 & (pads_y | pads_x);
    pixel_address <= image_base + pixel + tap_y + tap_x;
    pixel_rows <= <ROWMASK>;
    pixel_row_count <= pass_rows;
    pixel_col_count <= pass_cols;
    pixel_flags <= {corner_last, ~f_pool | (corner == 2'd0), f_relu, pass_emits, pass_first};
    pixel_accumulator <= accumulator;
    pixel_parameter <= f_parameter_base[<PTOP>:0] + pass_k[<PTOP>:0];
  end
end
