//! The full CIFAR-10 layout, where a copy is at hand.

use hafnia_dataset::{Dataset, check};
use hafnia_testing::shared;

#[test]
fn the_full_set_passes_check_and_has_the_official_labels() {
    let Some(folder) = shared().map(|shared| shared.join("data")) else { return };
    let set = Dataset::open(&folder).unwrap();
    let report = check(&set).unwrap();
    assert!(report.is_ok(), "{report:?}");
    assert_eq!((report.train_images, report.test_images), (50_000, 10_000));
    assert_eq!(report.files[5].class_counts, [1_000; 10], "the test batch has 1,000 images of each class");
    // For one whole batch the digest of the records is that of the file.
    assert_eq!(report.test_sha256.as_ref(), Some(&report.files[5].sha256));
    let first = set.test().read(0, 20).unwrap();
    assert_eq!(first.labels(), [3, 8, 8, 0, 6, 6, 1, 6, 3, 1, 0, 9, 5, 7, 9, 8, 5, 7, 8, 6]);
}
