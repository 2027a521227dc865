//! Two versions of a type each, and what is refused.

use std::collections::BTreeMap;

use super::Rewrite;
use crate::data::{Data, Field, Schema, from_bytes, to_bytes};
use crate::error::ErrorKind;

mod v1 {
    #[derive(Clone, thalweg_derive::Data)]
    #[data(crate = "crate")]
    pub struct Order {
        pub id: u32,
        pub note: String,
        pub price: f32,
        pub kind: Kind,
        pub parts: Vec<Part>,
    }

    #[derive(Clone, thalweg_derive::Data)]
    #[data(crate = "crate")]
    pub enum Kind {
        Retail,
        Bulk { boxes: u8 },
        Gift(String),
    }

    #[derive(Clone, thalweg_derive::Data)]
    #[data(crate = "crate")]
    pub struct Part(pub u16, pub String);
}

mod v2 {
    #[derive(Clone, Debug, PartialEq, thalweg_derive::Data)]
    #[data(crate = "crate", alias = "Order")]
    pub struct Purchase {
        #[data(default)]
        pub tags: Vec<String>,
        pub kind: Kind,
        #[data(alias = "number", alias = "id")]
        pub key: i64,
        pub price: Option<f64>,
        #[data(default = 7)]
        pub version: u16,
        pub parts: Vec<Part>,
        pub parent: Option<u64>,
    }

    #[derive(Clone, Debug, PartialEq, thalweg_derive::Data)]
    #[data(crate = "crate")]
    pub enum Kind {
        #[data(alias = "Gift")]
        Present(String),
        Retail,
        Sample,
        Bulk {
            boxes: u32,
        },
    }

    #[derive(Clone, Debug, PartialEq, thalweg_derive::Data)]
    #[data(crate = "crate")]
    pub struct Part(pub u64, pub String, pub Option<bool>);
}

#[test]
fn a_value_of_the_older_type_is_read_as_one_of_the_newer() {
    let order = |kind| v1::Order {
        id: u32::MAX,
        note: "gone".to_owned(),
        price: 0.5,
        kind,
        parts: vec![v1::Part(3, "a".to_owned()), v1::Part(4, "b".to_owned())],
    };
    let purchase = |kind| v2::Purchase {
        tags: Vec::new(),
        kind,
        key: i64::from(u32::MAX),
        price: Some(0.5),
        version: 7,
        parts: vec![
            v2::Part(3, "a".to_owned(), None),
            v2::Part(4, "b".to_owned(), None),
        ],
        parent: None,
    };
    let rewrite = Rewrite::between(&v1::Order::schema(), &v2::Purchase::schema())
        .unwrap()
        .unwrap();
    let kinds = [
        (v1::Kind::Retail, v2::Kind::Retail),
        (v1::Kind::Bulk { boxes: 9 }, v2::Kind::Bulk { boxes: 9 }),
        (
            v1::Kind::Gift("to".to_owned()),
            v2::Kind::Present("to".to_owned()),
        ),
    ];
    for (before, after) in kinds {
        let stored = to_bytes(&order(before));
        let read: v2::Purchase = from_bytes(&rewrite.apply(&stored).unwrap()).unwrap();
        assert_eq!(read, purchase(after));
        for end in 0..stored.len() {
            let error = rewrite.apply(&stored[..end]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {end}");
        }
        let longer = [stored.as_slice(), &[0]].concat();
        assert!(rewrite.apply(&longer).is_err());
    }
}

#[test]
fn negative_numbers_keep_their_sign_and_unsigned_ones_their_size() {
    let read = |stored: Vec<u8>, from: Schema, to: Schema| {
        let rewrite = Rewrite::between(&from, &to).unwrap().unwrap();
        rewrite.apply(&stored).unwrap()
    };
    let bytes = read(to_bytes(&-2i8), i8::schema(), i128::schema());
    assert_eq!(from_bytes::<i128>(&bytes).unwrap(), -2);
    let bytes = read(to_bytes(&200u8), u8::schema(), i16::schema());
    assert_eq!(from_bytes::<i16>(&bytes).unwrap(), 200);
    let bytes = read(to_bytes(&u32::MAX), u32::schema(), u64::schema());
    assert_eq!(from_bytes::<u64>(&bytes).unwrap(), u64::from(u32::MAX));
}

#[test]
fn new_names_alone_leave_the_bytes_as_they_are() {
    #[derive(Clone, thalweg_derive::Data)]
    #[data(crate = "crate", alias = "Part")]
    struct Piece(#[data(alias = "amount")] u16, String);
    let rewrite = Rewrite::between(&v1::Part::schema(), &Piece::schema()).unwrap();
    assert!(rewrite.is_none(), "{rewrite:?}");
    Rewrite::check_key(&v1::Part::schema(), &Piece::schema()).unwrap();
}

fn shape(fields: &[(&str, Schema)]) -> Schema {
    let fields = fields
        .iter()
        .map(|(name, schema)| Field::new(*name, schema.clone()));
    Schema::Struct("S".into(), fields.collect())
}

fn refused(writer: &Schema, reader: &Schema) -> String {
    match Rewrite::between(writer, reader) {
        Ok(way) => panic!("not refused: {way:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_type_that_cannot_be_read_is_refused_by_the_path_of_its_field_and_both_types() {
    let refusals = [
        (u64::schema(), u32::schema(), "stored as u64, now u32"),
        (i32::schema(), u64::schema(), "stored as i32, now u64"),
        (i32::schema(), f64::schema(), "stored as i32, now f64"),
        (f64::schema(), f32::schema(), "stored as f64, now f32"),
        (
            Option::<u8>::schema(),
            u8::schema(),
            "stored as option of u8, now u8",
        ),
        (
            bool::schema(),
            Option::<String>::schema(),
            "stored as bool, now option of text",
        ),
        (
            <(u8, Vec<(u16, String)>)>::schema(),
            <(u8, Vec<(u16, u64)>)>::schema(),
            "field `1[].1`: stored as text, now u64",
        ),
        (
            shape(&[("by", BTreeMap::<u8, i8>::schema())]),
            shape(&[("by", BTreeMap::<u8, bool>::schema())]),
            "field `by[value]`: stored as i8, now bool",
        ),
        (
            v1::Part::schema(),
            v2::Purchase::schema(),
            "stored as struct `Part`, now struct `Purchase`; if it was renamed, say so: \
             `#[data(alias = \"Part\")]`",
        ),
        (
            v1::Part::schema(),
            <(u16, String)>::schema(),
            "stored as struct `Part`, now tuple",
        ),
    ];
    for (writer, reader, expected) in refusals {
        assert_eq!(refused(&writer, &reader), expected);
    }
}

#[test]
fn a_field_without_a_default_and_a_variant_that_is_gone_are_refused() {
    let text = refused(
        &shape(&[("s", shape(&[]))]),
        &shape(&[("s", shape(&[("n", u8::schema())]))]),
    );
    assert_eq!(
        text,
        "field `s.n`: not stored, now u8, without a default: `#[data(default)]` gives it one, \
         `#[data(alias = \"…\")]` an older name"
    );
    let Schema::Enum(name, mut variants) = v1::Kind::schema() else {
        panic!("an enum");
    };
    variants.pop();
    let text = refused(&v1::Kind::schema(), &Schema::Enum(name, variants));
    assert_eq!(
        text,
        "field `Gift`: a variant that is stored and now gone: keep it, or give the one that takes \
         its place `#[data(alias = \"…\")]`"
    );
}

#[test]
fn keys_of_a_map_may_grow_but_not_become_equal() {
    let map = |key: Schema| Schema::Map(Box::new(key), Box::new(Schema::Unit));
    let pair = shape(&[("a", u8::schema()), ("b", u8::schema())]);
    let one = shape(&[("b", u8::schema())]);
    assert_eq!(
        refused(&map(pair), &map(one)),
        "field `[key].a`: stored and now gone, which could make two keys one"
    );
    let Schema::Enum(name, mut variants) = v1::Kind::schema() else {
        panic!("an enum");
    };
    let merged = variants.remove(0);
    variants[1].name = variants[1].name.clone().alias(&merged.name.text);
    let text = refused(
        &map(v1::Kind::schema()),
        &map(Schema::Enum(name.clone(), variants.clone())),
    );
    assert_eq!(
        text,
        "field `[key].Gift`: not stored, now text, without a default: `#[data(default)]` gives it \
         one, `#[data(alias = \"…\")]` an older name"
            .replace("[key].Gift", "[key].Retail.0")
    );
    variants[1].fields.clear();
    let Schema::Enum(_, mut before) = v1::Kind::schema() else {
        panic!("an enum");
    };
    before[2].fields.clear();
    assert_eq!(
        refused(
            &map(Schema::Enum(name.clone(), before.clone())),
            &map(Schema::Enum(name.clone(), variants.clone()))
        ),
        "field `[key].Gift`: two variants become `Gift`, which could make two keys one"
    );
    let values = Rewrite::between(
        &Schema::Enum(name.clone(), before),
        &Schema::Enum(name, variants),
    );
    assert!(values.is_ok(), "outside of keys they may");
}

#[test]
fn a_key_of_a_stream_keeps_its_bytes() {
    let key = |writer: &Schema, reader: &Schema| {
        Rewrite::check_key(writer, reader).unwrap_err().to_string()
    };
    let ending = "the bytes of a key say its key group and cannot change";
    assert_eq!(
        key(&i32::schema(), &i64::schema()),
        format!("stored as i32, now i64; {ending}")
    );
    let id = |schema| shape(&[("id", schema)]);
    assert_eq!(
        key(&id(u8::schema()), &id(u16::schema())),
        format!("field `id`: stored as u8, now u16; {ending}")
    );
    let more = shape(&[("id", u8::schema()), ("more", Option::<u8>::schema())]);
    assert_eq!(
        key(&id(u8::schema()), &more),
        format!("field `more`: not stored; {ending}")
    );
    assert_eq!(
        key(&more, &id(u8::schema())),
        "field `more`: stored and now gone, which could make two keys one"
    );
    let turned = shape(&[("more", Option::<u8>::schema()), ("id", u8::schema())]);
    assert_eq!(
        key(&more, &turned),
        format!("stored as struct `S`, now struct `S`; {ending}")
    );
}

#[test]
fn a_type_that_contains_itself_is_read_unchanged_and_else_refused() {
    #[derive(Clone, Debug, PartialEq, thalweg_derive::Data)]
    #[data(crate = "crate")]
    struct Tree {
        n: u8,
        children: Vec<Tree>,
    }
    let children = Schema::List(Box::new(Schema::Recursive("Tree".to_owned())));
    let fields = vec![
        Field::new("n", u8::schema()),
        Field::new("children", children),
    ];
    assert_eq!(Tree::schema(), Schema::Struct("Tree".into(), fields));
    assert!(matches!(Tree::schema(), Schema::Struct(..)), "as before");
    let leaf = |n| Tree {
        n,
        children: Vec::new(),
    };
    let tree = Tree {
        n: 1,
        children: vec![leaf(2), leaf(3)],
    };
    assert_eq!(from_bytes::<Tree>(&to_bytes(&tree)).unwrap(), tree);

    let tree = |n| shape(&[("n", n), ("children", Schema::Recursive("S".to_owned()))]);
    let same = Rewrite::between(&tree(u8::schema()), &tree(u8::schema()));
    assert!(same.unwrap().is_none());
    let error = Rewrite::between(&tree(u8::schema()), &tree(u16::schema())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().starts_with("`S` contains itself"));
}
