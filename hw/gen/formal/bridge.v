// Properties of `bridge`, which carries out requests on the bus and answers them, for a patience of 2^PATIENCE_BITS cycles.
//
// Assumed: a request has a command that there is; the slave answers only an access that it took, and says one thing at a time.
// Nothing is assumed of the numbers, of when requests come, of stalls, of how long an answer takes, or of when a byte of the
// answer is taken. The frame's word at place `p` is any constant XOR `p`.
// For covers, and for the copies with a fault, the solver is to find runs of few cycles: the test makes a reset open a session
// and sets QUICK. Then there is one reset, the session is at number 0 as if write 255 had been carried out, requests have one or
// two words at low addresses, and each byte of an answer is taken at once.
// Proved, for every power-on state, from the first cycle of reset on and for all time:
//   turn    the next number is that behind the last hello or the last request carried out, and whether a session is open;
//   once    a write that was carried out is not carried out again when its number comes again before 255 others were carried out
//           or a session was opened; words are fetched from the frame for no other request than a write in its turn;
//   within  an access is offered only in a cycle of the bus;
//   held    it stays as it is while it is stalled, unless it has lasted too long;
//   single  none is offered before the one before it was answered;
//   closed  a cycle of the bus ends only behind an answer, or when it has lasted too long;
//   asked   each access is the one whose turn it is of a request that is to be carried out: address, direction, word; none
//           follows a write that failed or a bus that did not answer;
//   done    an answer ends only when every access was made, but for these two;
//   length  an answer has 3 bytes, 4 for each word read, and 2;
//   told    its bytes are number, answer, words, what was read, status and place, and so is what it keeps for those to come;
//   ends    each cycle in which no byte waits to be taken brings the bridge nearer to rest.
// Argument: k-induction with k = 1. `tied` is the invariant: what the bridge holds in each state, in terms of what was asked and
// what has happened since. `once` follows one write, and any: `pick_i` is free.
module bridge_properties #(
  parameter PATIENCE_BITS = 20,
  parameter QUICK = 0
) (
  input clk_i,
  input rst_i,
  input request_i,
  input [7:0] number_i,
  input [1:0] command_i,
  input [5:0] last_word_i,
  input [23:0] address_i,
  input ready_i,
  input [31:0] dat_i,
  input ack_i,
  input err_i,
  input stall_i,
  input pick_i
);
wire [5:0] word_place;
wire hold;
wire [7:0] data;
wire valid;
wire last;
wire cyc;
wire stb;
wire we;
wire [23:0] adr;
wire [31:0] dat;
(* anyconst *) wire [31:0] key;
reg [5:0] place_1;
reg [5:0] place_2;
function [31:0] content(input [31:0] key, input [5:0] place);
  content = key ^ {26'd0, place};
endfunction
bridge dut (
  .clk_i(clk_i), .rst_i(rst_i), .request_i(request_i), .number_i(number_i), .command_i(command_i), .last_word_i(last_word_i),
  .address_i(address_i), .word_place_o(word_place), .word_i(content(key, place_2)), .hold_o(hold), .data_o(data),
  .valid_o(valid), .last_o(last), .ready_i(ready_i), .cyc_o(cyc), .stb_o(stb), .we_o(we), .adr_o(adr), .dat_o(dat),
  .dat_i(dat_i), .ack_i(ack_i), .err_i(err_i), .stall_i(stall_i)
);
(* hierconn *) wire [2:0] \dut.state ;
(* hierconn *) wire \dut.session ;
(* hierconn *) wire [7:0] \dut.expected ;
(* hierconn *) wire [7:0] \dut.number ;
(* hierconn *) wire [7:0] \dut.answer ;
(* hierconn *) wire [5:0] \dut.last_word ;
(* hierconn *) wire [5:0] \dut.place ;
(* hierconn *) wire [23:0] \dut.address ;
(* hierconn *) wire \dut.write ;
(* hierconn *) wire \dut.reads ;
(* hierconn *) wire [1:0] \dut.part ;
(* hierconn *) wire [31:0] \dut.word ;
(* hierconn *) wire [PATIENCE_BITS-1:0] \dut.quiet ;
(* hierconn *) wire \dut.refused ;
(* hierconn *) wire \dut.refused_before ;
(* hierconn *) wire \dut.timeout ;
(* hierconn *) wire [5:0] \dut.refused_place ;
localparam [2:0] IDLE = 0, FETCH = 1, OFFER = 2, WAIT = 3, HEAD = 4, WORD = 5, TAIL = 6;
localparam [1:0] HELLO = 0, READ = 1, WRITE = 2;
localparam [PATIENCE_BITS-1:0] LONGEST = {PATIENCE_BITS{1'b1}};

// The session, by the rules alone.
reg was_reset = 0;
reg session = 0;
reg [7:0] next;
wire accepted = request_i && !hold;
wire [7:0] back = next - number_i;
wire hello = command_i == HELLO;
wire in_turn = session && back == 0;
wire again = session && back >= 1 && back <= 16;

// The request that is carried out, what its answer begins with, and what has happened.
reg open = 0;
reg [1:0] command;
reg [5:0] last_word;
reg [23:0] address;
reg runs;
reg numbered;
reg [7:0] told_number;
reg [7:0] told_answer;
reg [5:0] told_last;
reg [6:0] accesses;
reg [8:0] bytes;
reg [31:0] got;
reg refused;
reg late;
reg failed_before;
reg [5:0] failed_place;
// The access that was taken and not answered, and the cycles that the bus has been held.
reg taken = 0;
reg [PATIENCE_BITS-1:0] spent;
wire answered = ack_i || err_i;
wire gives_up = cyc && !stb && spent == LONGEST && !answered;
wire finishes = taken && answered || gives_up;
wire fails = taken && err_i || gives_up;
wire reads = runs && command == READ;
wire writes = runs && command == WRITE;
wire sent = valid && ready_i;
// A write, and the requests carried out since; and whether the request is one with its number.
reg picked = 0;
reg [7:0] picked_number;
reg [7:0] since;
reg same = 0;
// The cycle before.
reg [2:0] before = 0;
reg [23:0] before_adr;
reg [31:0] before_dat;
reg before_we;
reg before_nearer = 0;
reg started = 0;

always @(*) begin
  command_known: assume (command_i != 3);
  answers_follow: assume (!answered || taken && cyc);
  one_answer: assume (!(ack_i && err_i));
  if (QUICK) soon: assume (rst_i != started && ready_i && last_word_i <= 1 && address_i <= 3);
end

always @(posedge clk_i) begin
  was_reset <= was_reset | rst_i;
  started <= 1;
  place_1 <= word_place;
  place_2 <= place_1;
  if (accepted) begin
    open <= 1;
    command <= command_i;
    last_word <= last_word_i;
    address <= address_i;
    runs <= !hello && (in_turn || again && command_i == READ);
    numbered <= hello || session;
    told_number <= hello || in_turn || again ? number_i : next;
    told_answer <= hello || in_turn || again ? 8'h80 | command_i : 8'hff;
    told_last <= hello ? 63 : last_word_i;
    accesses <= 0;
    bytes <= 0;
    refused <= 0;
    late <= 0;
    failed_place <= 0;
    if (hello) begin
      session <= 1;
      next <= number_i + 1;
      failed_before <= 0;
    end else if (in_turn) next <= next + 1;
  end
  if (finishes) begin
    accesses <= accesses + 1;
    got <= fails ? 0 : dat_i;
    refused <= refused | err_i;
    late <= late | gives_up;
    if (fails && !refused && !late) failed_place <= accesses;
    failed_before <= failed_before | fails;
  end
  if (sent) bytes <= bytes + 1;
  if (sent && last) open <= 0;
  taken <= cyc && !finishes && (taken || stb && !stall_i);
  spent <= !cyc ? 0 : spent == LONGEST ? spent : spent + 1;

  if (accepted) begin
    same <= picked && number_i == picked_number;
    if (hello) picked <= 0;
    else if (in_turn) begin
      since <= since + 1;
      if (since == 254) picked <= 0;
      if (command_i == WRITE && pick_i) begin
        picked <= 1;
        picked_number <= number_i;
        since <= 0;
        same <= 0;
      end
    end
  end
  if (rst_i) begin
    open <= 0;
    session <= QUICK;
    if (QUICK) next <= 0;
    failed_before <= 0;
    taken <= 0;
    picked <= QUICK;
    if (QUICK) picked_number <= 255;
    if (QUICK) since <= 0;
    same <= 0;
  end
  before <= {stb && stall_i && spent != LONGEST, cyc && !finishes, open} & {3{was_reset & !rst_i}};
  before_adr <= adr;
  before_dat <= dat;
  before_we <= we;
  before_nearer <= was_reset && !rst_i && open && !(valid && !ready_i);
end

// How far the bridge is from rest if no byte waits: words that are left, and below that cycles of this word, or more.
localparam SMALL = PATIENCE_BITS + 2;
wire [SMALL-1:0] on_bus = LONGEST + 1 - spent + (\dut.state == OFFER);
wire [7:0] left = \dut.last_word - \dut.place ;
reg [7:0] rank_words;
reg [SMALL-1:0] rank_cycles;
wire [SMALL+7:0] rank = {rank_words, rank_cycles};
reg [SMALL+7:0] before_rank;
always @(*) begin
  rank_words = left + 2;
  case (\dut.state )
    FETCH: rank_cycles = 3 - \dut.part + LONGEST + 2;
    OFFER, WAIT: rank_cycles = on_bus + (\dut.write ? 0 : 4);
    WORD: rank_cycles = 4 - \dut.part ;
    HEAD: begin
      rank_words = \dut.reads ? left + 3 : 1;
      rank_cycles = 3 - \dut.part ;
    end
    default: begin
      rank_words = 0;
      rank_cycles = \dut.state == IDLE ? 0 : 2 - \dut.part [0];
    end
  endcase
end
always @(posedge clk_i) before_rank <= rank;

// What the answer's byte must be.
wire [8:0] words = reads ? 4 * (last_word + 9'd1) : 0;
wire [8:0] of_word = bytes - 3;
wire [7:0] status = {4'd0, !session, late, failed_before, refused};
wire [7:0] byte_told = bytes == 0 ? told_number : bytes == 1 ? told_answer : bytes == 2 ? told_last :
  bytes < 3 + words ? got >> 8 * of_word[1:0] : bytes == 3 + words ? status : failed_place;

// What the bridge holds in each state.
reg tie;
always @(*) case (\dut.state )
  IDLE: tie = 1;
  FETCH: tie = !refused && !late && bytes == 0 && \dut.place == accesses && \dut.address == address + accesses &&
    (\dut.part == 0 || spent == 0 && place_1 == accesses && (\dut.part == 1 || \dut.part == 2 && place_2 == accesses));
  OFFER, WAIT: tie = runs && bytes == (reads ? 3 + 4 * accesses : 0) && \dut.place == accesses &&
    \dut.address == address + accesses && \dut.part == 0 && (reads || \dut.word == content(key, accesses));
  HEAD: tie = bytes == \dut.part && \dut.part <= 2 && (\dut.part == 0 || spent == 0) && (writes || accesses == 0) &&
    (!reads || !refused && !late && \dut.place == 0 && \dut.address == address);
  WORD: tie = reads && bytes == 3 + 4 * \dut.place + \dut.part && (\dut.part == 0 || spent == 0) &&
    (late || accesses == \dut.place + 1) && (late || \dut.address == address + \dut.place ) &&
    (!late || got == 0) && accesses <= \dut.place + 1;
  TAIL: tie = bytes == 3 + words + \dut.part && \dut.part <= 1;
  default: tie = 0;
endcase

always @(*) if (was_reset) begin
  turn: assert (\dut.session == session && (!session || \dut.expected == next));
  once: assert (!(same && cyc && we) && !(same && writes) && (\dut.state != FETCH || writes) && 
    (!picked || session && since <= 254 && next == picked_number + 8'd1 + since));
  within: assert (!stb || cyc);
  if (before[2]) held: assert (stb && adr == before_adr && we == before_we && (!we || dat == before_dat));
  single: assert (!stb || !taken);
  if (before[1]) closed: assert (cyc);
  if (cyc) begin
    asked: assert (open && runs && accesses <= last_word && we == writes && adr == address + accesses && !late &&
      !(we && refused) && (!we || !stb || dat == content(key, accesses)));
  end
  if (open && \dut.state == TAIL) done: assert (runs ? accesses == last_word + 1 || late || writes && refused : accesses == 0);
  if (valid) begin
    length: assert (open && bytes <= 4 + words && last == (bytes == 4 + words));
    told: assert (
      (bytes == 0 && !numbered || data == byte_told) && (\dut.state != WORD || \dut.word == got) &&
      (!numbered || \dut.number == told_number) && \dut.answer == told_answer && \dut.last_word == told_last &&
      \dut.refused == refused && \dut.timeout == late && \dut.refused_place == failed_place);
  end
  if (before_nearer) ends: assert (rank < before_rank);
  tied: assert (hold == open && tie && \dut.refused_before == failed_before && (!open ||
    \dut.write == (command == WRITE) && \dut.reads == reads &&
    (valid || (!numbered || \dut.number == told_number) && \dut.answer == told_answer && \dut.last_word == told_last &&
      \dut.refused == refused && \dut.timeout == late && \dut.refused_place == failed_place) &&
    (runs ? reads != writes && numbered && session && last_word == told_last : accesses == 0) &&
    (\dut.state == TAIL || \dut.place <= \dut.last_word ) && (!cyc || \dut.quiet == spent) &&
    (\dut.state != HEAD || !runs || reads || accesses == last_word + 1 || late || refused)));
end

always @(*) if (was_reset) begin
  second_word: cover (stb && we && accesses == 1);
  write_again: cover (valid && same && command == WRITE);
  refused_read: cover (valid && reads && refused);
  given_up: cover (valid && late);
  answered_in_time: cover (spent == LONGEST && taken && ack_i && !stb);
  out_of_turn: cover (valid && session && told_answer == 8'hff);
end
endmodule
