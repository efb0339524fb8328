// Properties of `ring`, the pointers of the weight memory when it is a ring of `DEPTH` words.
//
// Assumed: the writer never writes when the ring is full, the reader never reads when it is empty.
// Proved, for every power-on state, from the first cycle of reset on and for all time:
//   bounds   the level is at most DEPTH, both addresses are below it;
//   span     the write address is `level` words after the read address, modulo DEPTH;
//   flags    full and empty are exact;
//   emptied  reset and clear leave an empty ring;
//   order    words come out in the order they went in: a word before which `ahead` words lay when it was written is the
//            word that is read after `ahead` reads, unchanged.
// Argument: k-induction with k = 1. `order` follows one written word, and any: `pick_i` is free, so the solver may
// choose every word of every run. `kept` is the invariant that carries it: the word lies unchanged, `ahead` words after
// the read address.
module ring_properties #(
  parameter DEPTH = 64
) (
  input clk_i,
  input rst_i,
  input clear_i,
  input write_i,
  input read_i,
  input [7:0] data_i,
  input pick_i
);
wire [19:0] write_address;
wire [19:0] read_address;
wire [19:0] level;
wire full;
wire empty;
ring dut (
  .clk_i(clk_i), .rst_i(rst_i), .clear_i(clear_i), .write_i(write_i), .read_i(read_i),
  .write_address_o(write_address), .read_address_o(read_address), .level_o(level), .full_o(full), .empty_o(empty)
);

always @(*) begin
  writer_waits: assume (!(write_i && full));
  reader_waits: assume (!(read_i && empty));
end

// The address `words` after the read address; `words` is at most DEPTH.
function [19:0] after(input [19:0] from, input [19:0] words);
  after = from + words < DEPTH ? from + words : from + words - DEPTH;
endfunction

// The memory that the pointers belong to, and one word in it.
reg [7:0] memory [0:DEPTH-1];
reg was_reset = 0;
reg was_emptied = 0;
reg picked = 0;
reg [7:0] picked_data;
reg [19:0] picked_address;
reg [19:0] ahead;
wire stays = !rst_i && !clear_i;
wire leaves = picked && read_i && ahead == 0;
wire picks = stays && write_i && pick_i && (!picked || leaves);
always @(posedge clk_i) begin
  was_reset <= was_reset | rst_i;
  was_emptied <= !stays;
  if (write_i) memory[write_address] <= data_i;
  if (picks) begin
    picked_data <= data_i;
    picked_address <= write_address;
    ahead <= read_i ? level - 1 : level;
  end else if (read_i) ahead <= ahead - 1;
  picked <= was_reset && (picks || stays && picked && !leaves);
end

always @(*) if (was_reset) begin
  bounds: assert (level <= DEPTH && write_address < DEPTH && read_address < DEPTH);
  span: assert (write_address == after(read_address, level));
  flags: assert (full == (level == DEPTH) && empty == (level == 0));
  if (was_emptied) emptied: assert (empty);
  if (picked) begin
    kept: assert (
      ahead < level && picked_address == after(read_address, ahead) && memory[picked_address] == picked_data);
  end
  if (leaves) order: assert (memory[read_address] == picked_data);
end

always @(*) if (was_reset) begin
  read_behind_others: cover (leaves && write_i && level > 2);
  wrapped: cover (leaves && write_address == 0 && read_address == DEPTH - 1);
  filled: cover (full);
end
endmodule
