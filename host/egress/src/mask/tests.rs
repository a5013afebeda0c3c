//! A secret, however it is written, and wherever.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;

fn mask(secrets: &[(&str, &str)]) -> Mask {
    secrets.iter().fold(Mask::default(), |mask, (name, value)| {
        let value = Value::new(Zeroizing::new(value.as_bytes().to_vec())).unwrap();
        mask.with(&name.parse().unwrap(), &value).unwrap()
    })
}

fn masked(secrets: &[(&str, &str)], text: &str) -> String {
    String::from_utf8(mask(secrets).apply(text.as_bytes()).into_owned()).unwrap()
}

/// Whether the bytes are somewhere in the text.
fn has(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

const SOME: AsciiSet = CONTROLS.add(b'+').add(b'/').add(b'%').add(b'&').add(b'"');

/// Ways to write bytes; what stands before and after is part of it, as in `user:password`.
fn written(way: usize, before: &[u8], value: &[u8], after: &[u8]) -> Vec<u8> {
    let whole = [before, value, after].concat();
    let around = |middle: String| [before, middle.as_bytes(), after].concat();
    let json = |plain: fn(u8) -> bool| {
        let write = |byte: &u8| match *byte {
            byte if plain(byte) => char::from(byte).to_string(),
            byte @ (b'"' | b'\\' | b'/') => format!("\\{}", char::from(byte)),
            byte => format!("\\u{byte:04X}"),
        };
        value.iter().map(write).collect::<String>()
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    match way {
        0 => whole,
        1 => STANDARD.encode(whole).into_bytes(),
        2 => STANDARD_NO_PAD.encode(whole).into_bytes(),
        3 => URL_SAFE.encode(whole).into_bytes(),
        4 => URL_SAFE_NO_PAD.encode(whole).into_bytes(),
        5 => percent_encode(&whole, NON_ALPHANUMERIC)
            .to_string()
            .into_bytes(),
        6 => percent_encode(&whole, &SOME).to_string().into_bytes(),
        7 => whole
            .iter()
            .map(|b| format!("%{b:02x}"))
            .collect::<String>()
            .into_bytes(),
        8 => hex(&whole).into_bytes(),
        9 => hex(&whole).to_uppercase().into_bytes(),
        10 => around(json(|byte| !b"\"\\/".contains(&byte))),
        11 => around(json(|byte| byte.is_ascii_alphanumeric())),
        12 => around(json(|_| false)),
        13 => percent_encode(STANDARD.encode(whole).as_bytes(), NON_ALPHANUMERIC)
            .to_string()
            .into_bytes(),
        14 => STANDARD.encode(whole).replace('/', "\\/").into_bytes(),
        15 => format!("Bearer {}", String::from_utf8_lossy(value)).into_bytes(),
        _ => format!("Basic {}", STANDARD.encode([b"user:", value].concat())).into_bytes(),
    }
}

const WAYS: usize = 17;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Not as it was written, not as it is, and not in what the base64 of the rest decodes to.
    #[test]
    fn a_secret_planted_anywhere_is_never_in_the_output(
        value in "[!-~]{8,48}",
        way in 0..WAYS,
        before in prop::collection::vec(any::<u8>(), 0..40),
        after in prop::collection::vec(any::<u8>(), 0..40),
        left in "[ -~]{0,40}",
        right in "[ -~]{0,40}",
    ) {
        // What stands right before must not begin an escape; `\` and `%` change what follows them.
        let before: Vec<u8> = before.into_iter().filter(|b| !b"%\\".contains(b)).collect();
        let text = [
            left.replace(['%', '\\'], " ").as_bytes(),
            b" ",
            &written(way, &before, value.as_bytes(), &after),
            b" ",
            right.as_bytes(),
        ]
        .concat();
        let mask = mask(&[("name", &value)]);
        let output = mask.apply(&text);
        prop_assert!(has(&output, b"[secret:name]"), "way {way}");
        let output = output.into_owned();
        for way in 0..WAYS {
            let form = written(way, b"", value.as_bytes(), b"");
            prop_assert!(!has(&output, &form), "way {way}");
        }
        // Nothing more is found in what is left.
        prop_assert!(matches!(mask.apply(&output), Cow::Borrowed(_)));
    }

    /// What stands around it stays.
    #[test]
    fn only_the_secret_is_taken_out(left in "[ -~]{0,60}", right in "[ -~]{0,60}") {
        let text = format!("{left} 0123456789abcdef {right}");
        let expected = format!("{left} [secret:name] {right}");
        prop_assert_eq!(masked(&[("name", "0123456789abcdef")], &text), expected);
    }

    #[test]
    fn bytes_without_a_secret_are_not_touched(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mask = mask(&[("name", "0123456789abcdef")]);
        prop_assert!(matches!(mask.apply(&bytes), Cow::Borrowed(same) if same == bytes));
    }
}

#[test]
fn each_secret_has_its_mark() {
    let secrets = [("one", "aaaaaaaaaa"), ("two", "bbbbbbbbbb")];
    let text = "<aaaaaaaaaa,bbbbbbbbbb,aaaaaaaaa>";
    assert_eq!(
        masked(&secrets, text),
        "<[secret:one],[secret:two],aaaaaaaaa>"
    );
}

#[test]
fn overlapping_secrets_become_one_mark() {
    let secrets = [
        ("one", "abcdefghij"),
        ("two", "fghijklmno"),
        ("in", "cdefghij"),
    ];
    assert_eq!(masked(&secrets, "<abcdefghijklmno>"), "<[secret:one]>");
    assert_eq!(
        masked(&[("one", "aaaaaaaa")], "<aaaaaaaaaaaaa>"),
        "<[secret:one]>"
    );
}

#[test]
fn without_a_secret_nothing_is_searched() {
    assert!(matches!(
        Mask::default().apply(b"anything"),
        Cow::Borrowed(_)
    ));
}

/// In base64 the characters at both ends hold bits of the secret and of what stands beside it.
#[test]
fn no_bits_of_a_secret_stay_at_its_ends() {
    for (before, after, expected) in [
        ("", "", "[secret:k]="),
        ("", "zzzz", "[secret:k]6enp6"),
        ("a", "", "Y[secret:k]"),
        ("ab", "", "YW[secret:k]=="),
        ("abc", "", "YWJj[secret:k]="),
    ] {
        let text = STANDARD.encode(format!("{before}01234567{after}"));
        assert_eq!(masked(&[("k", "01234567")], &text), expected, "{text}");
    }
}
