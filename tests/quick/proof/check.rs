//! One receipt: whatever is changed in it is found, and said.

use serde_json::{Value, json};
use usher::proof::canonical;
use usher::proof::check::{BYTES_MAX, What, check_one};
use usher::proof::figures::Kept;
use usher::proof::hex::Hex;
use usher::proof::receipt::{Token, is_subject, of_file_name, subject};
use usher::proof::signing::Signer;

use super::{ANN, SALT, at, draft, first, kept, leaves, receipt, signer, stranger, token};

fn value() -> Value {
    serde_json::from_slice(&receipt(1).bytes()).expect("JSON")
}

fn bytes(value: &Value) -> Vec<u8> {
    canonical::text(value).expect("a text").into_bytes()
}

/// With a signature of its own, as if it had been made like this.
fn signed(mut value: Value, by: &Signer) -> Vec<u8> {
    value["key"] = json!(by.public().hex());
    let fields = value.as_object_mut().expect("an object");
    fields.remove("signature");
    let signature = by.sign(&bytes(&value));
    value["signature"] = json!(signature);
    bytes(&value)
}

fn fault(bytes: &[u8]) -> (What, Vec<String>) {
    let fault = check_one(bytes, &signer().public()).expect_err("a fault");
    let fields: Vec<String> = fault.fields.iter().map(|fault| fault.field.clone()).collect();
    let said = fault.to_string();
    assert!(fields.iter().all(|field| said.contains(&format!("`{field}`"))), "{said}");
    (fault.what, fields)
}

#[test]
fn a_receipt_is_read_as_it_was_made_and_is_written_the_same() {
    let made = receipt(1);
    let bytes = made.bytes();
    let read = check_one(&bytes, &signer().public()).expect("a receipt");
    assert_eq!(read, made);
    assert_eq!(read.bytes(), bytes);
    let (text, leaves) = leaves(&value());
    assert_eq!(text.as_bytes(), bytes, "the test makes the same text in its own way");
    assert_eq!(leaves.len(), 44, "each field of the format, and two kinds of rows that went");
    assert_eq!(signed(value(), &signer()), bytes, "and the same signature");
}

#[test]
fn a_byte_flipped_anywhere_is_found() {
    let (text, leaves) = leaves(&value());
    let (mut named, mut unnamed) = (0, 0);
    let mut fields_named: Vec<&str> = Vec::new();
    for place in 0..text.len() {
        let home = leaves.iter().find(|(_, range)| range.contains(&place)).map(|(field, _)| field.as_str());
        for bit in [0x01, 0x04, 0x40, 0x80] {
            let mut flipped = text.clone().into_bytes();
            flipped[place] ^= bit;
            let (what, fields) = fault(&flipped);
            let at = match &what {
                What::NotJson(fault) | What::NotCanonical(fault) => Some(fault.field.clone()),
                _ => None,
            };
            let Some(home) = home else { continue };
            match (at, fields.as_slice()) {
                (Some(at), _) => assert_eq!(at, home, "byte {place} ^ {bit}: {what:?}"),
                (None, []) => {
                    assert_eq!(what, What::Signature, "byte {place} ^ {bit}");
                    unnamed += 1;
                    continue;
                }
                (None, fields) => assert_eq!(fields, [home], "byte {place} ^ {bit}: {what:?}"),
            }
            named += 1;
            if fields_named.last() != Some(&home) {
                fields_named.push(home);
            }
        }
    }
    // Of every field some flip is told by its name: by its form, or by where the text breaks.
    assert_eq!(fields_named, leaves.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>());
    assert!(named > unnamed, "{named} named, {unnamed} by the signature alone");
}

#[test]
fn a_field_of_another_form_is_named_signed_or_not() {
    let whole = value();
    for (field, range) in leaves(&whole).1 {
        for wrong in [json!(null), json!([]), json!({}), json!(-1), json!(""), json!("\u{7}"), json!(false)] {
            let mut other = whole.clone();
            *at(&mut other, &field) = wrong.clone();
            let (what, fields) = fault(&bytes(&other));
            assert_eq!(
                (what, fields.as_slice()),
                (What::Signature, &[field.clone()][..]),
                "{field}: {wrong}"
            );
            if !matches!(field.as_str(), "key" | "signature") {
                let (what, fields) = fault(&signed(other, &signer()));
                assert_eq!((what, fields.as_slice()), (What::Form, &[field.clone()][..]), "{field}: {wrong}");
            }
        }
        assert!(!range.is_empty());
    }
    for group in ["asked", "done", "counts", "since", "stays", "evidence", "ledger", "audit", "backups"] {
        let mut other = whole.clone();
        other[group] = json!("x");
        assert_eq!(fault(&signed(other, &signer())), (What::Form, vec![group.to_owned()]));
    }
}

#[test]
fn a_field_too_few_or_too_many_is_named() {
    let whole = value();
    for (field, _) in leaves(&whole).1 {
        let (parent, name) = field.rsplit_once('.').unwrap_or(("", &field));
        let holder = |value: &'_ mut Value| match parent {
            "" => value.as_object_mut().expect("an object").clone(),
            parent => at(value, parent).as_object_mut().expect("an object").clone(),
        };
        let put = |fields| {
            let mut other = whole.clone();
            match parent {
                "" => other = Value::Object(fields),
                parent => *at(&mut other, parent) = Value::Object(fields),
            }
            other
        };
        let mut fewer = holder(&mut whole.clone());
        fewer.remove(name);
        let (_, fields) = fault(&bytes(&put(fewer)));
        assert_eq!(fields.as_slice(), std::slice::from_ref(&field));

        let mut more = holder(&mut whole.clone());
        more.insert("more".into(), json!(1));
        let (what, fields) = fault(&signed(put(more), &signer()));
        let more = if parent.is_empty() { "more".to_owned() } else { format!("{parent}.more") };
        assert_eq!((what, fields), (What::Form, vec![more]));
    }
}

/// The twin: what is signed by the key and of the right form is accepted, whatever it says.
#[test]
fn changes_are_accepted_where_the_key_itself_signed_them() {
    for (field, other) in [
        ("number", json!(9_007_199_254_740_991_u64)),
        ("id", json!("00".repeat(16))),
        ("asked.erasure", json!("account")),
        ("asked.origin", json!("reaper")),
        ("asked.at", json!(253_402_300_799_999_i64)),
        ("counts[0].rows", json!(0)),
        ("counts", json!([])),
        ("stays", json!([])),
        ("backups", json!([])),
        ("stays[0].why", json!("ü".repeat(500))),
        ("mentions_of", json!("some rows")),
    ] {
        let mut changed = value();
        *at(&mut changed, field) = other.clone();
        assert_eq!(fault(&bytes(&changed)).0, What::Signature, "{field}");
        let read = check_one(&signed(changed, &signer()), &signer().public()).expect(field);
        let mut read: Value = serde_json::from_slice(&read.bytes()).expect("JSON");
        assert_eq!(*at(&mut read, field), other);
    }
    for (field, other) in [
        ("number", json!(0)),
        ("asked.erasure", json!("hide")),
        ("asked.at", json!(253_402_300_800_000_i64)),
        ("stays[0].why", json!("ü".repeat(501))),
        ("subject", json!("AB".repeat(32))),
        ("mentions_of", json!("no rows")),
        ("evidence.method", json!("")),
    ] {
        let mut changed = value();
        *at(&mut changed, field) = other;
        assert_eq!(fault(&signed(changed, &signer())), (What::Form, vec![field.to_owned()]));
    }
}

#[test]
fn a_receipt_of_another_key_is_told_from_a_changed_one() {
    let theirs = signed(value(), &stranger());
    assert_eq!(fault(&theirs), (What::OtherKey(stranger().public().hex()), vec![]));
    assert!(check_one(&theirs, &stranger().public()).is_ok());
    // It only says so.
    let mut changed = value();
    changed["key"] = json!(stranger().public().hex());
    assert_eq!(fault(&bytes(&changed)), (What::Signature, vec!["key".to_owned()]));
}

#[test]
fn a_later_version_is_told_from_a_fault() {
    let mut later = value();
    later["version"] = json!(3);
    later["more"] = json!("than we know");
    assert_eq!(fault(&signed(later.clone(), &signer())), (What::Newer(3), vec![]));
    assert_eq!(fault(&bytes(&later)).0, What::Signature);
    let mut other = value();
    other["format"] = json!("usher-audit-head");
    assert_eq!(fault(&signed(other, &signer())), (What::Form, vec!["format".to_owned()]));
}

#[test]
fn a_receipt_cut_or_lengthened_anywhere_is_refused() {
    let whole = receipt(1).bytes();
    for length in 0..whole.len() {
        let (what, _) = fault(&whole[..length]);
        assert!(matches!(what, What::NotJson(_)), "{length}: {what:?}");
    }
    for more in [&b"\n"[..], b" ", b"}", b"\0", b"{}"] {
        let (what, _) = fault(&[&whole[..], more].concat());
        assert!(matches!(what, What::NotJson(_) | What::NotCanonical(_)), "{more:?}: {what:?}");
    }
    for nothing in ["[]", "{}", "null", "1", "\"\""] {
        assert!(check_one(nothing.as_bytes(), &signer().public()).is_err());
    }
    assert_eq!(fault(&vec![b' '; BYTES_MAX + 1]).0, What::TooLarge);
}

#[test]
fn nothing_is_signed_that_a_receipt_may_not_say() {
    let seal = |change: fn(&mut usher::proof::draft::Draft)| {
        let mut draft = draft(1);
        change(&mut draft);
        draft.seal(&signer(), first())
    };
    assert!(seal(|_| {}).is_ok());
    let fields = |sealed: Result<Kept, Vec<usher::proof::form::FormatError>>| {
        let faults = sealed.expect_err("faults");
        faults.into_iter().map(|fault| fault.field).collect::<Vec<_>>()
    };
    assert_eq!(fields(seal(|draft| draft.scan.found = 1)), ["figures.scan.found"]);
    assert_eq!(fields(seal(|draft| draft.checkpoint.truncated = false)), ["figures.checkpoint.truncated"]);
    assert_eq!(fields(seal(|draft| draft.asked.erasure = usher::model::Erasure::Hide)), ["asked.erasure"]);
    assert_eq!(fields(seal(|draft| draft.counts[1].label.clear())), ["counts[1].label"]);
    assert_eq!(fields(seal(|draft| draft.done.erased_at = -1)), ["done.erased_at"]);
    assert_eq!(fields(seal(|draft| draft.mentions = 1 << 53)), ["mentions"]);
}

#[test]
fn figures_are_good_with_their_own_receipt_alone() {
    let key = signer().public();
    let whole: Value = serde_json::from_slice(&kept(1).bytes()).expect("JSON");
    let read = check_one(&bytes(&whole), &key).expect("a receipt");
    assert_eq!((read.place, read.ledger.seq, read.audit.seq), (Some(1), Some(41), Some(1_204)));
    assert_eq!(read.scan, Some(draft(1).scan));
    for (field, range) in leaves(&whole["figures"]).1 {
        assert!(!range.is_empty());
        let mut other = whole.clone();
        let value = at(&mut other["figures"], &field);
        *value = match &value {
            Value::Number(number) => json!(number.as_u64().expect("a number") + 1),
            Value::String(text) if text == "changed pages" => json!("whole files"),
            Value::String(text) => json!("1".repeat(text.len())),
            _ => json!(false),
        };
        let (what, fields) = fault(&bytes(&other));
        let theirs = format!("figures.{field}");
        assert_eq!(what, What::Form, "{field}");
        assert!(fields == ["figures"] || fields == [theirs.clone()], "{field}: {fields:?}");
    }
    let other: Value = serde_json::from_slice(&kept(2).bytes()).expect("JSON");
    let swapped = json!({ "figures": other["figures"], "receipt": whole["receipt"] });
    assert_eq!(fault(&bytes(&swapped)), (What::Form, vec!["figures".to_owned()]));
}

#[test]
fn the_token_shows_whose_receipt_it_is() {
    let receipt = receipt(1);
    assert!(is_subject(&receipt, &SALT, ANN));
    assert!(!is_subject(&receipt, &SALT, "ann+test@example.com/ä"));
    assert!(!is_subject(&receipt, &SALT, ""));
    let mut salt = SALT;
    salt[31] ^= 1;
    assert!(!is_subject(&receipt, &salt, ANN));
    assert_ne!(subject(&[b'a'; 32], "ab"), subject(&[b'a'; 32], "b"));
    // Of neither name nor salt is anything in the receipt.
    let text = String::from_utf8(receipt.bytes()).expect("UTF-8");
    assert!(!text.contains("example.com") && !text.contains(&Hex(SALT).to_string()));
}

#[test]
fn a_token_reads_back_and_keeps_its_salt_from_the_log() {
    let shown = token(1).to_string();
    assert_eq!(shown, format!("{}.{}", "01".repeat(16), "a5".repeat(32)));
    assert_eq!(shown.parse(), Ok(token(1)));
    assert!(!format!("{:?}", token(1)).contains("a5a5"));
    let upper = shown.to_uppercase();
    for bad in [
        "",
        ".",
        &shown[1..],
        &shown[..shown.len() - 1],
        &upper,
        &shown.replace('.', ""),
        &shown.replace('.', ".."),
    ] {
        assert!(bad.parse::<Token>().is_err(), "{bad}");
    }
}

#[test]
fn a_number_has_one_file_name() {
    let id = Hex([1; 16]);
    for (name, is) in [
        (format!("000001-{id}.json"), Some((1, id))),
        (format!("1000000-{id}.json"), Some((1_000_000, id))),
        (format!("1-{id}.json"), None),
        (format!("000000-{id}.json"), None),
        (format!("0000001-{id}.json"), None),
        (format!("+00001-{id}.json"), None),
        (format!("000001-{id}.JSON"), None),
        (format!(".000001-{id}.json.new"), None),
    ] {
        assert_eq!(of_file_name(&name), is, "{name}");
    }
}
