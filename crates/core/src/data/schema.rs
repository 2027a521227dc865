//! The shape of stored values: what a snapshot keeps beside its bytes.

/// A field of a struct or of an enum variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name; a position for tuples.
    pub name: String,
    /// Its shape.
    pub schema: Schema,
}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// The shape of a type's canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// No bytes.
    Unit,
    /// One byte, 0 or 1.
    Bool,
    /// A signed integer of so many bytes.
    Int(u8),
    /// An unsigned integer of so many bytes.
    UInt(u8),
    /// An IEEE 754 number of so many bytes.
    Float(u8),
    /// A `u32` length and UTF-8.
    Text,
    /// A `u32` length and bytes.
    Bytes,
    /// A byte (0 or 1), then the value if 1.
    Option(Box<Schema>),
    /// A `u32` length, then the elements.
    List(Box<Schema>),
    /// A `u32` length, then keys and values in turn.
    Map(Box<Schema>, Box<Schema>),
    /// The fields in order.
    Struct(String, Vec<Field>),
    /// A `u32` variant number, then its fields.
    Enum(String, Vec<Variant>),
    /// A type that contains itself, by name.
    Recursive(String),
}
