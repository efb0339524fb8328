//! Pointers of the weight memory when it is used as a ring.
//!
//! `level_o` counts words written and not yet read; a write shows in the next cycle. Reset and `clear_i` empty the ring.
//! The writer must not write when full, the reader must not read when empty: `full_o` and `empty_o` say so.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;

/// Width of pointers and level; the deepest memory is 2^17 words.
pub const POINTER_BITS: usize = 20;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Ring {
    pub clk_i: Signal<In, Clock>,
    pub rst_i: Signal<In, Bit>,
    pub clear_i: Signal<In, Bit>,
    pub write_i: Signal<In, Bit>,
    pub read_i: Signal<In, Bit>,
    pub write_address_o: Signal<Out, Bits<POINTER_BITS>>,
    pub read_address_o: Signal<Out, Bits<POINTER_BITS>>,
    pub level_o: Signal<Out, Bits<POINTER_BITS>>,
    pub full_o: Signal<Out, Bit>,
    pub empty_o: Signal<Out, Bit>,
    write_pointer: DFF<Bits<POINTER_BITS>>,
    read_pointer: DFF<Bits<POINTER_BITS>>,
    level: DFF<Bits<POINTER_BITS>>,
    last: Constant<Bits<POINTER_BITS>>,
    depth: Constant<Bits<POINTER_BITS>>,
    zero: Constant<Bits<POINTER_BITS>>,
    one: Constant<Bits<POINTER_BITS>>,
}

impl Ring {
    /// Returns the pointers of a memory of `depth_words` words.
    pub fn new(depth_words: u32) -> Self {
        Self {
            clk_i: Signal::default(),
            rst_i: Signal::default(),
            clear_i: Signal::default(),
            write_i: Signal::default(),
            read_i: Signal::default(),
            write_address_o: Signal::default(),
            read_address_o: Signal::default(),
            level_o: Signal::default(),
            full_o: Signal::default(),
            empty_o: Signal::default(),
            write_pointer: DFF::default(),
            read_pointer: DFF::default(),
            level: DFF::default(),
            last: Constant::new((depth_words - 1).to_bits()),
            depth: Constant::new(depth_words.to_bits()),
            zero: Constant::new(0_u32.to_bits()),
            one: Constant::new(1_u32.to_bits()),
        }
    }
}

impl Logic for Ring {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk_i, write_pointer, read_pointer, level);
        self.write_address_o.next = self.write_pointer.q.val();
        self.read_address_o.next = self.read_pointer.q.val();
        self.level_o.next = self.level.q.val();
        self.full_o.next = self.level.q.val() == self.depth.val();
        self.empty_o.next = self.level.q.val() == self.zero.val();
        if self.write_i.val() {
            self.write_pointer.d.next = self.write_pointer.q.val() + self.one.val();
            if self.write_pointer.q.val() == self.last.val() {
                self.write_pointer.d.next = self.zero.val();
            }
        }
        if self.read_i.val() {
            self.read_pointer.d.next = self.read_pointer.q.val() + self.one.val();
            if self.read_pointer.q.val() == self.last.val() {
                self.read_pointer.d.next = self.zero.val();
            }
        }
        if self.write_i.val() & (!self.read_i.val()) {
            self.level.d.next = self.level.q.val() + self.one.val();
        }
        if self.read_i.val() & (!self.write_i.val()) {
            self.level.d.next = self.level.q.val() - self.one.val();
        }
        if self.rst_i.val() | self.clear_i.val() {
            self.write_pointer.d.next = self.zero.val();
            self.read_pointer.d.next = self.zero.val();
            self.level.d.next = self.zero.val();
        }
    }
}
