//! Two openers of one directory.

use guildhall_log::files::{Disk, DiskError, Files as _};

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made").join("on").join("demand");
    let first = Disk::open(&path).unwrap();
    let error = Disk::open(&path).unwrap_err();
    assert!(
        matches!(&error, DiskError::Locked(at) if *at == path),
        "{error}"
    );
    assert!(first.list().unwrap().is_empty(), "the lock file shows");
    drop(first);
    Disk::open(&path).unwrap();
}

#[test]
fn names_and_errors_of_a_real_directory() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path()).unwrap();
    assert_eq!(
        disk.open("missing").err().map(|error| error.kind()),
        Some(std::io::ErrorKind::NotFound)
    );
    let file = disk.create("a").unwrap();
    assert_eq!(
        disk.create("a").err().map(|error| error.kind()),
        Some(std::io::ErrorKind::AlreadyExists)
    );
    file.write_at(5, b"hello").unwrap();
    file.write_zeroes(10, 100_000).unwrap();
    file.sync_data().unwrap();
    assert_eq!(file.length().unwrap(), 100_000);
    let mut bytes = [1; 12];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), 12);
    assert_eq!(&bytes, b"\0\0\0\0\0hello\0\0");
    assert_eq!(file.read_at(99_995, &mut bytes).unwrap(), 5);
    disk.rename("a", "b").unwrap();
    disk.sync_dir().unwrap();
    assert_eq!(disk.list().unwrap(), ["b"]);
    assert!(disk.space_left().unwrap() > 0);
    disk.remove("b").unwrap();
    assert_eq!(disk.path("b"), directory.path().join("b"));
}
