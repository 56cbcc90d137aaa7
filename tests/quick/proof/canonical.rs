//! One value, one text.

use proptest::prelude::*;
use serde_json::{Value, json};
use usher::proof::canonical::{What, parse, place, text};

#[test]
fn names_stand_in_the_order_of_their_utf16_code_units() {
    // The example of RFC 8785, section 3.2.3.
    let value = json!({
        "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
        "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
        "\u{f6}": "Latin Small Letter O With Diaeresis",
    });
    let told = text(&value).expect("a text");
    let order = ["\"\\r\":", "\"1\":", "\"\u{80}\":", "\"ö\":", "\"€\":", "\"\u{1f600}\":", "\"\u{fb33}\":"];
    let places: Vec<usize> = order.iter().map(|name| told.find(name).expect("a name")).collect();
    assert!(places.is_sorted(), "{told}");
    // By bytes it would be another order.
    assert!("\u{1f600}" > "\u{fb33}");
}

#[test]
fn texts_have_the_shortest_escapes() {
    // The example of RFC 8785, section 3.2.2.
    let given = r#"{"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"}"#;
    let value: Value = serde_json::from_str(given).expect("JSON");
    assert_eq!(text(&value).expect("a text"), r#"{"string":"€$\u000f\nA'B\"\\\\\"/"}"#);
    for code in 0..0x20_u8 {
        let told = text(&json!(char::from(code).to_string())).expect("a text");
        assert_eq!(told, serde_json::to_string(&char::from(code).to_string()).expect("JSON"));
    }
}

#[test]
fn numbers_are_integers_that_a_double_holds() {
    for good in [0, 1, -1, 9_007_199_254_740_991_i64, -9_007_199_254_740_991] {
        assert_eq!(text(&json!(good)).expect("a text"), good.to_string());
        assert_eq!(parse(good.to_string().as_bytes()), Ok(json!(good)));
    }
    let bad = ["1.0", "1.5", "1e3", "1E3", "-0", "0.0", "9007199254740992", "-9007199254740992"];
    for bad in bad.into_iter().chain(["18446744073709551615", "99999999999999999999999", "1e400"]) {
        let given = format!("{{\"a\":[1,{{\"b\":{bad}}}]}}");
        let fault = parse(given.as_bytes()).expect_err(bad);
        assert_eq!(fault.field, "a[1].b", "{bad}");
        assert!(matches!(fault.what, What::NotInteger | What::NotJson), "{bad}: {fault}");
    }
    assert_eq!(text(&json!({"a": {"b": 0.5}})).expect_err("a fraction").field, "a.b");
}

#[test]
fn another_spelling_of_a_value_is_refused_by_its_field() {
    let good = r#"{"a":{"b":"é","c":[1,2]},"d":true}"#;
    assert!(parse(good.as_bytes()).is_ok());
    for (other, field) in [
        (r#" {"a":{"b":"é","c":[1,2]},"d":true}"#, ""),
        (r#"{"a":{"b":"é","c":[1,2]},"d":true} "#, "d"),
        (r#"{"a":{"b":"é","c":[1, 2]},"d":true}"#, "a.c[1]"),
        (r#"{"a":{"b":"\u00e9","c":[1,2]},"d":true}"#, "a.b"),
        (r#"{"d":true,"a":{"b":"é","c":[1,2]}}"#, ""),
        (r#"{"a":{"c":[1,2],"b":"é"},"d":true}"#, "a"),
        (r#"{"a":{"b":"é","c":[1,2]},"d":false,"d":true}"#, "d"),
    ] {
        let fault = parse(other.as_bytes()).expect_err(other);
        assert_eq!(fault.what, What::NotCanonical, "{other}");
        // A field after which something stands that should not, or in which it stands.
        assert!(fault.field.trim_end() == field || fault.field.is_empty(), "{other}: {fault}");
    }
    assert_eq!(parse(br#"{"a":"#).expect_err("a part").what, What::CutShort);
    assert_eq!(parse(b"{\"a\":\"\xff\"}").expect_err("no UTF-8").field, "a");
    assert_eq!(parse(b"").expect_err("nothing").what, What::CutShort);
    assert_eq!(parse(br#"{"a":"\ud800"}"#).expect_err("half a character").what, What::NotJson);
}

#[test]
fn a_byte_is_placed_in_its_field_also_in_a_broken_text() {
    let given = br#"{"a":{"b\"":"x","c":[{"d":1},{"d":2}]},"e":"f"}"#;
    for (needle, field) in [("x", "a.b\\\""), ("1}", "a.c[0].d"), ("2}", "a.c[1].d"), ("f\"", "e")] {
        let at = given.windows(needle.len()).position(|part| part == needle.as_bytes()).expect("a place");
        assert_eq!(place(given, at), field);
        assert_eq!(place(&given[..=at], at), field);
    }
    assert_eq!(place(given, 0), "");
    assert_eq!(place(b"]]},,", 5), "");
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991..=9_007_199_254_740_991_i64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same_and_no_other_text_is_read(value in values(), at: usize) {
        let told = text(&value).expect("a text");
        prop_assert_eq!(parse(told.as_bytes()).expect("a value"), value.clone());
        let pretty = serde_json::to_string_pretty(&value).expect("JSON");
        prop_assert_eq!(parse(pretty.as_bytes()).is_ok(), pretty == told);
        // A space between any two bytes is another text, or another value.
        let at = (at % (told.len() + 1)..=told.len()).find(|at| told.is_char_boundary(*at)).expect("an end");
        let spaced = format!("{} {}", &told[..at], &told[at..]);
        prop_assert!(parse(spaced.as_bytes()).ok() != Some(value));
    }
}
