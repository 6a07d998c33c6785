//! Single records by their place: what an owner's index stands on.

use guildhall_log::{Location, Options, ReadError, Sequence, Start};
use guildhall_testkit::files::FaultyFiles;

use crate::support::{open, payload, quarantining, small};

/// Appends groups of one to five records and returns where each stands.
fn fill(log: &mut guildhall_log::Log, groups: u64) -> Vec<Location> {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut places = Vec::new();
    for _ in 0..groups {
        let mut offsets = Vec::new();
        for _ in 0..rng.u64(1..6) {
            offsets.push(log.staged_bytes() as u64);
            let number = log.next_sequence().get();
            log.stage(&[&payload(number)]).unwrap();
        }
        log.commit().unwrap();
        let group = log.group_at();
        places.extend(offsets.into_iter().map(|offset| group.plus(offset)));
    }
    places
}

#[test]
fn writer_reader_and_recovery_agree_where_a_record_stands() {
    let files = FaultyFiles::new();
    let mut first = open(&files, &small());
    let places = fill(&mut first.log, 60);
    let check = |log: &guildhall_log::Log| {
        let view = log.view();
        let mut reader = view.reader(Sequence::FIRST).unwrap();
        for (place, number) in places.iter().zip(1..) {
            let record = reader.try_next().unwrap().unwrap();
            assert_eq!((record.sequence.get(), record.at), (number, *place));
            let read = view.read_at(*place, payload(number).len()).unwrap();
            assert_eq!(read, payload(number));
        }
    };
    check(&first.log);
    let segments = first.log.view().segments();
    assert!(segments.len() > 3);
    for segment in &segments {
        let at = places[segment.first.get() as usize - 1];
        assert_eq!(at.segment, segment.number, "its first record");
    }
    drop(first);

    let mut replayed = Vec::new();
    let files = std::sync::Arc::new(files.kill());
    let opened = guildhall_log::Log::open(files, small(), Start::Oldest, |record| {
        replayed.push(record.at);
        Ok(())
    });
    assert_eq!(replayed, places);
    check(&opened.unwrap().0);
}

#[test]
fn a_dropped_record_is_gone_even_if_its_file_is_used_again() {
    let files = FaultyFiles::new();
    let options = Options {
        spares: 1,
        ..small()
    };
    let mut first = open(&files, &options);
    let places = fill(&mut first.log, 60);
    let view = first.log.view();
    let second = view.segments()[1];
    first.log.drop_before(second.first).unwrap();
    fill(&mut first.log, 60);
    for (place, number) in places.iter().zip(1..) {
        let read = view.read_at(*place, payload(number).len());
        match read {
            Err(ReadError::Gone { at }) => assert!(at == *place && number < second.first.get()),
            read => assert_eq!(read.unwrap(), payload(number)),
        }
    }
    assert!(matches!(
        view.read_at(places[0], 5),
        Err(ReadError::Gone { .. })
    ));
}

#[test]
fn what_is_not_that_record_is_damage() {
    for options in [small(), quarantining()] {
        let files = FaultyFiles::new();
        let mut first = open(&files, &options);
        let places = fill(&mut first.log, 3);
        let view = first.log.view();
        let (place, length) = (places[1], payload(2).len());
        assert!(view.read_at(place, length).is_ok());
        let off = place.plus(8);
        for (at, length) in [
            (place, length + 1),
            (place, length - 1),
            (off, length),
            (place, 1 << 20),
        ] {
            assert!(matches!(
                view.read_at(at, length),
                Err(ReadError::Damaged(_))
            ));
        }
        files.corrupt("00000000000000000001.log", |bytes| {
            bytes[place.offset as usize + 24] ^= 1
        });
        let Err(ReadError::Damaged(damage)) = view.read_at(place, length) else {
            panic!("a flipped bit went unnoticed");
        };
        assert_eq!(damage.offset, place.offset);
        assert!(view.read_at(places[0], payload(1).len()).is_ok());
    }
}
