//! Protection of the memories of parameters: the codes that a user can name, and what each is made of. Encoder, decoder,
//! golden model, formal properties and documentation all go by a [`Codeword`].

mod code;
mod codeword;
mod protected;

pub use code::{Code, OnDetected};
pub use codeword::{Codeword, Decoding, LARGEST_CODEWORD};
pub use protected::bare_name;
