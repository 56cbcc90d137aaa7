//! Which bytes of a page are free.

use usher::store::layout::{PAGE, Spot, is_stale, is_stale_trunk, scrub, spot, trunk};

/// A leaf of a table with two cells and a free block between them.
fn leaf() -> Vec<u8> {
    let mut page = vec![0xAA; PAGE];
    page[..8].copy_from_slice(&[13, 0x0F, 0xC0, 0, 2, 0x0F, 0xA0, 0]);
    page[8..12].copy_from_slice(&[0x0F, 0xA0, 0x0F, 0xE0]);
    page[0xFC0..0xFC4].copy_from_slice(&[0, 0, 0, 0x20]);
    page
}

#[test]
fn what_is_free_is_zeroed_and_nothing_else() {
    let mut page = leaf();
    assert_eq!(is_stale(&page, 2), Ok(true));
    assert_eq!(scrub(&mut page, 2), Ok(true));
    assert!(page[12..0xFA0].iter().all(|byte| *byte == 0), "the gap");
    assert!(page[0xFC4..0xFE0].iter().all(|byte| *byte == 0), "the free block");
    assert!(page[0xFA0..0xFC0].iter().chain(&page[0xFE0..]).all(|byte| *byte == 0xAA), "the cells");
    assert_eq!(page[..12], leaf()[..12]);
    assert_eq!(page[0xFC0..0xFC4], [0, 0, 0, 0x20]);
    assert_eq!((scrub(&mut page, 2), is_stale(&page, 2)), (Ok(false), Ok(false)));
}

#[test]
fn every_place_is_named() {
    let page = leaf();
    let at = |offset| spot(&page, 2, offset).expect("a page");
    assert_eq!([at(0), at(11), at(12), at(0xF9F)], [Spot::Structure, Spot::Structure, Spot::Gap, Spot::Gap]);
    assert_eq!([at(0xFA0), at(0xFC4), at(0xFDF)], [Spot::Cell, Spot::Freeblock, Spot::Freeblock]);
    assert_eq!([at(0xFE0), at(PAGE - 1)], [Spot::Cell, Spot::Cell]);
    assert_eq!(spot(&vec![0; PAGE], 2, 100), Ok(Spot::Other));
}

#[test]
fn a_page_that_is_odd_is_left_as_it_is() {
    let damages: [(usize, [u8; 2]); 4] =
        [(5, [0, 9]), (1, [0x0F, 0xFE]), (0xFC2, [0, 3]), (0xFC0, [0x0F, 0xC8])];
    for (at, bytes) in damages {
        let mut page = leaf();
        page[at..at + 2].copy_from_slice(&bytes);
        let before = page.clone();
        assert!(scrub(&mut page, 2).is_err(), "damage at {at}");
        assert_eq!(page, before);
    }
    assert!(scrub(&mut [13; 100], 2).is_err());
}

#[test]
fn behind_a_trunks_leaves_old_page_numbers_alone_are_clean() {
    let mut page = vec![0; PAGE];
    page[..16].copy_from_slice(&[0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 6]);
    assert_eq!(trunk(&page), Ok((9, vec![5, 6], 16)));
    assert_eq!(is_stale_trunk(&page, 9), Ok(false));
    page[16..20].copy_from_slice(&[0, 0, 0, 9]);
    assert_eq!((is_stale_trunk(&page, 9), is_stale_trunk(&page, 8)), (Ok(false), Ok(true)));
    for at in [16, 20, PAGE - 4] {
        let mut page = page.clone();
        page[at..at + 4].copy_from_slice(b"ann@");
        assert_eq!(is_stale_trunk(&page, 1_000_000), Ok(true), "at {at}");
    }
    // It may be full, and no fuller.
    page[4..8].copy_from_slice(&1_022_u32.to_be_bytes());
    assert_eq!(is_stale_trunk(&page, 0), Ok(false));
    page[4..8].copy_from_slice(&1_023_u32.to_be_bytes());
    assert!(is_stale_trunk(&page, 0).is_err());
}
