//! What is in an export comes from the data inventory: nothing that is held of a person is forgotten.

use usher::export::contents::{PARTS, Place, all_gaps, gaps};
use usher::export::tables::cell;
use usher::store::data_inventory::{Subject, TABLES};

#[test]
fn every_column_about_a_person_has_its_place() {
    assert_eq!(all_gaps(), Vec::<String>::new());
}

/// The twin: a table that the inventory has no more, or never had, is noticed from either side.
#[test]
fn a_column_that_the_inventory_lacks_is_noticed() {
    let without = TABLES.iter().filter(|table| table.name != "events");
    let missing = gaps(without);
    assert!(missing.contains(&"events.url".to_owned()), "{missing:?}");
    let about_people = TABLES.iter().filter(|table| table.subject != Subject::Nobody).count();
    assert_eq!(about_people, PARTS.len());
}

#[test]
fn what_is_left_out_has_a_reason() {
    for part in PARTS {
        for (column, place) in part.columns {
            if let Place::LeftOut(why) = place {
                assert!(why.len() > 5, "{}.{column}", part.table);
            }
        }
    }
}

#[test]
fn a_cell_is_no_formula() {
    for (text, wanted) in [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@cmd", "'@cmd"),
        ("\tx", "'\tx"),
        ("\rx", "\"'\rx\""),
        ("a=b", "a=b"),
        ("", ""),
        ("a,b", "\"a,b\""),
        ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ("two\nlines", "\"two\nlines\""),
    ] {
        assert_eq!(cell(text), wanted);
    }
}
