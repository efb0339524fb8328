//! From a design to a loaded model, through the cache.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::api::Library;
use crate::cache::Cache;
use crate::compile::{LIBRARY, Recipe};
use crate::toolchain::Toolchain;
use crate::{Design, Dut, Error, Variant};

/// News of a build, for the user to read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The model is not in the cache and is being built.
    Building {
        /// Top module.
        top: String,
        /// Where it will be.
        folder: PathBuf,
    },
    /// Another process is building the same thing.
    Waiting {
        /// The lock that it holds.
        lock: PathBuf,
    },
    /// A cache entry is damaged and is made again.
    Rebuilding {
        /// The entry.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Building { top, folder } => {
                write!(formatter, "building the model of `{top}` in {}", folder.display())
            }
            Notice::Waiting { lock } => {
                write!(formatter, "waiting for another process that builds the same model ({})", lock.display())
            }
            Notice::Rebuilding { folder, reason } => {
                write!(formatter, "the cached build {} is damaged ({reason}) and is made again", folder.display())
            }
        }
    }
}

/// Builds models. `Builder::new()` uses the cache folder of the environment and says nothing.
pub struct Builder<'a> {
    folder: PathBuf,
    jobs: usize,
    notice: Box<dyn Fn(&Notice) + Sync + 'a>,
}

impl Default for Builder<'_> {
    fn default() -> Self {
        Builder::new()
    }
}

impl<'a> Builder<'a> {
    /// A builder with the cache in `verilated` of the [`build_folder`].
    pub fn new() -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        Builder { folder: build_folder().join("verilated"), jobs, notice: Box::new(|_| {}) }
    }

    /// Uses another cache folder.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Runs up to `jobs` compilers at once; at first one per processor.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Calls `notice` with news of the build.
    pub fn notice(mut self, notice: impl Fn(&Notice) + Sync + 'a) -> Self {
        self.notice = Box::new(notice);
        self
    }

    /// Returns the model of a design, from the cache when it is there.
    ///
    /// # Errors
    /// When the port list is wrong, Verilator or g++ is missing or refuses the design, or the cache cannot be written.
    pub fn build(&self, design: &Design, variant: Variant) -> Result<Model, Error> {
        design.check()?;
        let tools = Toolchain::find()?;
        let recipe = Recipe { tools: &tools, design, variant, jobs: self.jobs };
        let cache = Cache { root: &self.folder, notice: &*self.notice };
        let key = recipe.key();
        let folder = self.folder.join(&key);
        let open = |path: &Path| Library::open(path, design);
        let (library, from_cache) = cache.obtain(&key, LIBRARY, open, |partial| {
            (self.notice)(&Notice::Building { top: design.top.clone(), folder: folder.clone() });
            recipe.build(&cache, partial)
        })?;
        let design = Arc::new(without_text(design));
        Ok(Model { library: Arc::new(library), design, variant, inputs: Vec::new(), from_cache, folder })
    }
}

/// A loaded model. It makes any number of independent [`Dut`]s, on any threads.
#[derive(Clone)]
pub struct Model {
    pub(crate) library: Arc<Library>,
    pub(crate) design: Arc<Design>,
    pub(crate) variant: Variant,
    inputs: Vec<(String, Vec<u32>)>,
    from_cache: bool,
    folder: PathBuf,
}

impl Model {
    /// Makes a device under test in its state before the first clock edge. Nothing is reset yet.
    ///
    /// # Errors
    /// When the initial blocks of the design fail, or there is no such input as [`Model::with_input`] was given.
    pub fn dut(&self) -> Result<Dut, Error> {
        let mut dut = Dut::new(self.clone())?;
        for (port, value) in &self.inputs {
            dut.poke(port, value)?;
        }
        Ok(dut)
    }

    /// Gives an input of every device made from now on this value at its start, in place of zeros.
    pub fn with_input(mut self, port: impl Into<String>, value: &[u32]) -> Self {
        self.inputs.push((port.into(), value.to_vec()));
        self
    }

    /// Whether the library was found in the cache.
    pub fn from_cache(&self) -> bool {
        self.from_cache
    }

    /// The cache entry: the library, its stamp and the Verilog it was made from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Model").field("top", &self.design.top).field("folder", &self.folder).finish()
    }
}

fn without_text(design: &Design) -> Design {
    Design { top: design.top.clone(), verilog: String::new(), ports: design.ports.clone(), waivers: Vec::new() }
}

/// Returns the build folder: `$HAFNIA_BUILD`, or else `build` of the workspace around the current folder, or of the
/// current folder.
pub fn build_folder() -> PathBuf {
    match std::env::var_os("HAFNIA_BUILD").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => workspace().join("build"),
    }
}

/// The nearest folder around the current one whose `Cargo.toml` holds a workspace, else the current one.
fn workspace() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let is_workspace = |folder: &&Path| {
        std::fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("[workspace]"))
    };
    here.ancestors().find(is_workspace).map_or_else(|| here.clone(), Path::to_path_buf)
}
