//! A port whose width is known at run time.
//!
//! rust-hdl fixes the width of a `Signal` at compile time, but takes any [`Atom`] as a port. [`Wire`] is such an atom, so
//! rows, columns and depths stay settings while hierarchy, connection checks and traversal remain rust-hdl's.

use std::marker::PhantomData;

use rust_hdl::core::prelude::*;
use rust_hdl::core::signal::get_signal_id;

/// A port of direction `D` and run-time width. It carries structure only: blocks built of wires are simulated as Verilog.
#[derive(Clone, Debug)]
pub struct Wire<D: Direction> {
    width_bits: usize,
    driven: bool,
    id: usize,
    direction: PhantomData<D>,
}

impl<D: Direction> Wire<D> {
    /// Returns an undriven port of `width_bits` bits.
    pub fn new(width_bits: u32) -> Self {
        assert!(width_bits > 0, "a port has at least one bit");
        Self { width_bits: width_bits as usize, driven: false, id: get_signal_id(), direction: PhantomData }
    }

    /// Returns such a port where there `is` one: called `<name>_0` in the Verilog.
    pub fn optional(is: bool, width_bits: u32) -> Vec<Self> {
        is.then(|| Self::new(width_bits)).into_iter().collect()
    }
}

impl Wire<In> {
    /// Marks the port as driven and returns the assignment to it, `name` being the instance and port joined by `_`.
    pub fn drive(&mut self, name: &str, expression: &str) -> String {
        assert!(!self.driven, "{name} is driven twice");
        self.driven = true;
        format!("assign {name} = {expression};\n")
    }
}

impl<D: Direction> Logic for Wire<D> {
    fn update(&mut self) {}

    fn connect(&mut self) {
        self.driven = true;
    }
}

impl<D: Direction> Block for Wire<D> {
    fn connect_all(&mut self) {}

    fn update_all(&mut self) {}

    fn has_changed(&self) -> bool {
        false
    }

    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        probe.visit_atom(name, self);
    }
}

impl<D: Direction> Atom for Wire<D> {
    fn bits(&self) -> usize {
        self.width_bits
    }

    fn connected(&self) -> bool {
        // A block drives its own outputs in its text; yosys and Verilator's UNDRIVEN check that it does.
        self.driven || D::KIND == AtomKind::OutputParameter
    }

    fn changed(&self) -> bool {
        false
    }

    fn kind(&self) -> AtomKind {
        D::KIND
    }

    fn descriptor(&self) -> TypeDescriptor {
        TypeDescriptor { name: format!("Bits::<{}>", self.width_bits), kind: TypeKind::Bits(self.width_bits) }
    }

    fn vcd(&self) -> VCDValue {
        VCDValue::Single(false.into())
    }

    fn id(&self) -> usize {
        self.id
    }

    fn verilog(&self) -> VerilogLiteral {
        false.into()
    }

    fn constraints(&self) -> Vec<PinConstraint> {
        Vec::new()
    }
}
