//! Where a data set is looked for: the path given, `$HAFNIA_DATA`, the per-user cache folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{Dataset, DatasetError};

/// The environment variable that names a data folder, or is the word `digits`.
pub const ENVIRONMENT: &str = "HAFNIA_DATA";

/// The word that stands for the built-in set wherever a folder is expected.
const BUILT_IN: &str = "digits";

/// Opens the data set named by `explicit`, else by `$HAFNIA_DATA`, else in the per-user cache folder.
/// The first that is given decides: a wrong path is an error, never a reason to look further.
///
/// # Errors
/// As [`Dataset::open`], or none installed.
pub fn locate(explicit: Option<&Path>) -> Result<Dataset, DatasetError> {
    choose(explicit, std::env::var_os(ENVIRONMENT), cache_dir)
}

/// Returns the per-user folder for downloaded data sets, e.g. `~/.cache/hafnia`. It need not exist.
///
/// # Errors
/// No home directory is set.
pub fn cache_dir() -> Result<PathBuf, DatasetError> {
    let dirs = directories::ProjectDirs::from("", "", "hafnia").ok_or(DatasetError::NoCache)?;
    Ok(dirs.cache_dir().to_path_buf())
}

/// `cache` is asked only when nothing is named: who names a folder needs no home directory.
fn choose(
    explicit: Option<&Path>,
    environment: Option<OsString>,
    cache: impl FnOnce() -> Result<PathBuf, DatasetError>,
) -> Result<Dataset, DatasetError> {
    let named = explicit.map(PathBuf::from).or_else(|| environment.filter(|v| !v.is_empty()).map(PathBuf::from));
    match named {
        Some(word) if word == Path::new(BUILT_IN) => Ok(Dataset::digits()),
        Some(folder) => Dataset::open(&folder),
        None => {
            let cache = cache()?;
            match Dataset::open(&cache) {
                Err(DatasetError::NotFound { .. }) => Err(DatasetError::NoData { cache }),
                opened => opened,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_given_comes_first_then_the_variable_then_the_cache() {
        let empty = tempfile::tempdir().unwrap();
        let no_home = || Err(DatasetError::NoCache);
        let digits = || Some(OsString::from("digits"));
        assert_eq!(choose(Some(Path::new("digits")), None, no_home).unwrap().name(), "digits");
        assert_eq!(choose(None, digits(), no_home).unwrap().name(), "digits");
        let wrong = choose(Some(empty.path()), digits(), no_home);
        assert!(matches!(wrong, Err(DatasetError::NotFound { .. })), "a wrong path must not fall through");
        assert!(matches!(choose(None, None, no_home), Err(DatasetError::NoCache)));
        let none = choose(None, Some(OsString::new()), || Ok(empty.path().into())).unwrap_err();
        assert!(none.to_string().contains("run `hafnia data fetch`"), "{none}");
    }
}
