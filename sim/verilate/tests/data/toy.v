// A stand-in for the accelerator: its ports and handshakes, no arithmetic. WIDTH is replaced before use.
//   0x00..0x0f  registers
//   0x10        write n: busy for n cycles
//   0x11        write: adds to a sum; read: the sum, plus one with every read
//   0x12        never answers
//   0x13        stall mask: a cycle is stalled when a counter has a bit of the mask set
//   0x14        $stop
//   0x15        a register that nothing writes
//   0x16, 0x17  stream transfers taken, and the exclusive or of their low words
//   elsewhere   error
module toy (
    input wire clk_i, input wire rst_i,
    input wire wb_cyc_i, input wire wb_stb_i, input wire wb_we_i, input wire [23:0] wb_adr_i, input wire [31:0] wb_dat_i,
    input wire [3:0] wb_sel_i, output reg [31:0] wb_dat_o, output reg wb_ack_o, output reg wb_err_o, output wire wb_stall_o,
    input wire ws_valid_i, input wire [WIDTH-1:0] ws_data_i, output wire ws_ready_o,
    output wire busy_o,
    output wire flip_valid_o, output wire [7:0] flip_layer_o, output wire [15:0] flip_group_o,
    output wire [31:0] flip_address_o, output wire [WIDTH-1:0] flip_before_o, output wire [WIDTH-1:0] flip_mask_o
);
    reg [31:0] registers [0:15];
    reg [31:0] remaining, sum, taken, folded;
    reg [31:0] never_written;
    reg [7:0] stall_mask, beat;
    reg [WIDTH-1:0] last;

    wire accepted = wb_cyc_i && wb_stb_i && !wb_stall_o && wb_sel_i == 4'hf;
    wire [7:0] offset = wb_adr_i[7:0];
    wire known = wb_adr_i < 24'h18;
    assign wb_stall_o = (beat & stall_mask) != 8'd0;
    assign busy_o = remaining != 32'd0;
    assign ws_ready_o = busy_o && beat[1:0] != 2'd0;

    assign flip_valid_o = busy_o && beat[2:0] == 3'd5;
    assign flip_layer_o = 8'd7;
    assign flip_group_o = remaining[15:0];
    assign flip_address_o = taken;
    assign flip_before_o = last;
    assign flip_mask_o = {1'b1, {(WIDTH-1){1'b0}}} >> remaining[2:0];

    always @(posedge clk_i) begin
        beat <= beat + 8'd1;
        wb_ack_o <= accepted && known && offset != 8'h12;
        wb_err_o <= accepted && !known;
        wb_dat_o <= 32'd0;
        if (busy_o) remaining <= remaining - 32'd1;
        if (ws_valid_i && ws_ready_o) begin
            taken <= taken + 32'd1;
            folded <= folded ^ ws_data_i[31:0];
            last <= ws_data_i;
        end
        if (accepted && wb_we_i) begin
            if (offset < 8'h10) registers[offset[3:0]] <= wb_dat_i;
            if (offset == 8'h10) remaining <= wb_dat_i;
            if (offset == 8'h11) sum <= sum + wb_dat_i;
            if (offset == 8'h13) stall_mask <= wb_dat_i[7:0];
            if (offset == 8'h14) $stop;
        end
        if (accepted && !wb_we_i) begin
            if (offset < 8'h10) wb_dat_o <= registers[offset[3:0]];
            if (offset == 8'h11) begin
                wb_dat_o <= sum;
                sum <= sum + 32'd1;
            end
            if (offset == 8'h15) wb_dat_o <= never_written;
            if (offset == 8'h16) wb_dat_o <= taken;
            if (offset == 8'h17) wb_dat_o <= folded;
        end
        if (accepted && wb_adr_i == 24'hffffff) never_written <= 32'd0;
        if (rst_i) begin
            remaining <= 32'd0;
            sum <= 32'd0;
            taken <= 32'd0;
            folded <= 32'd0;
            stall_mask <= 8'd0;
            beat <= 8'd0;
            last <= {WIDTH{1'b0}};
            wb_ack_o <= 1'b0;
            wb_err_o <= 1'b0;
        end
    end
endmodule
