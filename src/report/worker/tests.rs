use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Job, Output, Worker, serve_worker};
use crate::error::{Code, Error, Result};
use crate::report::font::Fonts;

const SVG: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"20\"><rect width=\"40\" height=\"20\" \
                   fill=\"#0067A3\"/></svg>";

/// A worker that is a shell command.
fn shell(command: &str, seconds: u64) -> Worker {
    Worker {
        arguments: vec!["-c".to_owned(), command.to_owned()],
        ..Worker::new(PathBuf::from("/bin/sh"), seconds, 512)
    }
}

/// A worker that is this very test program, made to serve by [`child`]. Its first three lines are the test harness's.
pub(in crate::report) fn ourselves(memory_mib: u64) -> Worker {
    let program = std::env::current_exe().unwrap();
    let command = format!(
        "RENDER_TEST=1 '{}' -q --exact report::worker::tests::child --nocapture | tail -n +3",
        program.to_str().unwrap()
    );
    Worker { memory_mib, ..shell(&command, 60) }
}

/// Serves one job when [`ourselves`] asks; in a run of all tests it has nothing to do.
#[test]
fn child() {
    if std::env::var_os("RENDER_TEST").is_some() {
        serve_worker(std::io::stdin().lock(), std::io::stdout().lock()).unwrap();
        std::io::stdout().flush().unwrap();
    }
}

fn picture() -> Job {
    Job { output: Output::Pictures { widths: vec![80] }, data: json!({}), files: vec![SVG.into()] }
}

fn fonts() -> Fonts {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("face.otf"), typst_assets::fonts().next().unwrap()).unwrap();
    // Kept: the child reads it too.
    Fonts::load(Some(&folder.keep())).unwrap()
}

fn run(worker: &Worker, job: &Job) -> Result<Vec<u8>> {
    let fonts = fonts();
    let done = worker.run(job, &fonts);
    std::fs::remove_dir_all(fonts.folder().unwrap()).unwrap();
    done
}

fn code(done: Result<Vec<u8>>) -> (Code, Error) {
    let error = done.unwrap_err();
    (error.code(), error)
}

#[test]
fn a_child_gives_what_this_process_gives() {
    let here = run(&Worker::in_process(), &picture()).unwrap();
    assert!(here.starts_with(b"\x89PNG\r\n\x1a\n"));
    // Width and height of the header chunk.
    assert_eq!(here[16..24], [0, 0, 0, 80, 0, 0, 0, 40]);
    assert!(run(&ourselves(512), &picture()).unwrap() == here);
}

#[test]
fn a_job_that_fails_in_the_child_fails_in_its_words() {
    let job = Job { files: vec![b"no drawing".to_vec()], ..picture() };
    let (code, error) = code(run(&ourselves(512), &job));
    assert_eq!((code, error.message()), (Code::Internal, "the document cannot be set"));
    assert!(error.cause().unwrap().to_string().contains("SVG"), "{error:?}");
}

#[test]
fn a_child_without_memory_fails_its_job() {
    let (code, error) = code(run(&ourselves(4), &picture()));
    assert_eq!(code, Code::Limit, "{error:?}");
    assert!(error.message().contains("its 4 MiB"), "{error:?}");
}

#[test]
fn a_child_that_hangs_is_ended() {
    let started = Instant::now();
    // More than a pipe holds, and nobody reads it.
    let job = Job { files: vec![vec![0; 4 << 20]], ..picture() };
    let (code, error) = code(run(&shell("exec sleep 60", 1), &job));
    assert_eq!(code, Code::Limit);
    assert!(error.message().contains("not ready after 1 s"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_child_that_dies_fails_its_job() {
    for command in ["exit 3", "kill -9 $$", "echo words", "echo '{\"file\":10}'; printf abc", "echo broken >&2; exit 1"]
    {
        let (code, error) = code(run(&shell(command, 20), &picture()));
        assert_eq!(code, Code::Limit, "{command}");
        assert!(error.message().contains("ended without a document"), "{command}: {error}");
    }
    let (_, error) = code(run(&shell("echo broken >&2; exit 7", 20), &picture()));
    assert!(error.cause().unwrap().to_string().contains("broken"), "{error:?}");
}

#[test]
fn streams_are_served_at_once() {
    // Answers before it reads, and says more on its error stream than a pipe holds.
    let command = "head -c 300000 /dev/zero >&2; printf '{\"file\":3}\\nabc'; cat > /dev/null";
    let job = Job { files: vec![vec![0; 1 << 20]], ..picture() };
    assert_eq!(run(&shell(command, 20), &job).unwrap(), b"abc");
}

#[test]
fn an_error_keeps_its_code() {
    let command = "echo '{\"error\":{\"code\":\"DEFINITION\",\"message\":\"m\",\"cause\":\"c\"}}'";
    let (code, error) = code(run(&shell(command, 20), &picture()));
    assert_eq!((code, error.message()), (Code::Definition, "m"));
    assert_eq!(error.cause().unwrap().to_string(), "c");
}

#[test]
fn no_more_children_than_places() {
    let worker = shell("exec sleep 60", 5);
    let taken = || *worker.slots.taken.lock().unwrap();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..2).map(|_| scope.spawn(|| code(run(&worker, &picture())).0)).collect();
        let started = Instant::now();
        while taken() < 2 && started.elapsed() < Duration::from_secs(4) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let third = Worker { limit: Duration::from_millis(50), ..worker.clone() };
        assert_eq!(code(run(&third, &picture())).0, Code::Queue);
        for run in runs {
            assert_eq!(run.join().unwrap(), Code::Limit);
        }
    });
    assert_eq!(taken(), 0);
}
