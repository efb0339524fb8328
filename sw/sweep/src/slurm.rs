//! A sweep as a job array of SLURM: each task is this program with `--shard`, and the shards are merged by [`crate::run`].
//!
//! What is finished is told by the rows alone, never by the state of a job: lost tasks show as rows that are not there.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::shard::{Shard, most_shards};
use crate::{Plan, Store, SweepError};

/// Tasks where no number is asked for. One costs SLURM about 0.3 s, so many points belong into one.
const TASKS: u32 = 32;
/// Arrays submitted for one sweep before a loss of tasks counts as lasting.
const ROUNDS: usize = 5;
/// Time between two looks at the queue: at first, and at most.
const PAUSE: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(10)];
/// Looks at the queue that may fail in a row, about five minutes: a controller restarts.
const PATIENCE: u32 = 40;
/// Bytes of a log that an error shows.
const TAIL: usize = 1000;

/// A sweep that runs on a cluster.
#[derive(Debug)]
pub struct Slurm<'a> {
    /// The sweep.
    pub plan: &'a Plan,
    /// Its file.
    pub file: &'a Path,
    /// Folder of the results.
    pub folder: &'a Path,
    /// Tasks of an array; without it 32, or one for each point if there are fewer.
    pub tasks: Option<u32>,
    /// Processors of a task.
    pub jobs: usize,
    /// More options of `sbatch`.
    pub options: &'a [String],
}

/// What was submitted.
#[derive(Clone, Debug)]
pub struct Array {
    /// Its number in SLURM.
    pub job: u64,
    /// The shards that are its tasks.
    pub shards: Vec<Shard>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub enum WaitsFor<'a> {
    /// Tasks of this name, which were in the queue.
    Found(&'a str),
    /// An array that was submitted now.
    Submitted(&'a Array),
}

impl Slurm<'_> {
    /// Submits the shards that lack rows; none if no row is missing.
    ///
    /// # Errors
    /// Tasks for this folder are in the queue; SLURM is not there or refuses.
    pub fn submit(&self, store: &Store) -> Result<Option<Array>, SweepError> {
        let name = self.name()?;
        if queued(&name)? {
            return Err(SweepError::Queued { folder: self.folder.to_owned(), name, command: self.resume() });
        }
        let shards = self.incomplete(store);
        if shards.is_empty() { Ok(None) } else { self.sbatch(shards).map(Some) }
    }

    /// Submits the shards that lack rows and waits until no row is missing, after tasks that are in the queue already.
    /// Tasks that are lost are submitted again. Tells `waits` what it waits for, each time, and `progress` the number of points
    /// that lack no row.
    ///
    /// # Errors
    /// SLURM is not there or refuses; an array added no row, or too many lost tasks. Rows that were finished stay.
    pub fn finish(
        &self,
        store: &mut Store,
        waits: &mut dyn FnMut(WaitsFor<'_>),
        progress: &mut dyn FnMut(usize),
    ) -> Result<(), SweepError> {
        let name = self.name()?;
        if queued(&name)? {
            waits(WaitsFor::Found(&name));
            self.wait(store, progress)?;
        }
        let (mut shards, mut rounds) = (self.incomplete(store), 0);
        while !shards.is_empty() {
            let before = store.known.count();
            let array = self.sbatch(shards)?;
            waits(WaitsFor::Submitted(&array));
            self.wait(store, progress)?;
            shards = self.incomplete(store);
            rounds += 1;
            let why = match (shards.is_empty(), store.known.count() == before, rounds == ROUNDS) {
                (false, true, _) => format!("array {} added no row", array.job),
                (false, false, true) => format!("each of {ROUNDS} arrays lost tasks"),
                _ => continue,
            };
            return Err(self.lost(array.job, &shards, why));
        }
        Ok(())
    }

    /// Returns the command that waits for the tasks, submits what they lost, and merges.
    pub fn resume(&self) -> String {
        let mut words = vec!["hafnia".to_owned(), "sweep".to_owned(), self.file.display().to_string()];
        words.extend(["-o".to_owned(), self.folder.display().to_string(), "--slurm".to_owned(), "--resume".to_owned()]);
        words.extend(["--jobs".to_owned(), self.jobs.to_string()]);
        words.extend(self.tasks.iter().flat_map(|tasks| ["--tasks".to_owned(), tasks.to_string()]));
        words.extend(self.options.iter().map(|option| format!("--sbatch={option}")));
        joined(&words)
    }

    /// The shards that lack rows.
    fn incomplete(&self, store: &Store) -> Vec<Shard> {
        let tasks = self.tasks.unwrap_or(TASKS).min(most_shards(self.plan));
        let missing = store.known.missing(self.plan).into_iter();
        missing.map(|point| Shard::of_point(self.plan, point, tasks)).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The name of the arrays of this folder, by which they are found in the queue.
    fn name(&self) -> Result<String, SweepError> {
        Ok(format!("hafnia-{:08x}", crc32fast::hash(absolute(self.folder)?.as_bytes())))
    }

    fn logs(&self) -> PathBuf {
        self.folder.join("slurm")
    }

    fn sbatch(&self, shards: Vec<Shard>) -> Result<Array, SweepError> {
        let logs = self.logs();
        std::fs::create_dir_all(&logs).map_err(SweepError::io("create", &logs))?;
        let mut command = Command::new("sbatch");
        // The last of two equal options counts: those that this program relies on stand after those of the user.
        command.arg(format!("--cpus-per-task={}", self.jobs)).args(self.options);
        let tasks: Vec<String> = shards.iter().map(|shard| shard.index().to_string()).collect();
        command.arg("--parsable").arg(format!("--array={}", tasks.join(",")));
        command.arg(format!("--job-name={}", self.name()?));
        command.arg(format!("--output={}/%A_%a.log", absolute(&logs)?.replace('%', "%%")));
        let said = output(command, &self.script(shards[0])?)?;
        let job = said.trim().split(';').next().and_then(|job| job.parse().ok()).ok_or_else(|| {
            let said = format!("it answered `{}` instead of the number of a job", said.trim());
            SweepError::Slurm { command: "sbatch".to_owned(), said }
        })?;
        Ok(Array { job, shards })
    }

    /// What a task runs, in whatever folder: one of the shards of which `shard` is one.
    fn script(&self, shard: Shard) -> Result<String, SweepError> {
        let program = std::env::current_exe().map_err(SweepError::io("find the program of", Path::new("hafnia")))?;
        let data = self.plan.data.folder().map_or_else(|| Ok(self.plan.data.name().to_owned()), absolute)?;
        let (program, file, folder) = (absolute(&program)?, absolute(self.file)?, absolute(self.folder)?);
        Ok(format!(
            "#!/bin/sh\nexport HAFNIA_BUILD={} {}={}\nexec {} --shard \"$SLURM_ARRAY_TASK_ID/{}\" --resume --jobs {}\n",
            joined(&[absolute(&hafnia_verilate::build_folder())?]),
            hafnia_dataset::ENVIRONMENT,
            joined(&[data]),
            joined(&[program, "sweep".to_owned(), file, "-o".to_owned(), folder]),
            shard.of(),
            self.jobs
        ))
    }

    /// Waits until no task for this folder is in the queue, and reads the rows.
    fn wait(&self, store: &mut Store, progress: &mut dyn FnMut(usize)) -> Result<(), SweepError> {
        let name = self.name()?;
        let (mut pause, mut failures) = (PAUSE[0], 0);
        loop {
            let waiting = match queued(&name) {
                Err(SweepError::Slurm { .. }) if failures < PATIENCE => {
                    failures += 1;
                    true
                }
                answer => {
                    failures = 0;
                    answer?
                }
            };
            store.refresh(self.plan)?;
            progress(self.plan.points.len() - store.known.missing(self.plan).len());
            if !waiting {
                return Ok(());
            }
            sleep(pause);
            pause = (pause * 5 / 4).min(PAUSE[1]);
        }
    }

    fn lost(&self, job: u64, shards: &[Shard], why: String) -> SweepError {
        let log = self.logs().join(format!("{job}_{}.log", shards[0].index()));
        let tail = std::fs::read(&log).map_or_else(
            |e| format!("  (it cannot be read: {e})"),
            |log| String::from_utf8_lossy(&log[log.len().saturating_sub(TAIL)..]).trim_end().to_owned(),
        );
        let shards = shards.iter().map(Shard::to_string).collect::<Vec<_>>().join(", ");
        SweepError::Lost { shards, why, log, tail, command: self.resume() }
    }
}

/// Whether arrays of this name wait, run or end.
fn queued(name: &str) -> Result<bool, SweepError> {
    let mut command = Command::new("squeue");
    command.args(["--noheader", "--format=%i", &format!("--name={name}")]);
    output(command, "").map(|jobs| !jobs.trim().is_empty())
}

/// Runs a program of SLURM with this input and returns what it prints.
fn output(mut command: Command, input: &str) -> Result<String, SweepError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => SweepError::NoSlurm { program: program.clone(), source },
        _ => SweepError::Slurm { command: program.clone(), said: source.to_string() },
    };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    // A program that refuses its options does not read; what it says then tells more than the broken pipe.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words: Vec<String> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let said = format!("{} ({})", String::from_utf8_lossy(&output.stderr).trim(), output.status);
    Err(SweepError::Slurm { command: format!("{program} {}", joined(&words)), said })
}

/// Words as a shell takes them.
fn joined(words: &[String]) -> String {
    shlex::try_join(words.iter().map(String::as_str)).expect("an argument holds no NUL")
}

/// A path that means the same in every folder, as text.
fn absolute(path: &Path) -> Result<String, SweepError> {
    let absolute = std::path::absolute(path).map_err(SweepError::io("find", path))?;
    let text = absolute.to_str().filter(|text| !text.contains('\\'));
    text.map(str::to_owned).ok_or_else(|| SweepError::SlurmPath(path.to_owned()))
}
