// The C ABI between Hafnia and one verilated design. Compiled with the model into one shared library.
//
// A cycle is: the outside drives the inputs, the clock falls, the model settles, outputs are sampled, the clock rises.
// Cycle c is the state after c rising edges; in a trace it lasts from 10 c to 10 c + 10 ns and the clock falls at 10 c + 5.
// Every loop over cycles is in this file, so that a caller pays for one call per burst or run and not per cycle.
//
// `hafnia_ports.h` is generated from the list of ports: HAFNIA_PORTS(X), X taking a port's name and whether it is an
// input, and one HAFNIA_HAS_* per interface.
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "Vhafnia.h"
#include "hafnia_ports.h"
#include "verilated.h"

#if defined(HAFNIA_TRACE_VCD)
#include "verilated_vcd_c.h"
using TraceFile = VerilatedVcdC;
#elif defined(HAFNIA_TRACE_FST)
#include "verilated_fst_c.h"
using TraceFile = VerilatedFstC;
#endif

// The model calls these on $finish, $stop and errors such as a loop that does not settle. By default they end the process.
void vl_finish(const char *, int, const char *) VL_MT_UNSAFE { throw std::runtime_error("$finish was called"); }
void vl_stop(const char *, int, const char *) VL_MT_UNSAFE { throw std::runtime_error("$stop was called"); }
void vl_fatal(const char *, int, const char *, const char *message) VL_MT_UNSAFE { throw std::runtime_error(message); }

namespace {

enum Status : int32_t { DONE = 0, BUS_ERROR = 1, BUS_TIMEOUT = 2, BUS_PROTOCOL = 3, MODEL_FAILED = 4, TRACE_FAILED = 5 };

constexpr uint64_t HALF_PERIOD_NS = 5;
// A program may take this many cycles after the acknowledge of its start before busy_o rises.
constexpr uint64_t START_WINDOW = 8;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ports are copied as little-endian 32-bit words");

template <class Signal> constexpr size_t words_of() { return (sizeof(Signal) + 3) / 4; }

// Copies little-endian words into a port of 1, 2, 4, 8 or 4 n bytes.
template <class Signal> void put(Signal &port, const uint32_t *words) { std::memcpy(&port, words, sizeof(Signal)); }

// Copies a port into `out`, the last word padded with zeros, and returns the place after it.
template <class Signal> uint32_t *get(uint32_t *out, const Signal &port) {
    out[words_of<Signal>() - 1] = 0;
    std::memcpy(out, &port, sizeof(Signal));
    return out + words_of<Signal>();
}

struct TraceError : std::runtime_error { using std::runtime_error::runtime_error; };

struct Slot { void *data; uint32_t bytes; };

struct RunResult { uint64_t cycles, stream_words_taken, still_busy, nanoseconds; };
struct BurstResult { uint64_t done, address; };

class Dut {
public:
    explicit Dut(uint64_t seed) {
        context.threads(1);
        Verilated::threadContextp(&context);
#ifdef HAFNIA_RANDOMISE
        context.randReset(2);
        context.randSeed(static_cast<int>(seed));
#else
        (void)seed;
#endif
#ifdef HAFNIA_TRACE
        context.traceEverOn(true);
#endif
        model = std::make_unique<Vhafnia>(&context, "");
        Vhafnia &top = *model;
        // Inputs start at 0 even where registers start at random: no caller drives every one of them.
#define HAFNIA_SLOT(name, input)                      \
    slots.push_back({&top.name, sizeof(top.name)});   \
    if (input) std::memset(&top.name, 0, sizeof(top.name));
        HAFNIA_PORTS(HAFNIA_SLOT)
        model->eval();
    }
    ~Dut() {
        // Nothing can be told any more: a model that calls $finish in a final block, a full disk.
        try { trace_stop(); } catch (const std::exception &) {}
        try { model->final(); } catch (const std::exception &) {}
    }

    // A Dut may have moved to another thread since the last call.
    void enter() { Verilated::threadContextp(&context); }

    void poke(uint32_t port, const uint32_t *words) {
        std::memcpy(slots[port].data, words, slots[port].bytes);
        settled = false;
    }
    void peek(uint32_t port, uint32_t *words) {
        if (!settled) model->eval();
        settled = true;
        std::memcpy(words, slots[port].data, slots[port].bytes);
    }
    void step(uint64_t cycles) {
        while (cycles--) {
            settle();
            rise();
        }
    }

#ifdef HAFNIA_HAS_BUS
    template <bool WRITE>
    Status burst(uint32_t address, uint32_t *data, size_t count, bool increment, BurstResult &result) {
        Vhafnia &top = *model;
        Status status = DONE;
        size_t issued = 0, answered = 0, failed_at = 0;
        uint64_t quiet = 0;
        const auto address_of = [&](size_t index) { return address + (increment ? uint32_t(index) : 0); };
        const auto fail = [&](Status why) {
            if (status == DONE) failed_at = answered;
            if (status == DONE) status = why;
        };
        top.wb_cyc_i = 1;
        top.wb_we_i = WRITE;
        top.wb_sel_i = 0xf;
        // After an error nothing more is issued, and the answers to what was issued are waited for.
        while (answered < (status == DONE ? count : issued) && quiet < bus_timeout) {
            top.wb_stb_i = issued < count && status == DONE;
            if (issued < count) {
                top.wb_adr_i = address_of(issued);
                if (WRITE) top.wb_dat_i = data[issued];
            }
            settle();
            const bool accepted = top.wb_stb_i && !top.wb_stall_o;
            const bool answer = top.wb_ack_o || top.wb_err_o;
            if (!WRITE && answer) data[answered] = top.wb_dat_o;
            if (top.wb_err_o) fail(BUS_ERROR);
            rise();
            issued += accepted;
            if (answer && answered == issued) {
                fail(BUS_PROTOCOL);
                break;
            }
            answered += answer;
            quiet = accepted || answer ? 0 : quiet + 1;
        }
        if (quiet >= bus_timeout) fail(BUS_TIMEOUT);
        top.wb_cyc_i = top.wb_stb_i = top.wb_we_i = 0;
        settled = false;
        result = {answered, address_of(status == DONE ? answered : failed_at)};
        return status;
    }
#endif

#ifdef HAFNIA_HAS_BUSY
    // Steps while busy_o is high and feeds the weight stream whenever it is ready.
    void run(uint64_t max_cycles, const uint32_t *stream, uint64_t stream_words, RunResult &result) {
        result = {};
        uint64_t idle = 0;
        for (;;) {
            offer(stream, stream_words, result.stream_words_taken);
            settle();
            result.still_busy = model->busy_o;
            if (!model->busy_o) {
                if (result.cycles > 0 || idle++ == START_WINDOW) break;
            } else if (result.cycles++ == max_cycles) {
                --result.cycles;
                break;
            }
            const bool taken = stream_taken();
            rise();
            result.stream_words_taken += taken;
        }
        withdraw();
    }

    // The yardstick of `hafnia bench`: the plain loop that a hand-written testbench would have. It records nothing.
    void bare_run(uint64_t max_cycles, const uint32_t *stream, uint64_t stream_words, RunResult &result) {
        Vhafnia &top = *model;
        uint64_t cycles = 0, taken = 0, idle = 0;
        const auto begin = std::chrono::steady_clock::now();
        while (cycles < max_cycles) {
            offer(stream, stream_words, taken);
            top.clk_i = 0;
            top.eval();
            if (top.busy_o) ++cycles;
            else if (cycles > 0 || idle++ == START_WINDOW) break;
            taken += stream_taken();
            top.clk_i = 1;
            top.eval();
            ++cycle;
        }
        const auto time = std::chrono::steady_clock::now() - begin;
        const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
        result = {cycles, taken, top.busy_o, static_cast<uint64_t>(nanoseconds)};
        withdraw();
    }
#endif

#ifdef HAFNIA_HAS_LINE
    // Runs `cycles` cycles with a UART of 8N1 at the pins; a bit lasts `period` / 2^16 cycles. What comes is added to
    // `received`.
    void line(uint64_t cycles, uint64_t period, const uint8_t *bytes, uint64_t count) {
        sending.insert(sending.end(), bytes, bytes + count);
        while (cycles--) {
            model->uart_rx_i = next_level(period);
            settle();
            sample(model->uart_tx_o, period);
            rise();
        }
    }
#endif

    void trace_start(const char *path, uint64_t from, uint64_t to) {
        trace_stop();
#ifdef HAFNIA_TRACE
        trace = std::make_unique<TraceFile>();
        model->trace(trace.get(), 99);
        written([&] { trace->open(path); });
        if (!trace->isOpen()) {
            trace.reset();
            throw TraceError("it could not be opened");
        }
        trace_time = ~uint64_t{0};
        trace_from = from;
        trace_to = to;
        dump(0);
#else
        (void)path, (void)from, (void)to;
#endif
    }
    void trace_stop() {
#ifdef HAFNIA_TRACE
        if (!trace) return;
        // A file that failed is given up, not destroyed: its destructor would write, and fail, once more.
        TraceFile *const file = trace.release();
        written([&] { file->close(); });
        delete file;
#endif
    }

    uint64_t cycle = 0;
    uint64_t bus_timeout = 10000;
    bool record_flips = true;
    // Flat records: cycle (2 words), memory, layer, group, address, before, mask.
    std::vector<uint32_t> flips;
    // Bytes that wait to go to the line, and those that came from it.
    std::deque<uint8_t> sending;
    std::vector<uint8_t> received;
    std::string message;

private:
    // Falls the clock with the inputs as they are now, so that outputs are those of this cycle, and records its flip.
    void settle() {
#ifdef HAFNIA_HAS_CLOCK
        model->clk_i = 0;
#endif
        model->eval();
        dump(HALF_PERIOD_NS);
#ifdef HAFNIA_HAS_FLIPS
        if (record_flips) record_all_flips();
#endif
    }
    void rise() {
#ifdef HAFNIA_HAS_CLOCK
        model->clk_i = 1;
        model->eval();
#endif
        settled = true;
        ++cycle;
        dump(0);
    }
#ifdef HAFNIA_TRACE
    // Runs what writes to the waveform file.
    template <class Body> void written(Body body) {
        try {
            body();
        } catch (const std::exception &error) {
            (void)trace.release();
            throw TraceError(error.what());
        }
    }
#endif

    void dump(uint64_t offset_ns) {
#ifdef HAFNIA_TRACE
        if (!trace || cycle < trace_from) return;
        if (cycle >= trace_to) return trace_stop();
        const uint64_t time = cycle * 2 * HALF_PERIOD_NS + offset_ns;
        // A cycle in which a run ends falls once more when the next access begins.
        if (trace_time == time) return;
        trace_time = time;
        written([&] { trace->dump(time); });
#else
        (void)offset_ns;
#endif
    }

#ifdef HAFNIA_HAS_FLIPS
    // What the memories read wrong in this cycle: 0 weights, 1 biases, 2 feature maps.
    void record_all_flips() {
        const Vhafnia &top = *model;
        if (top.flip_valid_o) record_flip(0, top.flip_address_o, top.flip_before_o, top.flip_mask_o);
#ifdef HAFNIA_HAS_BIAS_FLIPS
        if (top.bias_flip_valid_o) record_flip(1, top.bias_flip_address_o, top.bias_flip_before_o, top.bias_flip_mask_o);
#endif
#ifdef HAFNIA_HAS_MAP_FLIPS
        if (top.map_flip_valid_o) record_flip(2, top.map_flip_address_o, top.map_flip_before_o, top.map_flip_mask_o);
#endif
    }

    template <class Address, class Word> void record_flip(uint32_t memory, const Address &address, const Word &before, const Word &mask) {
        const size_t start = flips.size();
        flips.resize(start + 6 + 2 * words_of<Word>());
        uint32_t *out = get(&flips[start], cycle);
        out = get(out, memory);
        out = get(out, model->flip_layer_o);
        out = get(out, model->flip_group_o);
        out = get(out, address);
        out = get(out, before);
        get(out, mask);
    }
#endif

#ifdef HAFNIA_HAS_STREAM
    void offer(const uint32_t *stream, uint64_t count, uint64_t taken) {
        model->ws_valid_i = taken < count;
        if (taken < count) put(model->ws_data_i, stream + taken * words_of<decltype(model->ws_data_i)>());
    }
    bool stream_taken() { return model->ws_valid_i && model->ws_ready_o; }
    void withdraw() {
        model->ws_valid_i = 0;
        settled = false;
    }
#else
    void offer(const uint32_t *, uint64_t, uint64_t) {}
    bool stream_taken() { return false; }
    void withdraw() {}
#endif

#ifdef HAFNIA_HAS_LINE
    static constexpr uint64_t ONE_CYCLE = 1 << 16;
    // Start bit, eight data bits, stop bit.
    static constexpr uint64_t FRAME_BITS = 10;

    // The level of the line in this cycle.
    bool next_level(uint64_t period) {
        if (sent_for >= FRAME_BITS * period) sent_for -= FRAME_BITS * period, sending.pop_front();
        if (sending.empty()) {
            sent_for = 0;
            return true;
        }
        const uint64_t bit = sent_for / period;
        sent_for += ONE_CYCLE;
        return bit == 0 ? false : bit > 8 ? true : sending.front() >> (bit - 1) & 1;
    }

    // Takes the level of the device's line in this cycle.
    void sample(bool level, uint64_t period) {
        if (coming_bit < 0) {
            if (level) return;
            coming_bit = 0;
            coming_byte = 0;
            sampled_in = period / 2;
        }
        if (sampled_in >= ONE_CYCLE) {
            sampled_in -= ONE_CYCLE;
            return;
        }
        sampled_in += period - ONE_CYCLE;
        if (coming_bit > 0 && coming_bit <= 8) coming_byte |= uint8_t(level << (coming_bit - 1));
        if (++coming_bit < int(FRAME_BITS)) return;
        if (!level) throw std::runtime_error("a byte from uart_tx_o has no stop bit");
        received.push_back(coming_byte);
        coming_bit = -1;
    }

    uint64_t sent_for = 0, sampled_in = 0;
    int coming_bit = -1;
    uint8_t coming_byte = 0;
#endif

    VerilatedContext context;
    std::unique_ptr<Vhafnia> model;
    std::vector<Slot> slots;
    bool settled = true;
#ifdef HAFNIA_TRACE
    std::unique_ptr<TraceFile> trace;
    uint64_t trace_from = 0, trace_to = 0, trace_time = 0;
#endif
};

// No C++ exception may leave the library: it becomes a status and a message.
template <class Body> int32_t guarded(Dut *dut, Body body) {
    try {
        dut->enter();
        return body();
    } catch (const TraceError &error) {
        dut->message = error.what();
        return TRACE_FAILED;
    } catch (const std::exception &error) {
        dut->message = error.what();
        return MODEL_FAILED;
    }
}

}  // namespace

#define HAFNIA_API extern "C" __attribute__((visibility("default")))

HAFNIA_API uint32_t hafnia_abi_version() { return HAFNIA_ABI_VERSION; }
HAFNIA_API Dut *hafnia_new(uint64_t seed) {
    try {
        return new Dut(seed);
    } catch (const std::exception &) {
        return nullptr;
    }
}
HAFNIA_API void hafnia_delete(Dut *dut) { delete dut; }
HAFNIA_API const char *hafnia_message(Dut *dut) { return dut->message.c_str(); }
HAFNIA_API uint64_t hafnia_cycle(Dut *dut) { return dut->cycle; }
HAFNIA_API void hafnia_set_bus_timeout(Dut *dut, uint64_t cycles) { dut->bus_timeout = cycles; }
HAFNIA_API void hafnia_record_flips(Dut *dut, int32_t on) { dut->record_flips = on != 0; }
HAFNIA_API void hafnia_poke(Dut *dut, uint32_t port, const uint32_t *words) { dut->poke(port, words); }
HAFNIA_API int32_t hafnia_peek(Dut *dut, uint32_t port, uint32_t *words) {
    return guarded(dut, [&] { return dut->peek(port, words), DONE; });
}
HAFNIA_API int32_t hafnia_step(Dut *dut, uint64_t cycles) {
    return guarded(dut, [&] { return dut->step(cycles), DONE; });
}
#ifdef HAFNIA_HAS_BUS
HAFNIA_API int32_t hafnia_burst_write(Dut *dut, uint32_t address, const uint32_t *data, uint64_t count, int32_t increment,
                                      BurstResult *result) {
    return guarded(dut, [&] { return dut->burst<true>(address, const_cast<uint32_t *>(data), count, increment, *result); });
}
HAFNIA_API int32_t hafnia_burst_read(Dut *dut, uint32_t address, uint32_t *data, uint64_t count, int32_t increment,
                                     BurstResult *result) {
    return guarded(dut, [&] { return dut->burst<false>(address, data, count, increment, *result); });
}
#endif
#ifdef HAFNIA_HAS_BUSY
HAFNIA_API int32_t hafnia_run(Dut *dut, uint64_t max_cycles, const uint32_t *stream, uint64_t words, RunResult *result) {
    return guarded(dut, [&] { return dut->run(max_cycles, stream, words, *result), DONE; });
}
HAFNIA_API int32_t hafnia_bare_run(Dut *dut, uint64_t max_cycles, const uint32_t *stream, uint64_t words,
                                   RunResult *result) {
    return guarded(dut, [&] { return dut->bare_run(max_cycles, stream, words, *result), DONE; });
}
#endif
#ifdef HAFNIA_HAS_LINE
HAFNIA_API int32_t hafnia_line(Dut *dut, uint64_t cycles, uint64_t period, const uint8_t *bytes, uint64_t count) {
    return guarded(dut, [&] { return dut->line(cycles, period, bytes, count), DONE; });
}
#endif
HAFNIA_API uint64_t hafnia_line_waiting(Dut *dut) { return dut->sending.size(); }
HAFNIA_API uint64_t hafnia_line_received(Dut *dut) { return dut->received.size(); }
// Copies all bytes from the line out and forgets them.
HAFNIA_API void hafnia_take_line(Dut *dut, uint8_t *out) {
    std::memcpy(out, dut->received.data(), dut->received.size());
    dut->received.clear();
}
HAFNIA_API uint64_t hafnia_flip_words(Dut *dut) { return dut->flips.size(); }
// Copies all flip records out and forgets them.
HAFNIA_API void hafnia_take_flips(Dut *dut, uint32_t *out) {
    if (!dut->flips.empty()) std::memcpy(out, dut->flips.data(), dut->flips.size() * sizeof(uint32_t));
    dut->flips.clear();
}
HAFNIA_API int32_t hafnia_trace_start(Dut *dut, const char *path, uint64_t from, uint64_t to) {
    return guarded(dut, [&] { return dut->trace_start(path, from, to), DONE; });
}
HAFNIA_API int32_t hafnia_trace_stop(Dut *dut) {
    return guarded(dut, [&] { return dut->trace_stop(), DONE; });
}
