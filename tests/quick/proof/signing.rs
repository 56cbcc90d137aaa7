//! The key: made once, kept to itself, its public half to be handed out.

use std::fs;

use usher::proof::hex::Hex;
use usher::proof::signing::{Missing, NotAKey, PublicKey, Signer, SigningError};

use super::{signer, stranger};
use crate::common::{mode, names_in};

#[test]
fn a_first_start_makes_a_key_and_each_later_one_finds_it() {
    let dir = crate::common::folder();
    let first = Signer::open(dir.path(), Missing::Make).expect("a key");
    let (secret, public) = (dir.path().join("secrets/signing.key"), dir.path().join("signing.pub"));
    assert_eq!((mode(&secret), mode(&public)), (0o600, 0o644));
    assert_eq!(mode(&dir.path().join("secrets")), 0o700);
    assert_eq!(fs::read(&secret).expect("a secret").len(), 32);
    assert_eq!(names_in(&dir.path().join("secrets")), ["signing.key"]);

    for missing in [Missing::Make, Missing::Refuse] {
        let again = Signer::open(dir.path(), missing).expect("the key");
        assert_eq!(again.public(), first.public());
        assert_eq!(again.sign(b"x"), first.sign(b"x"));
    }
    let other = crate::common::folder();
    assert_ne!(Signer::open(other.path(), Missing::Make).expect("a key").public(), first.public());
}

#[test]
fn a_lost_key_is_made_anew_only_where_nothing_was_signed() {
    let dir = crate::common::folder();
    let first = Signer::open(dir.path(), Missing::Make).expect("a key").public();
    let secret = dir.path().join("secrets/signing.key");
    fs::remove_file(&secret).expect("a file");
    let why = Signer::open(dir.path(), Missing::Refuse).err().expect("a refusal");
    assert!(matches!(why, SigningError::Missing(_)));
    assert!(why.to_string().contains("signing.key is missing") && why.to_string().contains("put it back"));
    assert!(!secret.exists());
    let text = fs::read_to_string(dir.path().join("signing.pub")).expect("a text");
    assert_eq!(text.parse(), Ok(first), "a refusal changes nothing");

    let second = Signer::open(dir.path(), Missing::Make).expect("a key").public();
    assert_ne!(second, first);
    let text = fs::read_to_string(dir.path().join("signing.pub")).expect("a text");
    assert_eq!(text.parse(), Ok(second));
}

#[test]
fn a_damaged_key_is_refused_and_left_as_it_is() {
    let dir = crate::common::folder();
    Signer::open(dir.path(), Missing::Make).expect("a key");
    let secret = dir.path().join("secrets/signing.key");
    for length in [0, 31, 33, 1_000] {
        fs::write(&secret, vec![1; length]).expect("a file");
        let why = Signer::open(dir.path(), Missing::Make).err().expect("a refusal");
        assert!(matches!(why, SigningError::Damaged(_)), "{length}: {why}");
        assert_eq!(fs::read(&secret).expect("a file").len(), length);
    }
}

#[test]
fn a_missing_public_half_is_written_again() {
    let dir = crate::common::folder();
    let own = Signer::open(dir.path(), Missing::Make).expect("a key").public();
    let public = dir.path().join("signing.pub");
    fs::remove_file(&public).expect("a file");
    // As a kill leaves it, in the middle of writing it.
    fs::write(dir.path().join(".signing.pub.new"), "half").expect("a file");
    Signer::open(dir.path(), Missing::Refuse).expect("the key");
    assert_eq!(fs::read_to_string(&public).expect("a text"), own.file_text());
    assert_eq!(names_in(dir.path()), ["secrets", "signing.pub"]);
}

#[test]
fn another_public_half_is_refused_and_left_as_it_is() {
    let dir = crate::common::folder();
    Signer::open(dir.path(), Missing::Make).expect("a key");
    let public = dir.path().join("signing.pub");
    for other in [stranger().public().file_text().into_bytes(), b"no key".to_vec(), vec![0xff]] {
        fs::write(&public, &other).expect("a file");
        let why = Signer::open(dir.path(), Missing::Refuse).err().expect("a refusal");
        assert!(matches!(why, SigningError::OtherPublic(_)), "{why}");
        assert_eq!(fs::read(&public).expect("a file"), other);
    }
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    // Section 7.1, tests 1 to 3: secret, public, message, signature.
    for (secret, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            &b""[..],
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            &[0xaf, 0x82],
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let signer = Signer::of(&secret.parse::<Hex<32>>().expect("hex").0);
        assert_eq!(signer.public().to_string(), public);
        assert_eq!(signer.sign(message).to_string(), signature);
        let public: PublicKey = public.parse().expect("a key");
        assert!(public.verify(message, &signature.parse().expect("hex")));
    }
}

#[test]
fn a_signature_is_good_for_its_own_text_and_key_alone() {
    let (text, key) = (b"gone for good".to_vec(), signer().public());
    let signature = signer().sign(&text);
    assert!(key.verify(&text, &signature));
    assert!(!stranger().public().verify(&text, &signature));
    for n in 0..text.len() {
        let mut other = text.clone();
        other[n] ^= 1;
        assert!(!key.verify(&other, &signature));
    }
    for n in 0..64 {
        let mut other = signature;
        other.0[n] ^= 0x10;
        assert!(!key.verify(&text, &other), "byte {n}");
    }
}

#[test]
fn a_public_key_is_read_from_hex_digits_and_from_its_file() {
    let key = signer().public();
    let text = key.file_text();
    let block = &text[text.find("-----BEGIN").expect("a block")..];
    let hex = key.to_string();
    for good in [&hex, &hex.to_uppercase(), &format!(" {hex}\n"), &text, &text.replace('\n', "\r\n"), block] {
        assert_eq!(good.parse(), Ok(key), "{good}");
    }
    let other = text.replace(&hex, &stranger().public().to_string());
    assert_eq!(other.parse::<PublicKey>(), Err(NotAKey::Two));
    let cut = text.replace("-----END", "----END");
    let short = text.replace("MCow", "");
    for bad in ["", &hex[1..], &hex.replace('a', "g"), &cut, &short, &format!("{text}more")] {
        assert_eq!(bad.parse::<PublicKey>(), Err(NotAKey::Form), "{bad}");
    }
    // The neutral point: under it, a signature could be made for any text.
    let neutral = format!("01{}", "00".repeat(31));
    assert_eq!(neutral.parse::<PublicKey>(), Err(NotAKey::Weak));
}
