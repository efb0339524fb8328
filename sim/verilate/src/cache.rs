//! A folder of built files, each entry named by the hash of everything that went into it.
//!
//! An entry is made in a folder beside its place and renamed when it is whole, under a file lock, so that two processes
//! that want the same entry do the work once. A stamp holds the checksum of the built file; an entry that does not fit
//! its stamp, or that cannot be opened, is made again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Notice};

const STAMP: &str = "stamp.json";

/// What a whole entry says about itself.
#[derive(Serialize, Deserialize, PartialEq)]
struct Stamp {
    key: String,
    sha256: String,
}

/// The cache folder, with where its notices go.
pub(crate) struct Cache<'a> {
    pub root: &'a Path,
    pub notice: &'a (dyn Fn(&Notice) + Sync),
}

/// What is at the place of an entry.
enum Found<T> {
    Whole(T),
    Nothing,
    Broken(String),
}

impl Cache<'_> {
    /// Returns what `open` makes of the built file `name` of the entry `key`, and whether it was there already.
    /// `make` gets an empty folder and leaves the file `name` in it.
    pub(crate) fn obtain<T>(
        &self,
        key: &str,
        name: &str,
        open: impl Fn(&Path) -> Result<T, String>,
        make: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(T, bool), Error> {
        if let Found::Whole(value) = self.look(key, name, &open) {
            return Ok((value, true));
        }
        let _lock = self.lock(key)?;
        match self.look(key, name, &open) {
            Found::Whole(value) => return Ok((value, true)),
            Found::Nothing => {}
            Found::Broken(reason) => (self.notice)(&Notice::Rebuilding { folder: self.root.join(key), reason }),
        }
        self.make(key, name, make)?;
        let path = self.root.join(key).join(name);
        open(&path).map(|value| (value, false)).map_err(|reason| Error::Load { path, reason })
    }

    fn look<T>(&self, key: &str, name: &str, open: &impl Fn(&Path) -> Result<T, String>) -> Found<T> {
        let folder = self.root.join(key);
        if !folder.exists() {
            return Found::Nothing;
        }
        match check_stamp(&folder, key, name).and_then(|()| open(&folder.join(name))) {
            Ok(value) => Found::Whole(value),
            Err(reason) => Found::Broken(reason),
        }
    }

    /// Waits for the lock of an entry. The lock file stays: removing it would let two processes hold "the" lock.
    fn lock(&self, key: &str) -> Result<File, Error> {
        fs::create_dir_all(self.root).map_err(|source| Error::io("create", self.root, source))?;
        let path = self.root.join(format!("{key}.lock"));
        let file = File::create(&path).map_err(|source| Error::io("create", &path, source))?;
        if file.try_lock().is_err() {
            (self.notice)(&Notice::Waiting { lock: path.clone() });
            file.lock().map_err(|source| Error::io("lock", &path, source))?;
        }
        Ok(file)
    }

    fn make(&self, key: &str, name: &str, make: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
        let partial = Partial::new(self.root.join(format!("{key}.partial")))?;
        make(&partial.0)?;
        write_stamp(&partial.0, key, name)?;
        let place = self.root.join(key);
        remove(&place)?;
        fs::rename(&partial.0, &place).map_err(|source| Error::io("rename to", &place, source))
    }
}

/// The folder in which an entry is made; removed on the way out unless it was renamed. One that an earlier process left
/// behind is removed too: whoever holds the lock owns the name.
struct Partial(PathBuf);

impl Partial {
    fn new(path: PathBuf) -> Result<Self, Error> {
        remove(&path)?;
        fs::create_dir(&path).map_err(|source| Error::io("create", &path, source))?;
        Ok(Partial(path))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = remove(&self.0);
    }
}

fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(|source| Error::io("remove", path, source))
}

fn check_stamp(folder: &Path, key: &str, name: &str) -> Result<(), String> {
    let text = fs::read(folder.join(STAMP)).map_err(|error| format!("its {STAMP} cannot be read: {error}"))?;
    let stamp: Stamp = serde_json::from_slice(&text).map_err(|error| format!("its {STAMP} is damaged: {error}"))?;
    let file = fs::read(folder.join(name)).map_err(|error| format!("its {name} cannot be read: {error}"))?;
    let expected = Stamp { key: key.to_owned(), sha256: hex_sha256(&[&file]) };
    if stamp == expected { Ok(()) } else { Err(format!("its {name} does not fit its {STAMP}")) }
}

fn write_stamp(folder: &Path, key: &str, name: &str) -> Result<(), Error> {
    let built = folder.join(name);
    let file = fs::read(&built).map_err(|source| Error::io("read", &built, source))?;
    let stamp = Stamp { key: key.to_owned(), sha256: hex_sha256(&[&file]) };
    let text = serde_json::to_vec_pretty(&stamp).expect("a stamp is two strings");
    let path = folder.join(STAMP);
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()
    });
    written.map_err(|source| Error::io("write", &path, source))
}

/// SHA-256 over the parts, each with its length before it so that no two lists of parts look alike.
pub(crate) fn key_of(parts: &[&str]) -> String {
    let lengths: Vec<String> = parts.iter().map(|part| format!("{}:", part.len())).collect();
    let pieces: Vec<&[u8]> =
        lengths.iter().zip(parts).flat_map(|(length, part)| [length.as_bytes(), part.as_bytes()]).collect();
    hex_sha256(&pieces)[..32].to_owned()
}

fn hex_sha256(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
