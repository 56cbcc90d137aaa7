//! The form in which texts are compared.

use proptest::prelude::*;
use usher::find::fold;

#[test]
fn texts_that_people_take_for_one_are_one() {
    let table = [
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ＡＮＮ", "ann"),
        ("ﬁn", "fin"),
        ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ("σίσυφος", "σισυφοσ"),
        ("İstanbul", "istanbul"),
        ("Å", "a"),
        ("\u{212b}", "a"),
        ("Björn", "bjorn"),
        ("Bjo\u{308}rn", "bjorn"),
        ("Nguyễn Thị", "nguyen thi"),
        ("Ёлка", "елка"),
        ("ΐ", "ι"),
        ("①②", "12"),
        // Marks of other scripts make other letters.
        ("\u{304b}\u{3099}", "が"),
        ("한국", "한국"),
        ("क्षि", "क्षि"),
    ];
    for (text, folded) in table {
        assert_eq!(fold(text).as_str(), folded, "{text}");
    }
}

#[test]
fn spaces_and_what_is_not_seen_count_for_nothing() {
    let table = [
        ("  ann \t\n smith ", "ann smith"),
        ("ann\u{a0}\u{3000}smith", "ann smith"),
        ("a\u{200e}n\u{200b}n\u{ad}", "ann"),
        ("\u{202e}nna\u{202c}", "nna"),
        ("a\u{1}b\u{0}c\u{7f}", "a b c"),
        ("\u{feff}", ""),
        ("\u{1}", ""),
        ("ÿ", "y"),
    ];
    for (text, folded) in table {
        assert_eq!(fold(text).as_str(), folded, "{text:?}");
    }
}

/// Letters of the scripts that names are mostly written with.
fn letters() -> impl Strategy<Value = String> {
    let letter = prop_oneof![0x41u32..0x7b, 0xc0u32..0x250, 0x370u32..0x530];
    let letter = letter.prop_filter_map("a letter", |code| {
        char::from_u32(code).filter(|c| c.is_alphabetic() && *c != '\u{37a}')
    });
    proptest::collection::vec(letter, 1..20).prop_map(|letters| letters.into_iter().collect())
}

proptest! {
    /// A letter of Korean makes it look at the whole text, the fast way goes letter by letter.
    #[test]
    fn the_fast_way_folds_as_the_slow_one_does(text in letters()) {
        let (slow, fast) = (fold(&format!("{text}가")).to_string(), fold(&text).to_string());
        prop_assert_eq!(slow, format!("{fast}가"));
    }

    #[test]
    fn nothing_that_marks_places_is_left(text in any::<String>()) {
        let folded = fold(&text);
        prop_assert!(!folded.chars().any(char::is_control), "{folded:?}");
        prop_assert_eq!(folded.trim(), folded.as_str());
    }

    #[test]
    fn letters_are_folded_once_and_for_all(text in letters()) {
        let folded = fold(&text);
        let again = fold(&folded).to_string();
        prop_assert_eq!(again, folded.to_string());
    }
}
