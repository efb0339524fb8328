//! One file over HTTP into a partial file: goes on where an earlier run stopped, checks the checksum at the end.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use md5::{Digest, Md5};
use ureq::http::{Response, header};
use ureq::{Agent, Body};

use crate::fetch::{FetchProgress, FetchStep};
use crate::images::hex;
use crate::{Archive, DatasetError};

type Report<'a> = &'a mut dyn FnMut(FetchProgress);

/// Opens the partial file and locks it against other processes, for as long as the returned file lives.
pub(crate) fn open(part: &Path) -> Result<File, DatasetError> {
    let file =
        OpenOptions::new().read(true).append(true).create(true).open(part).map_err(DatasetError::io("open", part))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DatasetError::Busy { path: part.into() }),
        Err(TryLockError::Error(e)) => Err(DatasetError::io("lock", part)(e)),
    }
}

/// Downloads `archive` into `part`, going on behind what is there, and checks its checksum. A file with the wrong one
/// is removed.
pub(crate) fn download(
    archive: &Archive,
    part: &Path,
    file: &mut File,
    report: Report<'_>,
) -> Result<(), DatasetError> {
    if let Err(error) = receive(archive, part, file, report) {
        if file.metadata().is_ok_and(|meta| meta.len() == 0) {
            std::fs::remove_file(part).map_err(DatasetError::io("remove", part))?;
        }
        return Err(error);
    }
    let found = checksum(part, file, report)?;
    if found == archive.md5 {
        return Ok(());
    }
    std::fs::remove_file(part).map_err(DatasetError::io("remove", part))?;
    Err(DatasetError::Checksum { url: archive.url.clone(), expected: archive.md5.clone(), found })
}

/// Asks for the rest until all is here, or until an answer brings nothing new.
fn receive(archive: &Archive, part: &Path, file: &mut File, report: Report<'_>) -> Result<(), DatasetError> {
    loop {
        let before = file.metadata().map_err(DatasetError::io("read", part))?.len();
        match receive_part(archive, part, file, before, report) {
            Err(DatasetError::Cut { got, .. }) if got > before => {}
            outcome => return outcome,
        }
    }
}

/// One request and its answer; the file holds `got` bytes.
fn receive_part(
    archive: &Archive,
    part: &Path,
    file: &mut File,
    mut got: u64,
    report: Report<'_>,
) -> Result<(), DatasetError> {
    let mut response = request(archive, got)?;
    match response.status().as_u16() {
        206 if resumes_at(&response, got) => {}
        // The whole file again: the server knows no ranges, or its file is no longer the one we hold a part of.
        200 => {
            file.set_len(0).map_err(DatasetError::io("empty", part))?;
            got = 0;
        }
        // Nothing is left to send: the checksum will tell whether what is here is the file.
        416 if got > 0 => return Ok(()),
        status => {
            return Err(DatasetError::Http { url: archive.url.clone(), reason: format!("status {status}") });
        }
    }
    let total = header_number(&response, header::CONTENT_LENGTH).map(|n| n + got);
    got = copy(&mut response.body_mut().as_reader(), part, file, got, total, report)?;
    match total {
        Some(expected) if got < expected => {
            Err(DatasetError::Cut { url: archive.url.clone(), path: part.into(), got, expected })
        }
        _ => Ok(()),
    }
}

fn request(archive: &Archive, from: u64) -> Result<Response<Body>, DatasetError> {
    let url = &archive.url;
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_recv_body(Some(archive.patience))
        .build();
    let mut request = Agent::new_with_config(config).get(url).header("Accept-Encoding", "identity");
    if from > 0 {
        request = request.header("Range", format!("bytes={from}-"));
    }
    request.call().map_err(|e| DatasetError::Http { url: url.into(), reason: e.to_string() })
}

/// Whether a partial answer starts where our part ends: `Content-Range: bytes <from>-...`.
fn resumes_at(response: &Response<Body>, from: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok());
    range.and_then(|r| r.strip_prefix("bytes ")).and_then(|r| r.split('-').next()).and_then(|r| r.parse().ok())
        == Some(from)
}

fn header_number(response: &Response<Body>, name: header::HeaderName) -> Option<u64> {
    response.headers().get(name)?.to_str().ok()?.parse().ok()
}

/// Copies until the end or the first network error and returns the bytes in the file. What arrived is kept, so a
/// network error is not one here: the caller compares with the length announced.
fn copy(
    body: &mut impl Read,
    part: &Path,
    file: &mut File,
    mut got: u64,
    total: Option<u64>,
    report: Report<'_>,
) -> Result<u64, DatasetError> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        report(FetchProgress { step: FetchStep::Download, done: got, total });
        match body.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) => {
                file.write_all(&buffer[..n]).map_err(DatasetError::io("write", part))?;
                got += n as u64;
            }
        }
    }
    file.sync_all().map_err(DatasetError::io("write", part))?;
    Ok(got)
}

fn checksum(part: &Path, file: &mut File, report: Report<'_>) -> Result<String, DatasetError> {
    let total = Some(file.metadata().map_err(DatasetError::io("read", part))?.len());
    file.seek(SeekFrom::Start(0)).map_err(DatasetError::io("read", part))?;
    let (mut hash, mut buffer, mut done) = (Md5::new(), vec![0; 1 << 16], 0);
    loop {
        report(FetchProgress { step: FetchStep::Check, done, total });
        match file.read(&mut buffer).map_err(DatasetError::io("read", part))? {
            0 => return Ok(hex(&hash.finalize())),
            n => {
                hash.update(&buffer[..n]);
                done += n as u64;
            }
        }
    }
}
