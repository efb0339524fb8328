//! Readers on good, damaged and random files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::{Dataset, DatasetError, Images, Layout, Origin, check, pickle, python};
use crate::{binary, binary::RECORD_BYTES};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn expected() -> Images {
    binary::decode(Path::new("pixels.bin"), 0, &fixture("pixels.bin")).unwrap()
}

fn python(bytes: &[u8]) -> Result<Images, DatasetError> {
    python::decode(Path::new("batch"), bytes)
}

/// A folder with the six batches, each a copy of `bytes`.
fn folder(bytes: &[u8], end: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"] {
        fs::write(folder.path().join(format!("{name}{end}")), bytes).unwrap();
    }
    folder
}

/// Six batches of the right size that hold only zeros, as holes in the files.
fn hollow() -> tempfile::TempDir {
    let folder = folder(&[], ".bin");
    for entry in fs::read_dir(folder.path()).unwrap() {
        let file = File::options().write(true).open(entry.unwrap().path()).unwrap();
        file.set_len(10_000 * RECORD_BYTES as u64).unwrap();
    }
    folder
}

#[test]
fn every_python_and_numpy_flavour_gives_the_same_records() {
    for name in ["python2.pkl", "python2-column-major.pkl", "python3-protocol2.pkl", "python3-protocol4.pkl"] {
        assert_eq!(python(&fixture(name)).unwrap(), expected(), "{name}");
    }
}

#[test]
fn both_layouts_give_the_same_images_and_digest() {
    let (bin, py) = (folder(&fixture("pixels.bin"), ".bin"), folder(&fixture("python2.pkl"), ""));
    let bin = Dataset::open_with(bin.path(), 4).unwrap();
    let py = Dataset::open_with(py.path(), 4).unwrap();
    assert_eq!((bin.layout(), py.layout(), bin.train().len()), (Layout::Binary, Layout::Python, 20));
    for (first, count) in [(0, 20), (3, 2), (7, 9), (20, 0)] {
        assert_eq!(bin.train().read(first, count).unwrap(), py.train().read(first, count).unwrap());
    }
    assert_eq!(bin.test().all().unwrap().sha256(), py.test().all().unwrap().sha256());
    let picked = py.train().pick(&[17, 2, 9]).unwrap();
    assert_eq!(picked, expected().select(&[1, 2, 1]));
}

#[test]
fn the_folder_or_its_parent_may_be_given() {
    let parent = tempfile::tempdir().unwrap();
    let inner = folder(&fixture("pixels.bin"), ".bin");
    fs::rename(inner.path(), parent.path().join("cifar-10-batches-bin")).unwrap();
    assert_eq!(Dataset::open_with(parent.path(), 4).unwrap().test().all().unwrap(), expected());
}

#[test]
fn a_range_past_the_end_names_the_split_and_its_size() {
    let digits = Dataset::digits();
    let error = digits.test().read(350, 20).unwrap_err().to_string();
    assert_eq!(error, "images 350..370 are past the end of the test split, which has 360; ask for at most 10 from 350");
    assert!(digits.test().read(usize::MAX, 2).is_err());
    assert_eq!(digits.train().all().unwrap().len() + digits.test().all().unwrap().len(), 1_797);
}

#[test]
fn a_wrong_size_a_missing_file_and_a_foreign_folder_are_named() {
    let set = hollow();
    let test = set.path().join("test_batch.bin");
    fs::write(&test, [0; 100]).unwrap();
    let error = Dataset::open(set.path()).unwrap_err().to_string();
    assert!(error.contains("test_batch.bin`: file size is 100 bytes, expected 30730000"), "{error}");
    fs::remove_file(&test).unwrap();
    assert!(matches!(Dataset::open(set.path()), Err(DatasetError::MissingFile { path }) if path == test));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Dataset::open(empty.path()), Err(DatasetError::NotFound { .. })));
}

#[test]
fn a_label_out_of_range_is_named_with_its_record() {
    let mut bytes = fixture("pixels.bin");
    bytes[2 * RECORD_BYTES] = 10;
    let set = folder(&bytes, ".bin");
    let set = Dataset::open_with(set.path(), 4).unwrap();
    assert!(set.test().read(0, 2).is_ok());
    let error = set.test().read(1, 3).unwrap_err();
    assert!(matches!(error, DatasetError::Label { record: 2, found: 10, .. }), "{error}");
}

#[test]
fn python_batches_with_other_content_are_refused() {
    let int16 = python(&fixture("python2-int16.pkl")).unwrap_err().to_string();
    assert!(int16.contains("numpy type `u1`"), "{int16}");
    // One pixel row too few for the labels: BININT2 3072 becomes 3071.
    let good = fixture("python2.pkl");
    let at = good.windows(3).position(|w| w == b"M\x00\x0c").unwrap();
    let mut bad = good.clone();
    (bad[at + 1], bad[at + 2]) = (0xff, 0x0b);
    assert!(python(&bad).unwrap_err().to_string().contains("[4, 3071]"));
    let at = good.windows(4).position(|w| w == b"K\x03K\x00").unwrap();
    let mut bad = good;
    bad[at + 1] = 77;
    assert!(matches!(python(&bad), Err(DatasetError::Label { record: 0, found: 77, .. })));
    let no_batch = python(b"\x80\x02K\x01.").unwrap_err().to_string();
    assert!(no_batch.contains("a dictionary"), "{no_batch}");
}

/// A pickle that a naive reader would recurse into, and one that doubles a value with each byte.
#[test]
fn nested_and_shared_values_cost_no_more_than_the_file() {
    let mut nested = vec![b']'; 200_000];
    nested.extend(vec![b'a'; 199_999]);
    nested.push(b'.');
    assert!(python(&nested).unwrap_err().to_string().contains("a dictionary"));
    let mut shared = b"]q\x00".to_vec();
    (0..100).for_each(|_| shared.extend(b"h\x00h\x00\x86q\x00"));
    shared.push(b'.');
    assert!(python(&shared).is_err());
}

#[test]
fn check_names_each_damaged_file_and_never_calls_it_official() {
    let set = hollow();
    let path: PathBuf = set.path().join("data_batch_3.bin");
    let mut bytes = fs::read(&path).unwrap();
    bytes[RECORD_BYTES] = 200;
    fs::write(&path, bytes).unwrap();
    let report = check(&Dataset::open(set.path()).unwrap()).unwrap();
    assert!(!report.is_ok());
    assert_eq!(report.origin, Origin::Unknown);
    let wrong: Vec<_> = report.files.iter().filter(|f| f.problem.is_some()).map(|f| f.name.as_str()).collect();
    assert_eq!(wrong, ["data_batch_3.bin"]);
    assert_eq!(report.files[0].class_counts, [10_000, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(check(&Dataset::digits()).unwrap().origin, Origin::BuiltIn);
}

#[test]
fn a_python_folder_of_other_images_is_different_from_the_official_one() {
    let set = folder(&fixture("python2.pkl"), "");
    let report = check(&Dataset::open(set.path()).unwrap()).unwrap();
    assert_eq!(report.origin, Origin::Different);
    assert!(report.files[0].problem.as_ref().unwrap().contains("10000 entries, found 4"));
}

/// Opcodes that the reader knows, with operands among them.
const OPCODES: &[u8] = b"(NK\x01]})t\x85\x86\x87aesuq\x00h\x00\x94Rb\x93\x88.U\x01x\x8c\x01y";

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let _ = python(&bytes);
        let _ = binary::decode(Path::new("x"), 0, &bytes);
    }

    /// The stack machine is reached, not just its first refusal.
    #[test]
    fn random_opcodes_never_panic(
        ops in prop::collection::vec(prop::sample::select(OPCODES), 0..200)
    ) {
        let _ = pickle::Pickle::parse(&ops);
        let _ = python(&ops);
    }

    #[test]
    fn mutated_batches_never_panic(
        at in 0_usize..12_595, byte: u8, second in 0_usize..300, other: u8, cut in 0_usize..12_595
    ) {
        let mut bytes = fixture("python2.pkl");
        bytes[at] = byte;
        bytes[second] = other;
        let _ = python(&bytes);
        prop_assert!(python(&bytes[..cut]).is_err());
    }
}
