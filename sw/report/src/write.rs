//! The files of a report.

use std::path::PathBuf;

use hafnia_files::same_file;
use hafnia_sweep::Results;

use crate::{Report, ReportError, Request};

impl Report {
    /// Writes the plots, if they are asked for, and the page; returns the paths of the plots.
    ///
    /// # Errors
    /// A file would be written over the sweep's own, or cannot be written.
    pub fn write(&self) -> Result<Vec<PathBuf>, ReportError> {
        let Request { folders, output, svg, .. } = &self.request;
        let plots: Vec<_> = svg
            .iter()
            .flat_map(|folder| self.plots().into_iter().map(|plot| (folder.join(format!("{}.svg", plot.name)), plot)))
            .collect();
        for path in plots.iter().map(|(path, _)| path).chain([output]) {
            let own = |folder: &PathBuf| Results::FILES.iter().any(|name| same_file(&folder.join(name), path));
            if folders.iter().any(own) {
                return Err(ReportError::Input(path.clone()));
            }
        }
        if let Some(folder) = svg {
            std::fs::create_dir_all(folder).map_err(ReportError::write(folder))?;
        }
        for (path, plot) in &plots {
            hafnia_files::write(path, plot.file().as_bytes()).map_err(ReportError::write(path))?;
        }
        hafnia_files::write(output, self.html().as_bytes()).map_err(ReportError::write(output))?;
        Ok(plots.into_iter().map(|(path, _)| path).collect())
    }
}
