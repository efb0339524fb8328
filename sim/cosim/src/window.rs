//! Reads a waveform window back: the last cycles of the signals that matter.
