//! `Data` for numbers, text, tuples and collections.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use super::{Data, Field, Schema, take_bytes, take_len};
use crate::collections::HashMap;
use crate::error::{Error, Result};
use crate::key_group::stable_hash_bytes;

macro_rules! number {
    ($($type:ty => $schema:expr),* $(,)?) => {$(
        impl Data for $type {
            fn schema() -> Schema {
                $schema
            }
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            #[inline]
            fn decode(input: &mut &[u8]) -> Result<Self> {
                let mut bytes = [0u8; size_of::<$type>()];
                bytes.copy_from_slice(take_bytes(input, size_of::<$type>())?);
                Ok(<$type>::from_le_bytes(bytes))
            }
            fn stable_hash(&self, _: &mut Vec<u8>) -> u64 {
                stable_hash_bytes(&self.to_le_bytes())
            }
        }
    )*};
}
number! {
    i8 => Schema::Int(1), i16 => Schema::Int(2), i32 => Schema::Int(4), i64 => Schema::Int(8),
    i128 => Schema::Int(16), u8 => Schema::UInt(1), u16 => Schema::UInt(2),
    u32 => Schema::UInt(4), u64 => Schema::UInt(8), u128 => Schema::UInt(16),
    f32 => Schema::Float(4), f64 => Schema::Float(8),
}

impl Data for () {
    fn schema() -> Schema {
        Schema::Unit
    }
    fn encode(&self, _: &mut Vec<u8>) {}
    fn decode(_: &mut &[u8]) -> Result<Self> {
        Ok(())
    }
}

impl Data for bool {
    fn schema() -> Schema {
        Schema::Bool
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn decode(input: &mut &[u8]) -> Result<Self> {
        match u8::decode(input)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Error::corrupt(format!("stored boolean is `{other}`"))),
        }
    }
}

impl Data for char {
    fn schema() -> Schema {
        Schema::UInt(4)
    }
    fn encode(&self, out: &mut Vec<u8>) {
        u32::from(*self).encode(out);
    }
    fn decode(input: &mut &[u8]) -> Result<Self> {
        let code = u32::decode(input)?;
        char::from_u32(code).ok_or_else(|| Error::corrupt(format!("`{code}` is no character")))
    }
}

fn encode_len(len: usize, out: &mut Vec<u8>) {
    assert!(
        u32::try_from(len).is_ok(),
        "a value longer than 4 GiB cannot be stored"
    );
    out.extend_from_slice(&(len as u32).to_le_bytes());
}

impl Data for String {
    fn schema() -> Schema {
        Schema::Text
    }
    fn encode(&self, out: &mut Vec<u8>) {
        encode_len(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }
    fn decode(input: &mut &[u8]) -> Result<Self> {
        let len = take_len(input, 1)?;
        std::str::from_utf8(take_bytes(input, len)?)
            .map(str::to_owned)
            .map_err(|error| Error::corrupt("stored text is not UTF-8").with_source(error))
    }
}

impl Data for Arc<str> {
    fn schema() -> Schema {
        Schema::Text
    }
    fn encode(&self, out: &mut Vec<u8>) {
        encode_len(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }
    fn decode(input: &mut &[u8]) -> Result<Self> {
        String::decode(input).map(Arc::from)
    }
}

impl<T: Data> Data for Option<T> {
    fn schema() -> Schema {
        Schema::Option(Box::new(T::schema()))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }
    fn decode(input: &mut &[u8]) -> Result<Self> {
        Ok(if bool::decode(input)? {
            Some(T::decode(input)?)
        } else {
            None
        })
    }
}

impl<T: Data> Data for Vec<T> {
    fn schema() -> Schema {
        Schema::List(Box::new(T::schema()))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        encode_len(self.len(), out);
        for value in self {
            value.encode(out);
        }
    }
    fn decode(input: &mut &[u8]) -> Result<Self> {
        // Elements may take no bytes, so the length says nothing about the bytes left. No space is
        // set aside for it.
        let len = take_len(input, 0)?;
        (0..len).map(|_| T::decode(input)).collect()
    }
}

impl<T: Data> Data for Box<T> {
    fn schema() -> Schema {
        T::schema()
    }
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
    fn decode(input: &mut &[u8]) -> Result<Self> {
        T::decode(input).map(Box::new)
    }
}

impl<K: Data + Ord, V: Data> Data for BTreeMap<K, V> {
    fn schema() -> Schema {
        Schema::Map(Box::new(K::schema()), Box::new(V::schema()))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        encode_len(self.len(), out);
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }
    fn decode(input: &mut &[u8]) -> Result<Self> {
        let len = take_len(input, 0)?;
        (0..len)
            .map(|_| Ok((K::decode(input)?, V::decode(input)?)))
            .collect()
    }
}

impl<K: Data + Eq + Hash, V: Data> Data for HashMap<K, V> {
    fn schema() -> Schema {
        Schema::Map(Box::new(K::schema()), Box::new(V::schema()))
    }
    fn encode(&self, out: &mut Vec<u8>) {
        encode_len(self.len(), out);
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }
    fn decode(input: &mut &[u8]) -> Result<Self> {
        let len = take_len(input, 0)?;
        (0..len)
            .map(|_| Ok((K::decode(input)?, V::decode(input)?)))
            .collect()
    }
}

macro_rules! tuple {
    ($($name:ident . $index:tt),+) => {
        impl<$($name: Data),+> Data for ($($name,)+) {
            fn schema() -> Schema {
                Schema::Struct("".into(), vec![$(
                    Field::new(stringify!($index), $name::schema())
                ),+])
            }
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$index.encode(out);)+
            }
            fn decode(input: &mut &[u8]) -> Result<Self> {
                Ok(($($name::decode(input)?,)+))
            }
        }
    };
}
tuple!(A.0);
tuple!(A.0, B.1);
tuple!(A.0, B.1, C.2);
tuple!(A.0, B.1, C.2, D.3);
tuple!(A.0, B.1, C.2, D.3, E.4);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5, G.6);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5, G.6, H.7);

#[cfg(test)]
mod tests {
    use super::super::{from_bytes, to_bytes};
    use crate::error::ErrorKind;

    #[test]
    fn values_come_back_from_their_bytes() {
        let value = (
            7i64,
            String::from("ä"),
            vec![Some(1u8), None],
            (true, -0.5f64),
        );
        let bytes = to_bytes(&value);
        let back: (i64, String, Vec<Option<u8>>, (bool, f64)) = from_bytes(&bytes).unwrap();
        assert_eq!(back, value);
    }

    #[test]
    fn a_list_of_values_without_bytes_comes_back() {
        #[derive(Clone, Debug, PartialEq, thalweg_derive::Data)]
        #[data(crate = "crate")]
        struct Empty {}
        let value = (vec![Empty {}; 3], vec![(); 2]);
        let back: (Vec<Empty>, Vec<()>) = from_bytes(&to_bytes(&value)).unwrap();
        assert_eq!(back, value);
    }

    #[test]
    fn canonical_bytes_keep_their_golden_form() {
        assert_eq!(
            to_bytes(&(1i32, String::from("ab"))),
            [1, 0, 0, 0, 2, 0, 0, 0, b'a', b'b']
        );
    }

    #[test]
    fn truncated_or_lying_bytes_are_corrupt_not_a_panic() {
        let bytes = to_bytes(&vec![String::from("abc"); 3]);
        for end in 0..bytes.len() {
            let error = from_bytes::<Vec<String>>(&bytes[..end]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
        let lying = [255, 255, 255, 255];
        assert!(from_bytes::<Vec<u64>>(&lying).is_err());
    }
}
