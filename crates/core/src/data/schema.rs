//! The shape of stored values: what a snapshot keeps beside its bytes.

use std::any::TypeId;
use std::cell::RefCell;
use std::fmt;

/// A name in a schema, and the names it had before.
///
/// Equality is that of the present name: older ones are what a reader knows, and are not stored.
#[derive(Clone, Debug)]
pub struct Name {
    /// The present name; a position for the fields of tuples, empty for tuples themselves.
    pub text: String,
    /// Older names, under which it is still found in snapshots.
    pub aliases: Vec<String>,
}

impl Name {
    /// Adds an older name.
    #[must_use]
    pub fn alias(mut self, older: &str) -> Self {
        self.aliases.push(older.to_owned());
        self
    }

    /// Whether this is, or was, called `stored`.
    pub(super) fn reads(&self, stored: &Name) -> bool {
        self == stored || self.aliases.contains(&stored.text)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Name {}

impl<T: Into<String>> From<T> for Name {
    fn from(text: T) -> Self {
        Name {
            text: text.into(),
            aliases: Vec::new(),
        }
    }
}

/// A field of a struct or of an enum variant.
///
/// Equality is that of names and shapes; defaults are not stored.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// Its shape.
    pub schema: Schema,
    /// Makes the canonical bytes of its value in snapshots that do not have the field.
    pub default: Option<fn() -> Vec<u8>>,
}

impl Field {
    /// A field without a default.
    pub fn new(name: impl Into<Name>, schema: Schema) -> Self {
        Field {
            name: name.into(),
            schema,
            default: None,
        }
    }

    /// Says what the field's value is in snapshots that do not have it.
    #[must_use]
    pub fn default(mut self, default: fn() -> Vec<u8>) -> Self {
        self.default = Some(default);
        self
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.schema == other.schema
    }
}

impl Eq for Field {}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name.
    pub name: Name,
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
    Struct(Name, Vec<Field>),
    /// A `u32` variant number, then its fields.
    Enum(Name, Vec<Variant>),
    /// A type that contains itself, by name.
    Recursive(String),
}

thread_local! {
    // The types whose schemas are being made.
    static OPEN: RefCell<Vec<TypeId>> = const { RefCell::new(Vec::new()) };
}

impl Schema {
    /// The schema of `T`, as `make` says; where `T` contains itself, its name. For the derive.
    pub fn of_type<T: 'static>(name: &str, make: impl FnOnce() -> Schema) -> Schema {
        let id = TypeId::of::<T>();
        if OPEN.with_borrow(|open| open.contains(&id)) {
            return Schema::Recursive(name.to_owned());
        }
        OPEN.with_borrow_mut(|open| open.push(id));
        let schema = make();
        OPEN.with_borrow_mut(Vec::pop);
        schema
    }
}

/// As errors name it: `u64`, `list of text`, ``struct `Order` ``.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schema::Unit => f.write_str("unit"),
            Schema::Bool => f.write_str("bool"),
            Schema::Int(bytes) => write!(f, "i{}", u32::from(*bytes) * 8),
            Schema::UInt(bytes) => write!(f, "u{}", u32::from(*bytes) * 8),
            Schema::Float(bytes) => write!(f, "f{}", u32::from(*bytes) * 8),
            Schema::Text => f.write_str("text"),
            Schema::Bytes => f.write_str("bytes"),
            Schema::Option(value) => write!(f, "option of {value}"),
            Schema::List(element) => write!(f, "list of {element}"),
            Schema::Map(key, value) => write!(f, "map of {key} to {value}"),
            Schema::Struct(name, _) if name.text.is_empty() => f.write_str("tuple"),
            Schema::Struct(name, _) => write!(f, "struct `{}`", name.text),
            Schema::Enum(name, _) => write!(f, "enum `{}`", name.text),
            Schema::Recursive(name) => write!(f, "`{name}`, which contains itself"),
        }
    }
}
