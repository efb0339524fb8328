//! Peers: other programs that run the same network, as processes that run a batch whenever they are told to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use hafnia_verilate::build_folder;
use ndarray::Array3;

use crate::console::Failure;

/// A program to compare with.
pub struct Kind {
    pub name: &'static str,
    /// Its folder in the build folder, and the option of `scripts/setup` that makes it.
    folder: &'static str,
    script: &'static str,
}

pub static ONNX_RUNTIME: Kind =
    Kind { name: "ONNX Runtime", folder: "peers", script: include_str!("peer_onnxruntime.py") };
pub static PYTORCH: Kind = Kind { name: "PyTorch", folder: "torch", script: include_str!("peer_pytorch.py") };

/// A running peer, its network loaded.
pub struct Peer {
    kind: &'static Kind,
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

impl Kind {
    /// What to do where it is not installed.
    pub fn missing(&self) -> String {
        format!("{} is not installed: run `scripts/setup --{}` to compare with it", self.name, self.folder)
    }

    /// Starts the peer; none if it is not installed.
    pub fn start(
        &'static self,
        model: &Path,
        images: &Path,
        count: usize,
        threads: usize,
    ) -> Result<Option<Peer>, Failure> {
        let python = build_folder().join(self.folder).join("bin/python");
        if !python.is_file() {
            return Ok(None);
        }
        let mut command = Command::new(python);
        command.args(["-c", self.script]).arg(model).arg(images).args([count.to_string(), threads.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (to, from) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let mut peer = Peer { kind: self, version: String::new(), child, to, from: BufReader::new(from) };
        peer.version = peer.answer()?;
        Ok(Some(peer))
    }
}

impl Peer {
    /// Tells each of the peers the same and returns their answers; they work side by side.
    pub fn ask<T: std::str::FromStr>(peers: &mut [Self], what: &str) -> Result<Vec<T>, Failure> {
        for peer in &mut *peers {
            writeln!(peer.to, "{what}").map_err(|_| peer.broken("it ended early"))?;
        }
        let answer = |peer: &mut Self| {
            let line = peer.answer()?;
            line.parse().map_err(|_| peer.broken(&line))
        };
        peers.iter_mut().map(answer).collect()
    }

    /// Lets the peers run once, side by side, and returns the time of the slowest.
    pub fn run(peers: &mut [Self]) -> Result<Duration, Failure> {
        let seconds = Self::ask::<f64>(peers, "run")?.into_iter().fold(0.0, f64::max);
        Duration::try_from_secs_f64(seconds).map_err(|_| peers[0].broken(&seconds.to_string()))
    }

    /// Ends the peer and returns the class that it gave each image.
    pub fn classes(self) -> Result<Vec<usize>, Failure> {
        let Self { kind, mut child, to, mut from, .. } = self;
        drop(to);
        let mut line = String::new();
        from.read_line(&mut line)?;
        child.wait()?;
        serde_json::from_str(&line).map_err(|_| broken(kind, &line))
    }

    fn answer(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.from.read_line(&mut line)? {
            0 => Err(self.broken("it ended early, see its message above")),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn broken(&self, what: &str) -> Failure {
        broken(self.kind, what)
    }
}

fn broken(kind: &Kind, what: &str) -> Failure {
    let Kind { name, folder, .. } = kind;
    Failure::new(
        format!("{name} failed: {what}"),
        format!("remove `{folder}` from the build folder and run `scripts/setup --{folder}`"),
    )
}
