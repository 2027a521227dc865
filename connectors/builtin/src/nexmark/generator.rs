//! Events to columns.
//!
//! Every field has a sequence of random numbers of its own, at the places of the events' numbers.
//! So a column is made by one loop, without the columns beside it.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray,
    StructArray, TimestampMillisecondArray, make_view,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{Fields, SchemaRef};
use thalweg_columnar::arrow_error;
use thalweg_core::error::Result;

use super::config::Config;
use super::rows::{Event, Rows, Selection};
use super::shape::{Column, Entity, Field};
use super::text::{Table, Texts};
use super::{auction, bid, person};
use crate::random::Sequence;

/// Makes batches.
pub struct Generator {
    config: Config,
    texts: Texts,
    prices: bid::Prices,
}

impl Generator {
    /// One for all batches of a table.
    pub fn new(config: &Config) -> Self {
        Generator {
            config: config.clone(),
            texts: Texts::new(config.seed),
            prices: bid::Prices::new(),
        }
    }

    /// The batch of some events.
    ///
    /// # Errors
    /// `User` if the columns do not fit the schema.
    pub fn batch(
        &self,
        schema: &SchemaRef,
        columns: &[Column],
        rows: &Rows,
    ) -> Result<RecordBatch> {
        let arrays: Result<Vec<ArrayRef>> = columns
            .iter()
            .map(|column| match column {
                Column::EventType => Ok(self.event_types(rows)),
                Column::Flat(field) => Ok(self.column(*field, &Selection::all(rows), None)),
                Column::Row(entity, fields, inner) => self.nested(*entity, fields, inner, rows),
            })
            .collect();
        // Without columns there is still a number of rows.
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(schema.clone(), arrays?, &options).map_err(arrow_error)
    }

    fn event_types(&self, rows: &Rows) -> ArrayRef {
        let persons = self.config.mix.offsets(Entity::Person).end;
        let auctions = self.config.mix.offsets(Entity::Auction).end;
        let kind = |offset: &u64| i32::from(*offset >= persons) + i32::from(*offset >= auctions);
        let kinds: Vec<i32> = rows.offsets().iter().map(kind).collect();
        Arc::new(Int32Array::from(kinds))
    }

    fn nested(
        &self,
        entity: Entity,
        fields: &Fields,
        inner: &[Field],
        rows: &Rows,
    ) -> Result<ArrayRef> {
        let wanted = self.config.mix.offsets(entity);
        let offsets = rows.offsets();
        let valid = BooleanBuffer::collect_bool(rows.len(), |at| wanted.contains(&offsets[at]));
        // The fields of a NULL are NULL too: an expression may read a field past its row.
        let nulls = Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0);
        let at = rows.of(&self.config.mix, entity);
        let selection = Selection::some(rows, &at);
        let columns = inner
            .iter()
            .map(|field| self.column(*field, &selection, nulls.clone()))
            .collect();
        StructArray::try_new_with_length(fields.clone(), columns, nulls, rows.len())
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(arrow_error)
    }

    /// The random numbers of a field.
    fn sequence(&self, field: Field) -> Sequence {
        Sequence::new(self.config.seed, field as u64)
    }

    fn column(&self, field: Field, rows: &Selection<'_>, nulls: Option<NullBuffer>) -> ArrayRef {
        match field {
            Field::DateTime | Field::Expires => {
                let times = self.times(field, rows);
                Arc::new(TimestampMillisecondArray::new(times.into(), nulls))
            }
            Field::PersonId
            | Field::AuctionId
            | Field::InitialBid
            | Field::Reserve
            | Field::Seller
            | Field::Category
            | Field::BidAuction
            | Field::Bidder
            | Field::Price => {
                let numbers = self.numbers(field, rows);
                Arc::new(Int64Array::new(numbers.into(), nulls))
            }
            Field::PersonName | Field::City | Field::State | Field::Channel | Field::Url => {
                self.chosen(field, rows, nulls)
            }
            Field::EmailAddress | Field::CreditCard => self.written(field, rows, nulls),
            Field::PersonExtra
            | Field::ItemName
            | Field::Description
            | Field::AuctionExtra
            | Field::BidExtra => {
                let views = self.padding(field, rows);
                self.texts.pool.column(views, nulls)
            }
        }
    }

    fn times(&self, field: Field, rows: &Selection<'_>) -> Vec<i64> {
        if field == Field::DateTime {
            return rows.values(Event::time);
        }
        let random = self.sequence(field);
        let (mix, schedule) = (&self.config.mix, &self.config.schedule);
        rows.values(|event| auction::expires(random.bits(event.number()), event, mix, schedule))
    }

    fn numbers(&self, field: Field, rows: &Selection<'_>) -> Vec<i64> {
        let random = self.sequence(field);
        let bits = |event: Event<'_>| random.bits(event.number());
        let price = |event: Event<'_>| self.prices.price(bits(event));
        match field {
            Field::PersonId => rows.values(person::id),
            Field::AuctionId => rows.values(auction::id),
            Field::Seller => rows.values(|event| auction::seller(bits(event), event)),
            Field::Category => rows.values(|event| auction::category(bits(event))),
            Field::BidAuction => rows.values(|event| bid::auction(bits(event), event)),
            Field::Bidder => rows.values(|event| bid::bidder(bits(event), event)),
            Field::Reserve => {
                let initial = self.sequence(Field::InitialBid);
                rows.values(|event| self.prices.price(initial.bits(event.number())) + price(event))
            }
            _ => rows.values(price),
        }
    }

    /// Columns whose strings come from a table.
    fn chosen(&self, field: Field, rows: &Selection<'_>, nulls: Option<NullBuffer>) -> ArrayRef {
        let texts = &self.texts;
        let table = match field {
            Field::Channel => &texts.channels,
            Field::Url => &texts.urls,
            _ => return self.chosen_of_person(field, rows, nulls),
        };
        // A channel and its address are chosen by the same numbers.
        let random = self.sequence(Field::Channel);
        let views = rows.values(|event| table.view(bid::channel(random.bits(event.number()))));
        table.column(views, nulls)
    }

    fn chosen_of_person(
        &self,
        field: Field,
        rows: &Selection<'_>,
        nulls: Option<NullBuffer>,
    ) -> ArrayRef {
        let table = match field {
            Field::PersonName => &self.texts.names,
            Field::City => &self.texts.cities,
            _ => &self.texts.states,
        };
        let random = self.sequence(field);
        let views = rows.values(|event| any(table, random, event.number()));
        table.column(views, nulls)
    }

    /// Columns whose strings are all different.
    fn written(&self, field: Field, rows: &Selection<'_>, nulls: Option<NullBuffer>) -> ArrayRef {
        let random = self.sequence(field);
        let mut bytes = Vec::new();
        let views = rows.values(|event| {
            let bits = random.bits(event.number());
            let start = bytes.len();
            if field == Field::CreditCard {
                person::card(bits, &mut bytes);
            } else {
                person::address(bits, &self.texts.pool, &mut bytes);
            }
            // A batch's persons take far less than 4 GB.
            make_view(&bytes[start..], 0, start as u32)
        });
        let buffers = [Buffer::from_vec(bytes)];
        // SAFETY: the views are of ASCII in the one buffer, or 0, the empty string.
        Arc::new(unsafe { StringViewArray::new_unchecked(views.into(), buffers, nulls) })
    }

    /// Columns of random letters.
    fn padding(&self, field: Field, rows: &Selection<'_>) -> Vec<u128> {
        let random = self.sequence(field);
        let pool = &self.texts.pool;
        let texts = |len: fn(u64) -> u64| {
            rows.values(|event| {
                let bits = random.bits(event.number());
                pool.view(bits, len(bits))
            })
        };
        match field {
            Field::ItemName => texts(auction::name_len),
            Field::Description => texts(auction::description_len),
            Field::AuctionExtra => {
                let name = self.sequence(Field::ItemName);
                let description = self.sequence(Field::Description);
                rows.values(|event| {
                    let n = event.number();
                    let bits = random.bits(n);
                    let name = auction::name_len(name.bits(n));
                    let description = auction::description_len(description.bits(n));
                    pool.view(bits, auction::extra_len(bits, name, description))
                })
            }
            Field::PersonExtra => rows.values(|event| {
                let bits = random.bits(event.number());
                pool.view(bits, person::extra_len(bits, self.person_texts(event)))
            }),
            _ => rows.values(|event| {
                let bits = random.bits(event.number());
                pool.view(bits, bid::extra_len(bits))
            }),
        }
    }

    /// Bytes of a person's texts but `extra`.
    fn person_texts(&self, event: Event<'_>) -> u64 {
        let n = event.number();
        let tables = [
            (&self.texts.names, Field::PersonName),
            (&self.texts.cities, Field::City),
            (&self.texts.states, Field::State),
        ];
        let chosen = tables.map(|(table, field)| {
            // The low 32 bits of a view are its length.
            any(table, self.sequence(field), n) as u32
        });
        let address = person::address_len(self.sequence(Field::EmailAddress).bits(n));
        chosen.iter().map(|len| u64::from(*len)).sum::<u64>() + address + person::CARD_LEN as u64
    }
}

fn any(table: &Table, random: Sequence, n: u64) -> u128 {
    table.view(crate::random::below(random.bits(n), table.len()))
}
