//! Readers: every durable record in order, across rotation, and a clear word when a record is gone.

use std::time::Duration;

use guildhall_log::{Options, ReadError, Sequence};
use guildhall_testkit::files::FaultyFiles;

use crate::support::{append, append_group, open, payload, small};

#[test]
fn a_reader_begins_anywhere_and_ends_at_the_durable_tail() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append(&mut first.log, 100);
    first.log.stage(&[b"not durable yet"]).unwrap();
    let view = first.log.view();
    for from in [1, 2, 50, 99, 100, 101] {
        let mut reader = view.reader(Sequence::new(from)).unwrap();
        assert_eq!(reader.position(), Sequence::new(from));
        for n in from..=100 {
            let record = reader.try_next().unwrap().unwrap();
            assert_eq!(
                (record.sequence.get(), record.payload),
                (n, payload(n).as_slice())
            );
        }
        assert_eq!(reader.try_next().unwrap(), None);
        assert_eq!(reader.position(), Sequence::new(101));
    }
}

#[test]
fn a_reader_follows_across_rotation_dropping_and_recycling() {
    let files = FaultyFiles::new();
    let options = Options {
        spares: 2,
        ..small()
    };
    let mut first = open(&files, &options);
    let mut rng = fastrand::Rng::with_seed(1);
    let mut readers: Vec<_> = (0..4)
        .map(|_| (first.log.view().reader(Sequence::FIRST).unwrap(), 0))
        .collect();
    for _ in 0..400 {
        append_group(&mut first.log, rng.u64(1..6));
        let durable = first.log.view().durable().get();
        for (reader, read) in &mut readers {
            if rng.u8(..3) == 0 {
                while let Some(record) = reader.try_next().unwrap() {
                    *read += 1;
                    assert_eq!(
                        (record.sequence.get(), record.payload),
                        (*read, payload(*read).as_slice())
                    );
                }
                assert_eq!(*read, durable);
            }
        }
        let slowest = readers.iter().map(|(_, read)| *read).min().unwrap();
        first.log.drop_before(Sequence::new(slowest + 1)).unwrap();
    }
    assert!(first.log.view().stats().snapshot().recycled > 10);
}

#[test]
fn a_dropped_record_is_said_to_be_dropped() {
    let files = FaultyFiles::new();
    let options = Options {
        spares: 2,
        ..small()
    };
    let mut first = open(&files, &options);
    append(&mut first.log, 200);
    let mut slow = first.log.view().reader(Sequence::FIRST).unwrap();
    slow.try_next().unwrap();
    let oldest = first.log.drop_before(Sequence::new(150)).unwrap();
    append(&mut first.log, 60);
    let refused = first.log.view().reader(Sequence::FIRST).err();
    assert!(matches!(refused, Some(ReadError::Dropped { oldest: at, .. }) if at == oldest));
    // The slow one finishes the segment it holds, whose file was not recycled under it, and is told then.
    let mut read = 1;
    let error = loop {
        match slow.try_next() {
            Ok(record) => {
                read += 1;
                assert_eq!(record.unwrap().payload, payload(read));
            }
            Err(error) => break error,
        }
    };
    assert!(read > 1);
    let wanted_next = Sequence::new(read + 1);
    assert!(
        matches!(error, ReadError::Dropped { wanted, oldest: at } if wanted == wanted_next && at == oldest)
    );
}

#[test]
fn damage_met_while_reading_is_named() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append(&mut first.log, 10);
    files.corrupt("00000000000000000001.log", |bytes| bytes[900] ^= 1);
    let mut reader = first.log.view().reader(Sequence::FIRST).unwrap();
    let error = loop {
        match reader.try_next() {
            Ok(record) => assert!(record.is_some(), "the damage was passed over"),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&error, ReadError::Damaged(damage) if damage.offset <= 900),
        "{error}"
    );
}

#[test]
fn readers_of_segments_that_were_not_replayed() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    append(&mut first.log, 100);
    drop(first);
    let again = crate::support::try_open(
        &files,
        &small(),
        guildhall_log::Start::At(Sequence::new(90)),
    )
    .unwrap();
    let mut reader = again.log.view().reader(Sequence::new(3)).unwrap();
    for n in 3..=100 {
        assert_eq!(reader.try_next().unwrap().unwrap().payload, payload(n));
    }
    assert_eq!(reader.try_next().unwrap(), None);
}

#[test]
fn readers_on_threads_of_their_own_see_every_record_once() {
    let files = FaultyFiles::new();
    let options = Options {
        spares: 2,
        ..small()
    };
    let mut first = open(&files, &options);
    let view = first.log.view();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let mut reader = view.reader(Sequence::FIRST).unwrap();
            std::thread::spawn(move || {
                let mut read = 0;
                loop {
                    match reader.next_blocking() {
                        Ok(record) => {
                            read += 1;
                            assert_eq!(
                                (record.sequence.get(), record.payload),
                                (read, payload(read).as_slice())
                            );
                        }
                        Err(ReadError::Closed) => return read,
                        Err(error) => panic!("after {read}: {error}"),
                    }
                }
            })
        })
        .collect();
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..2000 {
        append_group(&mut first.log, rng.u64(1..4));
    }
    let last = first.log.view().durable().get();
    first.log.close().unwrap();
    for reader in readers {
        assert_eq!(reader.join().unwrap(), last);
    }
}

#[tokio::test]
async fn waiting_readers_are_woken_by_commits_and_by_the_end() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    let view = first.log.view();
    let following = tokio::spawn({
        let mut reader = view.reader(Sequence::FIRST).unwrap();
        async move {
            let mut read = Vec::new();
            loop {
                match reader.next().await {
                    Ok(record) => read.push(record.sequence.get()),
                    Err(error) => return (read, error),
                }
            }
        }
    });
    let blocking = std::thread::spawn({
        let mut reader = view.reader(Sequence::new(30)).unwrap();
        move || {
            reader
                .next_blocking()
                .map(|record| record.payload.to_vec())
                .unwrap()
        }
    });
    let mut tail = view.tail();
    for _ in 0..20 {
        append_group(&mut first.log, 2);
        tokio::task::yield_now().await;
    }
    assert_eq!(tail.reached(Sequence::new(40)).await, Ok(Sequence::new(40)));
    assert_eq!(blocking.join().unwrap(), payload(30));
    first.log.close().unwrap();
    let (read, error) = tokio::time::timeout(Duration::from_secs(20), following)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read, (1..=40).collect::<Vec<_>>());
    assert!(matches!(error, ReadError::Closed));
    assert!(tail.reached(Sequence::new(41)).await.is_err());
}

#[tokio::test]
async fn a_cancelled_wait_loses_nothing() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    let mut reader = first.log.view().reader(Sequence::FIRST).unwrap();
    for n in 1..=20 {
        // Polled once, then dropped.
        tokio::select! {
            biased;
            _ = reader.next() => panic!("nothing is there yet"),
            () = std::future::ready(()) => {}
        }
        append(&mut first.log, 1);
        assert_eq!(reader.next().await.unwrap().payload, payload(n));
    }
}
