//! ONNX Runtime as a process that runs a batch whenever it is told to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use hafnia_verilate::build_folder;
use ndarray::Array3;

use crate::console::Failure;

const SCRIPT: &str = include_str!("peer_onnxruntime.py");

/// A running peer, its network loaded.
pub struct OnnxRuntime {
    pub version: String,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

/// Writes quantised images to a temporary file, byte by byte.
pub fn write_images(images: &[Array3<i8>]) -> Result<tempfile::NamedTempFile, Failure> {
    let bytes: Vec<u8> = images.iter().flatten().map(|&v| v as u8).collect();
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&bytes)?;
    Ok(file)
}

impl OnnxRuntime {
    /// Starts the peer; none if it is not installed.
    pub fn start(model: &Path, images: &Path, count: usize, threads: usize) -> Result<Option<Self>, Failure> {
        let python = build_folder().join("peers/bin/python");
        if !python.is_file() {
            return Ok(None);
        }
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT]).arg(model).arg(images).args([count.to_string(), threads.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (to, from) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let mut peer = Self { version: String::new(), child, to, from: BufReader::new(from) };
        peer.version = peer.line()?;
        Ok(Some(peer))
    }

    /// Runs the batch once and returns its time.
    pub fn run(&mut self) -> Result<Duration, Failure> {
        writeln!(self.to, "run").map_err(|_| broken("it ended early"))?;
        let line = self.line()?;
        let seconds = line.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        seconds.ok_or_else(|| broken(&line))
    }

    /// Ends the peer and returns the class that it gave each image.
    pub fn classes(self) -> Result<Vec<usize>, Failure> {
        let Self { mut child, to, mut from, .. } = self;
        drop(to);
        let mut line = String::new();
        from.read_line(&mut line)?;
        child.wait()?;
        serde_json::from_str(&line).map_err(|_| broken(&line))
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.from.read_line(&mut line)? {
            0 => Err(broken("it ended early, see its message above")),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

fn broken(what: &str) -> Failure {
    Failure::new(
        format!("ONNX Runtime failed: {what}"),
        "remove `peers` from the build folder and run `scripts/setup --peers`",
    )
}
