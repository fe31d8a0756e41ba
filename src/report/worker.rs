//! Worker processes: pages are set and drawn by a second process of the same program, under limits of time and memory.
//!
//! The typesetter has no time limit of its own and a long table costs hundreds of megabytes. So a [`Job`] is sent to a child
//! (`countinghouse render`), which sees this one job and nothing else: no configuration, no database, no environment. A child
//! that dies, hangs or runs out of memory fails this job and no other.
//!
//! The protocol, both ways: one line of JSON that says how long each part is, then the parts. The child lowers its own limits
//! before it reads the parts. It does so itself because it is our own program, and because doing it from outside takes either
//! unsafe code between fork and exec or a race with the child's first steps.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rlimit::{Resource, setrlimit};
use serde::{Deserialize, Serialize};

use super::font::{Faces, Fonts};
use super::format::pdf::typeset;
use crate::error::{Code, Error, Result};

/// The hidden command that a child is started with; it calls [`serve_worker`].
pub const COMMAND: &str = "render";

/// Children at once.
const CHILDREN: usize = 2;
/// What is kept of a child's last words, in bytes.
const LAST_WORDS: u64 = 4096;
/// Longest header line, in bytes: beyond it the other side is no worker.
const LONGEST_HEADER: u64 = 1 << 20;

/// How children are started.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The program, which is this one; `None`: in this process and without limits, for tests.
    executable: Option<PathBuf>,
    /// Its arguments.
    arguments: Vec<String>,
    /// After this it is ended.
    limit: Duration,
    /// Memory for data, in MiB.
    memory_mib: u64,
    /// Shared by all clones.
    slots: Arc<Slots>,
}

impl Worker {
    /// Children of a program, each ended after `seconds`, each with `memory_mib` MiB for its data (stacks and the program
    /// itself are not counted).
    pub fn new(executable: PathBuf, seconds: u64, memory_mib: u64) -> Self {
        Self {
            executable: Some(executable),
            arguments: vec![COMMAND.to_owned()],
            limit: Duration::from_secs(seconds),
            memory_mib,
            slots: Arc::default(),
        }
    }

    /// No child: in the calling thread and without limits. For tests and for tools that draw one document and end.
    pub fn in_process() -> Self {
        Self { executable: None, ..Self::new(PathBuf::new(), 0, 0) }
    }

    /// Does a job, and waits for it: for threads that may block.
    ///
    /// # Errors
    /// `LIMIT` when the child dies or is not done in time, `QUEUE` when no place for a child becomes free in time, and what the
    /// job itself ends with.
    pub(super) fn run(&self, job: &Job, fonts: &Fonts) -> Result<Vec<u8>> {
        let Some(executable) = &self.executable else { return typeset::run(job, fonts.open()?) };
        let deadline = Instant::now() + self.limit;
        let _slot = self.slots.take(deadline).ok_or_else(|| {
            Error::new(Code::Queue, "all renderers are busy: ask again in a minute, or for another format")
        })?;
        // An empty environment: nothing of the server's is visible. The allocator takes what it needs, not 1 GiB at once, and
        // one thread is enough for one document.
        let mut child = Command::new(executable)
            .args(&self.arguments)
            .env_clear()
            .envs([("RAYON_NUM_THREADS", "1"), ("MIMALLOC_ARENA_RESERVE", "32768")])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Error::internal("cannot start a renderer", error))?;
        let answer = self.talk(&mut child, job, fonts, deadline);
        // Ended in every case: after its answer there is nothing left for it to do.
        let _ = child.kill();
        let ended = child.wait();
        match answer {
            Heard::Answer(answer) => answer,
            Heard::Late => Err(Error::new(
                Code::Limit,
                format!(
                    "the document was not ready after {} s and was given up: ask for less, or for another format",
                    self.limit.as_secs()
                ),
            )),
            Heard::Nothing(words) => {
                let ended = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(Error::new(
                    Code::Limit,
                    format!(
                        "the renderer ended without a document, most likely because it needed more than its {} MiB: \
                         ask for less, or for another format",
                        self.memory_mib
                    ),
                )
                .caused_by(format!("{ended}; {words}")))
            }
        }
    }

    /// Sends the job and waits for the answer. Writing and both streams are served at once: a child that answers before it has
    /// read everything, or that fills its error stream, blocks nobody.
    fn talk(&self, child: &mut Child, job: &Job, fonts: &Fonts, deadline: Instant) -> Heard {
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Heard::Nothing("no pipes".to_owned());
        };
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            scope.spawn(move || {
                // An error here is a child that has gone; the answer tells.
                let _ = job.write(&mut stdin, fonts, self.memory_mib, self.limit.as_secs());
            });
            let words = scope.spawn(move || {
                let mut words = Vec::new();
                let mut stderr = stderr;
                let _ = stderr.by_ref().take(LAST_WORDS).read_to_end(&mut words);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
                String::from_utf8_lossy(&words).trim().to_owned()
            });
            scope.spawn(move || {
                let _ = sender.send(read_answer(stdout));
            });
            let heard = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            // Ends the threads above: their pipes close with the child.
            let _ = child.kill();
            match heard {
                Ok(Some(answer)) => Heard::Answer(answer),
                Ok(None) | Err(mpsc::RecvTimeoutError::Disconnected) => {
                    Heard::Nothing(words.join().unwrap_or_default())
                }
                Err(mpsc::RecvTimeoutError::Timeout) => Heard::Late,
            }
        })
    }
}

/// What came of talking to a child.
enum Heard {
    /// A document or an error in its own words.
    Answer(Result<Vec<u8>>),
    /// Nothing in time.
    Late,
    /// It ended without an answer; its last words.
    Nothing(String),
}

/// Places for children.
#[derive(Debug, Default)]
struct Slots {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// A place; given back when dropped.
struct Slot<'a>(&'a Slots);

impl Slots {
    /// Waits for a place until a moment.
    fn take(&self, deadline: Instant) -> Option<Slot<'_>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= CHILDREN {
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            taken = self.freed.wait_timeout(taken, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *taken += 1;
        Some(Slot(self))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.freed.notify_one();
    }
}

/// One thing to draw.
#[derive(Debug)]
pub(super) struct Job {
    /// What is wanted.
    pub(super) output: Output,
    /// What the template reads.
    pub(super) data: serde_json::Value,
    /// Files that the data name by their number: drawings and attachments.
    pub(super) files: Vec<Vec<u8>>,
}

/// What is wanted of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Output {
    /// A PDF file.
    Pdf {
        /// What the file is, the same for the same document.
        ident: String,
        /// The moment that stands in it, in seconds since 1970.
        at: i64,
    },
    /// The first page as PNG.
    Page {
        /// Pixels for each point (1/72 inch).
        density: u16,
    },
    /// Every file, an SVG each, as PNG; one after the other.
    Pictures {
        /// Width of each in pixels.
        widths: Vec<u32>,
    },
}

/// The line before the parts of a job.
#[derive(Serialize, Deserialize)]
struct Header {
    output: Output,
    folder: Option<PathBuf>,
    digest: String,
    memory_mib: u64,
    seconds: u64,
    data: u64,
    files: Vec<u64>,
}

/// The line before an answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// A file of so many bytes follows.
    File(u64),
    /// None follows.
    Error { code: String, message: String, cause: String },
}

impl Job {
    fn write(&self, out: &mut impl Write, fonts: &Fonts, memory_mib: u64, seconds: u64) -> std::io::Result<()> {
        let data = serde_json::to_vec(&self.data)?;
        let header = Header {
            output: self.output.clone(),
            folder: fonts.folder().map(PathBuf::from),
            digest: fonts.digest().to_owned(),
            memory_mib,
            seconds,
            data: data.len() as u64,
            files: self.files.iter().map(|file| file.len() as u64).collect(),
        };
        write_line(out, &header)?;
        out.write_all(&data)?;
        for file in &self.files {
            out.write_all(file)?;
        }
        out.flush()
    }
}

/// The child: reads one job, does it, answers, and is done.
///
/// # Errors
/// When the streams do not speak the protocol. A job that fails is an answer and no error.
pub fn serve_worker(stdin: impl Read, mut stdout: impl Write) -> Result<()> {
    let broken = |error: std::io::Error| Error::internal("the renderer lost its server", error);
    let mut stdin = BufReader::new(stdin);
    let header: Header = read_line(&mut stdin).map_err(broken)?;
    confine(&header)?;
    let part = |stdin: &mut BufReader<_>, length: u64| -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
        stdin.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    let data = part(&mut stdin, header.data).map_err(broken)?;
    let data = serde_json::from_slice(&data).map_err(|error| broken(error.into()))?;
    let files =
        header.files.iter().map(|length| part(&mut stdin, *length)).collect::<Result<_, _>>().map_err(broken)?;
    let job = Job { output: header.output, data, files };
    let faces = Faces::open(header.folder.as_deref(), &header.digest);
    let done = faces.and_then(|faces| typeset::run(&job, faces));
    match done {
        Ok(file) => {
            write_line(&mut stdout, &Answer::File(file.len() as u64)).map_err(broken)?;
            stdout.write_all(&file).map_err(broken)?;
        }
        Err(error) => {
            let answer = Answer::Error {
                code: error.code().as_str().to_owned(),
                message: error.message().to_owned(),
                cause: error.cause().map(ToString::to_string).unwrap_or_default(),
            };
            write_line(&mut stdout, &answer).map_err(broken)?;
        }
    }
    stdout.flush().map_err(broken)
}

/// Lowers the limits of this process for good. `Data` counts what is allocated; `As` would also count the program itself and
/// address space that is only set aside. The processor time is a second rope, should the server die before it can end us.
fn confine(header: &Header) -> Result<()> {
    let limit = |resource: Resource, value: u64| {
        setrlimit(resource, value, value).map_err(|error| Error::internal("cannot limit the renderer", error))
    };
    limit(Resource::DATA, header.memory_mib.saturating_mul(1 << 20))?;
    limit(Resource::CPU, header.seconds.saturating_add(1))?;
    limit(Resource::CORE, 0)
}

/// `None` when there is no answer, only an end.
fn read_answer(stdout: impl Read) -> Option<Result<Vec<u8>>> {
    let mut stdout = BufReader::new(stdout);
    Some(match read_line(&mut stdout).ok()? {
        Answer::File(length) => {
            let mut file = Vec::new();
            stdout.take(length).read_to_end(&mut file).ok()?;
            // Shorter: it ended while it wrote.
            if file.len() as u64 != length {
                return None;
            }
            Ok(file)
        }
        Answer::Error { code, message, cause } => {
            let code = [Code::Definition, Code::Limit].into_iter().find(|known| known.as_str() == code);
            let error = Error::new(code.unwrap_or(Code::Internal), message);
            Err(if cause.is_empty() { error } else { error.caused_by(cause) })
        }
    })
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    out.write_all(&line)
}

fn read_line<T: for<'de> Deserialize<'de>>(stdin: &mut impl BufRead) -> std::io::Result<T> {
    let mut line = Vec::new();
    stdin.take(LONGEST_HEADER).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line)?)
}

#[cfg(test)]
pub(in crate::report) mod tests;
