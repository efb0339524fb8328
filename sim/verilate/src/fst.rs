//! Whether an FST file was written to its end.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::Error;

/// Block types of the format, as in GTKWave's `fstapi.h`.
const HEADER: u8 = 0;
const GEOMETRY: u8 = 3;
const HIERARCHY: [u8; 3] = [4, 6, 7];
/// A block that was begun and not ended.
const UNFINISHED: u8 = 255;

/// Checks that the blocks (a type byte, then a big-endian length that counts itself, then content) fill the file, that
/// none is unfinished, and that those which are written last are there.
pub(crate) fn check_whole(path: &Path) -> Result<(), Error> {
    let types = File::open(path).and_then(|file| block_types(BufReader::new(file)));
    let failed = |reason: String| Error::Waveform { path: path.to_path_buf(), reason };
    let types = types.map_err(|error| failed(error.to_string()))?;
    let whole = types.is_some_and(|types| {
        let has = |wanted: &[u8]| types.iter().any(|t| wanted.contains(t));
        has(&[HEADER]) && has(&[GEOMETRY]) && has(&HIERARCHY) && !has(&[UNFINISHED])
    });
    if whole { Ok(()) } else { Err(failed("the file is not whole".into())) }
}

/// The types of the blocks; none if they do not end where the file ends.
fn block_types(mut file: impl Read + Seek) -> io::Result<Option<Vec<u8>>> {
    let end = file.seek(SeekFrom::End(0))?;
    let (mut at, mut types) = (0, Vec::new());
    while at + 9 <= end {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 9];
        file.read_exact(&mut head)?;
        types.push(head[0]);
        let length = u64::from_be_bytes(head[1..].try_into().expect("eight bytes"));
        at = at.saturating_add(1).saturating_add(length);
    }
    Ok((at == end).then_some(types))
}
