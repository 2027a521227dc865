//! The columns a table may have, and the match between them and a declaration.

use arrow::datatypes::{DataType, FieldRef, Fields, TimeUnit};
use thalweg_columnar::connector::TableSpec;
use thalweg_core::error::{Error, Result};

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    /// A person registers.
    Person,
    /// An auction opens.
    Auction,
    /// Somebody bids.
    Bid,
}

/// A field of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `dateTime` of all entities.
    DateTime,
    /// `person.id`
    PersonId,
    /// `person.name`
    PersonName,
    /// `person.emailAddress`
    EmailAddress,
    /// `person.creditCard`
    CreditCard,
    /// `person.city`
    City,
    /// `person.state`
    State,
    /// `person.extra`
    PersonExtra,
    /// `auction.id`
    AuctionId,
    /// `auction.itemName`
    ItemName,
    /// `auction.description`
    Description,
    /// `auction.initialBid`
    InitialBid,
    /// `auction.reserve`
    Reserve,
    /// `auction.expires`
    Expires,
    /// `auction.seller`
    Seller,
    /// `auction.category`
    Category,
    /// `auction.extra`
    AuctionExtra,
    /// `bid.auction`
    BidAuction,
    /// `bid.bidder`
    Bidder,
    /// `bid.price`
    Price,
    /// `bid.channel`
    Channel,
    /// `bid.url`
    Url,
    /// `bid.extra`
    BidExtra,
}

const PERSON: &[(&str, Field)] = &[
    ("id", Field::PersonId),
    ("name", Field::PersonName),
    ("emailAddress", Field::EmailAddress),
    ("creditCard", Field::CreditCard),
    ("city", Field::City),
    ("state", Field::State),
    ("dateTime", Field::DateTime),
    ("extra", Field::PersonExtra),
];

const AUCTION: &[(&str, Field)] = &[
    ("id", Field::AuctionId),
    ("itemName", Field::ItemName),
    ("description", Field::Description),
    ("initialBid", Field::InitialBid),
    ("reserve", Field::Reserve),
    ("dateTime", Field::DateTime),
    ("expires", Field::Expires),
    ("seller", Field::Seller),
    ("category", Field::Category),
    ("extra", Field::AuctionExtra),
];

const BID: &[(&str, Field)] = &[
    ("auction", Field::BidAuction),
    ("bidder", Field::Bidder),
    ("price", Field::Price),
    ("channel", Field::Channel),
    ("url", Field::Url),
    ("dateTime", Field::DateTime),
    ("extra", Field::BidExtra),
];

impl Entity {
    /// Its name, as the option and the column have it.
    pub fn name(self) -> &'static str {
        match self {
            Entity::Person => "person",
            Entity::Auction => "auction",
            Entity::Bid => "bid",
        }
    }

    fn fields(self) -> &'static [(&'static str, Field)] {
        match self {
            Entity::Person => PERSON,
            Entity::Auction => AUCTION,
            Entity::Bid => BID,
        }
    }
}

impl Field {
    fn data_type(self) -> DataType {
        match self {
            Field::DateTime | Field::Expires => DataType::Timestamp(TimeUnit::Millisecond, None),
            Field::PersonId
            | Field::AuctionId
            | Field::InitialBid
            | Field::Reserve
            | Field::Seller
            | Field::Category
            | Field::BidAuction
            | Field::Bidder
            | Field::Price => DataType::Int64,
            _ => DataType::Utf8View,
        }
    }
}

/// A column of a table.
#[derive(Clone, Debug)]
pub enum Column {
    /// `event_type`
    EventType,
    /// A row of an entity, NULL for other events.
    Row(Entity, Fields, Vec<Field>),
    /// A field of the table's one entity.
    Flat(Field),
}

/// Finds out what each column of a declaration is.
///
/// # Errors
/// `User`, naming the column, if there is none of its name and type.
pub fn columns(table: &TableSpec, entity: Option<Entity>) -> Result<Vec<Column>> {
    let column = |field: &FieldRef| match entity {
        Some(entity) => Ok(Column::Flat(find(entity, field, field.name())?)),
        None => of_all_events(field),
    };
    let columns: Result<Vec<Column>> = table.schema.fields().iter().map(column).collect();
    columns.map_err(|error| error.context(format!("table `{}`", table.name)))
}

fn of_all_events(field: &FieldRef) -> Result<Column> {
    let entity = match field.name().as_str() {
        "event_type" => {
            check_type(field, field.name(), &DataType::Int32)?;
            return Ok(Column::EventType);
        }
        "person" => Entity::Person,
        "auction" => Entity::Auction,
        "bid" => Entity::Bid,
        other => {
            return Err(Error::user(format!(
                "the nexmark connector has no column `{other}`; it has `event_type`, `person`, \
                 `auction` and `bid`"
            )));
        }
    };
    let DataType::Struct(fields) = field.data_type() else {
        return Err(mismatch(field.name(), field.data_type(), "ROW"));
    };
    if !field.is_nullable() {
        let name = field.name();
        return Err(Error::user(format!(
            "column `{name}` cannot be NOT NULL: it is NULL for the other types of events"
        )));
    }
    let found: Result<Vec<Field>> = fields
        .iter()
        .map(|inner| find(entity, inner, &format!("{}.{}", field.name(), inner.name())))
        .collect();
    Ok(Column::Row(entity, fields.clone(), found?))
}

fn find(entity: Entity, field: &FieldRef, path: &str) -> Result<Field> {
    let known = entity.fields();
    let Some((_, found)) = known.iter().find(|(name, _)| name == field.name()) else {
        let names: Vec<String> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
        return Err(Error::user(format!(
            "the nexmark connector has no column `{path}`; the columns of `{}` are {}",
            entity.name(),
            names.join(", ")
        )));
    };
    check_type(field, path, &found.data_type())?;
    Ok(*found)
}

fn check_type(field: &FieldRef, path: &str, expected: &DataType) -> Result<()> {
    if field.data_type() == expected {
        return Ok(());
    }
    Err(mismatch(path, field.data_type(), &sql_name(expected)))
}

fn mismatch(path: &str, found: &DataType, expected: &str) -> Error {
    Error::user(format!(
        "column `{path}` is declared as {}, but must be {expected}",
        sql_name(found)
    ))
}

/// A type as a user writes it, where several are stored alike the usual one.
fn sql_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float32 => "FLOAT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Utf8View => "STRING".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Timestamp(unit, zone) => {
            let digits = match unit {
                TimeUnit::Second => 0,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond => 6,
                TimeUnit::Nanosecond => 9,
            };
            let name = zone.as_ref().map_or("TIMESTAMP", |_| "TIMESTAMP_LTZ");
            format!("{name}({digits})")
        }
        DataType::Struct(_) => "ROW".to_owned(),
        other => other.to_string(),
    }
}
