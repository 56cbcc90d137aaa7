//! Files are taken apart at the right places, and read as what they are.

use std::io::Cursor;

use usher::imports::{Gauge, Kind, Map, Options, Packed, Source, Stop, detect, read};
use usher::people::imports::Record;

fn options(source: Source) -> Options {
    Options { source, map: None, kind: Kind::Identify, wants_raw: true, revive: false, done: 0 }
}

fn packed(bytes: &[u8]) -> Packed {
    Packed::Stream(Box::new(Cursor::new(bytes.to_vec())))
}

/// The records of a file, and why reading ended.
fn records_of(bytes: &[u8], options: &Options) -> (Vec<Record>, Option<String>) {
    let mut records = Vec::new();
    let mut see = |record| {
        records.push(record);
        Ok(())
    };
    let ended = read(packed(bytes), &Gauge::default(), options, &mut |_| Ok(()), &mut see);
    let why = match ended {
        Ok(()) => None,
        Err(Stop::Unreadable(why)) => Some(why),
        Err(stop) => panic!("{stop:?}"),
    };
    (records, why)
}

fn records(bytes: &[u8], source: Source) -> Vec<Record> {
    let (records, why) = records_of(bytes, &options(source));
    assert_eq!(why, None);
    records
}

/// Which records are good.
fn good(records: &[Record]) -> Vec<bool> {
    records.iter().map(|record| record.says.is_ok()).collect()
}

#[test]
fn a_line_of_1_mib_is_read_and_a_longer_one_passed_over() {
    let line = |length: usize| {
        let start = r#"{"id":"ann","note":""#;
        format!("{start}{}\"}}\n", "x".repeat(length - start.len() - 2))
    };
    let (most, more) = (line(1024 * 1024), line(1024 * 1024 + 1));
    let text = [most.as_str(), "{\"id\":\"b\"}\n"].concat();
    assert_eq!(good(&records(text.as_bytes(), Source::Users)), [true, true]);
    let text = [more.as_str(), "{\"id\":\"b\"}"].concat();
    let found = records(text.as_bytes(), Source::Users);
    // A byte or two more are let pass: the end of the line counts for them.
    assert_eq!((found.len(), found[1].says.is_ok(), found[1].line), (2, true, 2));
    let text = [line(1024 * 1024 + 9).as_str(), "{\"id\":\"b\"}"].concat();
    let found = records(text.as_bytes(), Source::Users);
    assert_eq!(good(&found), [false, true]);
    assert_eq!(found[0].says.as_ref().expect_err("a fault").code, "too_long");
}

#[test]
fn a_list_is_taken_apart_between_its_elements() {
    let list = r#" [ {"id":"a]}\"","x":[1,{"y":"}"}]}, 7, "text" ,{"id":"b"},{"id":"c"#;
    let found = records(list.as_bytes(), Source::Users);
    assert_eq!(good(&found), [true, false, false, true, false]);
    assert_eq!(found.iter().map(|record| record.line).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let inside = "{\n \"total\": 2, \"groups\": [{\"id\":\"g\"}],\n \"users\": [\n{\"id\":\"a\"},\n{\"id\":\"b\"}], \"more\": [{\"id\":\"m\"}]}";
    assert_eq!(good(&records(inside.as_bytes(), Source::Users)), [true, true]);
    assert!(records(b"[]", Source::Users).is_empty());
    assert!(records(b"", Source::Users).is_empty());
}

#[test]
fn elements_are_the_same_however_the_text_is_cut() {
    struct Slow(Cursor<Vec<u8>>);
    impl std::io::Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let some = into.len().min(7);
            std::io::Read::read(&mut self.0, &mut into[..some])
        }
    }
    let text = "[{\"id\":\"ä\\u00e4\"},\n{\"id\":\"b\"}]".as_bytes().to_vec();
    let mut count = 0;
    let stream = Packed::Stream(Box::new(Slow(Cursor::new(text))));
    let mut see = |record: Record| {
        count += usize::from(record.says.is_ok());
        Ok(())
    };
    read(stream, &Gauge::default(), &options(Source::Users), &mut |_| Ok(()), &mut see).expect("a list");
    assert_eq!(count, 2);
}

#[test]
fn marks_and_utf_16_are_understood() {
    let table = "id;name\r\n1;Bj\u{f6}rn \u{1f600}\r\n";
    let units: Vec<u16> = table.encode_utf16().collect();
    let little =
        [&[0xff, 0xfe][..], &units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>()].concat();
    let big =
        [&[0xfe, 0xff][..], &units.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<_>>()].concat();
    let marked = [&[0xef, 0xbb, 0xbf][..], table.as_bytes()].concat();
    for text in [little.clone(), big, marked, table.as_bytes().to_vec(), little[2..].to_vec()] {
        let found = records(&text, Source::Users);
        assert_eq!(good(&found), [true]);
        assert!(format!("{:?}", found[0].says).contains("Bj\u{f6}rn \u{1f600}"));
    }
}

#[test]
fn a_quoted_value_that_does_not_end_is_not_read_into_memory() {
    let table = format!("id,name\n1,\"x{}", "y\n".repeat(4 * 1024 * 1024));
    let (found, why) = records_of(table.as_bytes(), &options(Source::Users));
    assert!(found.is_empty());
    assert!(why.expect("an end").contains("1 MiB"));
    // The twin: one that ends in time.
    let table = format!("id,name\n1,\"x{}\"\n2,b\n", "y\n".repeat(1000));
    assert_eq!(good(&records(table.as_bytes(), Source::Users)), [true, true]);
}

#[test]
fn rows_are_numbered_by_their_lines_and_kept_as_written() {
    let table = "id,name\n1,\"a\nb\"\n\n,nobody\n2,c,too,many\n";
    let found = records(table.as_bytes(), Source::Users);
    assert_eq!(good(&found), [true, false, false]);
    assert_eq!(found.iter().map(|record| record.line).collect::<Vec<_>>()[0], 2);
    assert_eq!(found[2].raw.as_deref(), Some(&b"2,c,too,many"[..]));
}

#[test]
fn what_is_done_is_passed_over() {
    let text = "{\"id\":\"a\"}\nbroken\n{\"id\":\"c\"}\n";
    for done in 0..=3 {
        let (found, _) = records_of(text.as_bytes(), &Options { done, ..options(Source::Users) });
        let numbers: Vec<u64> = found.iter().map(|record| record.number).collect();
        assert_eq!(numbers, (done + 1..=3).collect::<Vec<u64>>());
    }
}

#[test]
fn a_bomb_is_refused() {
    use std::io::Write;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let chunk = vec![b' '; 1024 * 1024];
    for _ in 0..100 {
        bomb.write_all(&chunk).expect("memory");
    }
    let bomb = bomb.finish().expect("memory");
    let (_, why) = records_of(&bomb, &options(Source::Users));
    assert!(why.expect("an end").contains("200 times"));
}

#[test]
fn files_that_cannot_be_read_say_what_to_do() {
    for (bytes, way) in [(&b"PAR1...."[..], "JSON lines"), (&[0x28, 0xb5, 0x2f, 0xfd, 0, 0], "zstd -d")] {
        let why = detect(packed(bytes)).expect_err("no form");
        assert!(why.contains(way), "{why}");
    }
    assert!(detect(packed(b"")).expect_err("nothing").contains("empty"));
}

#[test]
fn forms_are_told_by_their_first_records() {
    let known = [
        (r#"{"format":"usher-export","version":1}"#, Source::Usher),
        (r#"{"type":"track","event":"E","userId":"a"}"#, Source::Segment),
        (r#"{"uuid":"1","event":"E","distinct_id":"a","properties":"{}"}"#, Source::Posthog),
        (r#"{"event":"E","properties":{"time":1,"distinct_id":"a"}}"#, Source::Mixpanel),
        (r#"{"$distinct_id":"a","$properties":{}}"#, Source::Mixpanel),
        (
            r#"{"event_type":"E","device_id":"d","event_time":"2026-01-01 10:00:00.000000"}"#,
            Source::Amplitude,
        ),
        (r#"[{"idVisit":1,"actionDetails":[]}]"#, Source::Matomo),
        (r#"{"user_id":"auth0|1","email":"a@b.c"}"#, Source::Auth0),
        (r#"{"users":[{"localId":"1"}]}"#, Source::Users),
        ("email,name\na@b.c,Ann\n", Source::Users),
    ];
    for (text, source) in known {
        assert_eq!(detect(packed(text.as_bytes())).expect("a form").source, source, "{text}");
    }
    for unknown in [r#"{"a":1}"#, "colour,size\nred,1\n", "hello", "{"] {
        assert!(detect(packed(unknown.as_bytes())).is_err(), "{unknown}");
    }
}

#[test]
fn a_map_must_name_known_fields_once() {
    assert!("userId=id,traits.plan=Plan".parse::<Map>().is_ok());
    for wrong in ["", "userId", "colour=Red", "userId=a,userId=b", "traits.=x"] {
        assert!(wrong.parse::<Map>().is_err(), "{wrong}");
    }
}

#[test]
fn the_order_of_fields_does_not_change_a_records_id() {
    let id = |text: &str| {
        let found = records(text.as_bytes(), Source::Segment);
        let said = format!("{:?}", found[0].says);
        let at = said.find("imp:").expect("an id");
        said[at..at + 36].to_owned()
    };
    let one = id(r#"{"type":"track","event":"E","userId":"a","timestamp":"2026-01-01"}"#);
    assert_eq!(one, id(r#"{"timestamp":"2026-01-01","userId":"a","event":"E","type":"track"}"#));
    assert_ne!(one, id(r#"{"type":"track","event":"E","userId":"b","timestamp":"2026-01-01"}"#));
}
