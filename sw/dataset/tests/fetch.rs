//! `fetch` against a server on this machine: whole, resumed, cut, wrong checksum, no ranges.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hafnia_dataset::{Archive, DatasetError, FetchProgress, FetchStep, fetch};
use md5::{Digest, Md5};

/// What the server does with a request.
#[derive(Clone, Copy)]
enum Manner {
    /// Honours `Range`.
    Ranges,
    /// Sends the whole file whatever is asked.
    NoRanges,
    /// Announces the whole length, sends this many bytes and hangs up.
    Cut(usize),
    /// Honours `Range`, sends this many bytes and then nothing, for ten seconds.
    Silent(usize),
    /// Answers 404.
    Missing,
}

struct Server {
    url: String,
    manner: Arc<Mutex<Manner>>,
    /// The `Range` header of each request.
    ranges: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Server {
    fn new(content: Vec<u8>, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/set.tar.gz", listener.local_addr().unwrap());
        let manner = Arc::new(Mutex::new(manner));
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let (shared_manner, shared_ranges) = (manner.clone(), ranges.clone());
        // The thread ends with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let manner = *shared_manner.lock().unwrap();
                let from = answer(stream.unwrap(), &content, manner);
                shared_ranges.lock().unwrap().push(from);
            }
        });
        Self { url, manner, ranges }
    }

    fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn last_range(&self) -> Option<usize> {
        // The entry is written after the answer, which the client may have read in full already.
        for _ in 0..200 {
            if let Some(range) = self.ranges.lock().unwrap().pop() {
                return range;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("the server saw no request");
    }
}

fn answer(mut stream: TcpStream, content: &[u8], manner: Manner) -> Option<usize> {
    let mut from = None;
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let line = line.unwrap().to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
        if line.is_empty() {
            break;
        }
    }
    let n = content.len();
    let start = from.unwrap_or(0);
    let (head, body) = match manner {
        Manner::Missing => ("404 Not Found\r\nContent-Length: 0".to_string(), &content[..0]),
        Manner::Cut(sent) => (format!("200 OK\r\nContent-Length: {n}"), &content[..sent]),
        Manner::Ranges if from.is_some() && start >= n => {
            (format!("416 Range Not Satisfiable\r\nContent-Range: bytes */{n}\r\nContent-Length: 0"), &content[..0])
        }
        Manner::Ranges | Manner::Silent(_) if from.is_some() => (
            format!(
                "206 Partial Content\r\nContent-Range: bytes {start}-{}/{n}\r\nContent-Length: {}",
                n - 1,
                n - start
            ),
            &content[start..],
        ),
        Manner::Ranges | Manner::NoRanges | Manner::Silent(_) => (format!("200 OK\r\nContent-Length: {n}"), content),
    };
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
    match manner {
        Manner::Silent(sent) => {
            let _ = stream.write_all(&body[..sent.min(body.len())]);
            if sent < body.len() {
                // Not in the way of the next request.
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_secs(10));
                    drop(stream);
                });
            }
        }
        _ => drop(stream.write_all(body)),
    }
    from
}

/// An archive of one folder with two files, stored uncompressed so that its size is known.
fn archive_bytes() -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    let noise: Vec<u8> = (0..200_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, bytes) in [("set/one.bin", &noise[..]), ("set/two.bin", &noise[..77]), ("elsewhere/three", &noise[..5])]
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn setup(manner: Manner) -> (Server, Archive, Vec<u8>, tempfile::TempDir) {
    let content = archive_bytes();
    let server = Server::new(content.clone(), manner);
    let archive = archive(&server, &content);
    (server, archive, content, tempfile::tempdir().unwrap())
}

fn archive(server: &Server, content: &[u8]) -> Archive {
    let md5 = hex(&Md5::digest(content));
    Archive { url: server.url.clone(), md5, folder: "set".into(), patience: Duration::from_millis(300) }
}

fn quiet(archive: &Archive, into: &Path) -> Result<std::path::PathBuf, DatasetError> {
    fetch(archive, into, &mut |_| {})
}

/// Only the installed folder is left, and it is whole.
fn assert_installed(into: &Path) {
    let names: Vec<_> = fs::read_dir(into).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["set"], "nothing else may be left behind");
    assert_eq!(fs::metadata(into.join("set/one.bin")).unwrap().len(), 200_000);
    assert_eq!(fs::metadata(into.join("set/two.bin")).unwrap().len(), 77);
}

#[test]
fn a_whole_download_is_unpacked_and_reports_its_progress() {
    let (server, archive, content, into) = setup(Manner::Ranges);
    let mut seen: Vec<FetchProgress> = Vec::new();
    let folder = fetch(&archive, into.path(), &mut |p| seen.push(p)).unwrap();
    assert_eq!(folder, into.path().join("set"));
    assert_installed(into.path());
    assert_eq!(server.last_range(), None);
    let end = |step| seen.iter().rfind(|p| p.step == step).unwrap().done;
    assert_eq!(end(FetchStep::Download), content.len() as u64);
    assert_eq!(end(FetchStep::Check), content.len() as u64);
    assert_eq!(end(FetchStep::Unpack), 200_077);
    assert!(seen.windows(2).all(|w| w[0].step != w[1].step || w[0].done <= w[1].done));
}

#[test]
fn an_installed_folder_is_left_alone() {
    let (server, archive, _, into) = setup(Manner::Ranges);
    quiet(&archive, into.path()).unwrap();
    server.set(Manner::Missing);
    quiet(&archive, into.path()).unwrap();
    assert_installed(into.path());
}

#[test]
fn a_cut_download_is_kept_and_gone_on_with() {
    let (server, archive, content, into) = setup(Manner::Cut(70_000));
    let error = quiet(&archive, into.path()).unwrap_err();
    assert!(
        matches!(error, DatasetError::Cut { got: 70_000, expected, .. } if expected == content.len() as u64),
        "{error}"
    );
    assert!(!into.path().join("set").exists());
    assert_eq!(fs::read(into.path().join("set.tar.gz.part")).unwrap(), &content[..70_000]);
    server.last_range();
    server.set(Manner::Ranges);
    quiet(&archive, into.path()).unwrap();
    assert_eq!(server.last_range(), Some(70_000));
    assert_installed(into.path());
}

/// A server that falls silent is asked again for the rest, as long as each answer brings something.
#[test]
fn a_server_that_falls_silent_is_asked_again() {
    let (server, archive, content, into) = setup(Manner::Silent(150_000));
    quiet(&archive, into.path()).unwrap();
    assert_eq!(server.last_range(), Some(150_000));
    assert_installed(into.path());
    std::fs::remove_dir_all(into.path().join("set")).unwrap();
    server.set(Manner::Silent(0));
    let error = quiet(&archive, into.path()).unwrap_err();
    assert!(matches!(error, DatasetError::Cut { got: 0, expected, .. } if expected == content.len() as u64), "{error}");
}

#[test]
fn a_complete_part_needs_no_more_bytes() {
    let (_server, archive, content, into) = setup(Manner::Ranges);
    fs::write(into.path().join("set.tar.gz.part"), &content).unwrap();
    quiet(&archive, into.path()).unwrap();
    assert_installed(into.path());
}

#[test]
fn a_server_without_ranges_starts_anew() {
    let (server, archive, _, into) = setup(Manner::NoRanges);
    fs::write(into.path().join("set.tar.gz.part"), [1; 50_000]).unwrap();
    quiet(&archive, into.path()).unwrap();
    assert_eq!(server.last_range(), Some(50_000));
    assert_installed(into.path());
}

#[test]
fn a_wrong_checksum_removes_the_download() {
    let (_server, mut archive, _, into) = setup(Manner::Ranges);
    archive.md5 = "00000000000000000000000000000000".into();
    let error = quiet(&archive, into.path()).unwrap_err();
    assert!(matches!(error, DatasetError::Checksum { .. }), "{error}");
    assert!(error.to_string().contains("expected md5 0000"), "{error}");
    assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0);
}

/// A part of another file goes on, fails the checksum, and is gone, so that the next call succeeds.
#[test]
fn a_foreign_part_costs_one_failed_call() {
    let (_server, archive, _, into) = setup(Manner::Ranges);
    fs::write(into.path().join("set.tar.gz.part"), [1; 50_000]).unwrap();
    assert!(matches!(quiet(&archive, into.path()), Err(DatasetError::Checksum { .. })));
    quiet(&archive, into.path()).unwrap();
    assert_installed(into.path());
}

#[test]
fn a_damaged_archive_installs_nothing() {
    let content = archive_bytes()[..90_000].to_vec();
    let server = Server::new(content.clone(), Manner::Ranges);
    let archive = archive(&server, &content);
    let into = tempfile::tempdir().unwrap();
    let error = quiet(&archive, into.path()).unwrap_err();
    assert!(error.to_string().contains("set"), "{error}");
    assert!(!into.path().join("set").exists());
}

#[test]
fn a_refusal_and_a_missing_server_are_told() {
    let (server, mut archive, _, into) = setup(Manner::Missing);
    let error = quiet(&archive, into.path()).unwrap_err().to_string();
    assert!(error.contains("status 404") && error.contains(&server.url), "{error}");
    // Port 9 of this machine: nothing listens there.
    archive.url = "http://127.0.0.1:9/set.tar.gz".into();
    assert!(matches!(quiet(&archive, into.path()), Err(DatasetError::Http { .. })));
}

#[test]
fn a_second_download_to_the_same_place_is_refused() {
    let (_server, archive, _, into) = setup(Manner::Ranges);
    let part = fs::File::create(into.path().join("set.tar.gz.part")).unwrap();
    part.lock().unwrap();
    let error = quiet(&archive, into.path()).unwrap_err();
    assert!(matches!(error, DatasetError::Busy { .. }), "{error}");
}
