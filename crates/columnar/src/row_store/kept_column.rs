//! One column of kept rows, by place.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryViewArray, BooleanArray, PrimitiveArray,
    StringViewArray, downcast_primitive,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, ScalarBuffer, ToByteSlice, i256,
};
use arrow_schema::DataType;
use thalweg_core::data::Data;
use thalweg_core::error::{Error, Result};

use super::RowId;
use super::texts::Texts;
use crate::pages::Pages;
use crate::row_codec::{RowCodec, encode_value, unsupported};

/// The values of a column.
pub struct KeptColumn {
    codec: RowCodec,
    values: Values,
    /// Which values are not NULL; none is as long as this is missing.
    valid: Option<Pages<bool>>,
}

/// Values by width; what they mean is up to the column's type.
enum Values {
    Bits(Pages<bool>),
    W1(Pages<u8>),
    W2(Pages<u16>),
    W4(Pages<u32>),
    W8(Pages<u64>),
    W16(Pages<u128>),
    W32(Pages<i256>),
    /// Views of texts or binaries.
    Views(Pages<u128>),
    /// Views of canonical bytes, NULL included.
    Encoded(Pages<u128>),
}

/// Calls a macro with the places of a column of fixed width.
macro_rules! fixed {
    ($values:expr, $then:ident, $($pattern:pat => $otherwise:expr),+) => {
        match $values {
            Values::W1(places) => $then!(places, u8),
            Values::W2(places) => $then!(places, u16),
            Values::W4(places) => $then!(places, u32),
            Values::W8(places) => $then!(places, u64),
            Values::W16(places) => $then!(places, u128),
            Values::W32(places) => $then!(places, i256),
            $($pattern => $otherwise),+
        }
    };
}

impl Values {
    fn new(data_type: &DataType) -> Self {
        match (data_type, data_type.primitive_width()) {
            (DataType::Boolean, _) => Values::Bits(Pages::new()),
            (DataType::Utf8View | DataType::BinaryView, _) => Values::Views(Pages::new()),
            // Its values are less aligned than other ones of 16 bytes.
            (DataType::Interval(_), _) => Values::Encoded(Pages::new()),
            (_, Some(1)) => Values::W1(Pages::new()),
            (_, Some(2)) => Values::W2(Pages::new()),
            (_, Some(4)) => Values::W4(Pages::new()),
            (_, Some(8)) => Values::W8(Pages::new()),
            (_, Some(16)) => Values::W16(Pages::new()),
            (_, Some(32)) => Values::W32(Pages::new()),
            _ => Values::Encoded(Pages::new()),
        }
    }
}

/// The values of a column, shared.
macro_rules! shared {
    ($values:expr, $($form:ident),+) => {
        match $values {
            $(Values::$form(places) => Values::$form(places.share())),+
        }
    };
}

impl KeptColumn {
    /// The same values, whatever becomes of these.
    pub fn share(&mut self) -> Self {
        KeptColumn {
            codec: self.codec.clone(),
            values: shared!(
                &mut self.values,
                Bits,
                W1,
                W2,
                W4,
                W8,
                W16,
                W32,
                Views,
                Encoded
            ),
            valid: self.valid.as_mut().map(Pages::share),
        }
    }

    /// No values of a type.
    pub fn new(data_type: &DataType) -> Self {
        KeptColumn {
            values: Values::new(data_type),
            codec: RowCodec::new(vec![data_type.clone()]),
            valid: None,
        }
    }

    /// The views of some values, which have to be kept before they are [`put`](Self::put_views).
    pub fn views(&self, array: &ArrayRef, rows: &[u32]) -> Option<(Vec<u128>, Vec<Buffer>)> {
        let Values::Views(_) = &self.values else {
            return None;
        };
        let (views, buffers) = match array.as_string_view_opt() {
            Some(texts) => (texts.views(), texts.data_buffers()),
            None => {
                let binaries = array.as_binary_view();
                (binaries.views(), binaries.data_buffers())
            }
        };
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let view = |row: &u32| match nulls {
            // What stands in the place of NULL is nobody's text.
            Some(nulls) if nulls.is_null(*row as usize) => 0,
            _ => views[*row as usize],
        };
        Some((rows.iter().map(view).collect(), buffers.to_vec()))
    }

    /// Puts values, row by row, at the places of `ids`.
    ///
    /// # Errors
    /// `Unsupported` for a type without a canonical form.
    pub fn put(
        &mut self,
        array: &ArrayRef,
        rows: &[u32],
        ids: &[RowId],
        places: usize,
        texts: &mut Texts,
    ) -> Result<()> {
        self.put_validity(array, rows, ids, places);
        macro_rules! put {
            ($places:ident, $native:ty) => {{
                let data = array.to_data();
                let values = data.buffer::<$native>(0);
                put(
                    $places,
                    ids,
                    places,
                    rows.iter().map(|row| values[*row as usize]),
                );
            }};
        }
        fixed!(&mut self.values, put,
            Values::Bits(kept) => {
                let values = array.as_boolean().values();
                put(kept, ids, places, rows.iter().map(|row| values.value(*row as usize)));
            },
            Values::Views(_) => return Err(Error::internal("texts are put as views")),
            Values::Encoded(kept) => {
                let (mut bytes, mut ends) = (Vec::new(), vec![0]);
                for row in rows {
                    encode_value(array.as_ref(), *row as usize, &mut bytes)?;
                    ends.push(bytes.len());
                }
                let values = ends.windows(2).map(|range| &bytes[range[0]..range[1]]);
                put(kept, ids, places, texts.keep_bytes(values)?.into_iter());
            }
        );
        Ok(())
    }

    /// Puts views of kept texts; the array tells which are NULL.
    pub fn put_views(
        &mut self,
        array: &ArrayRef,
        rows: &[u32],
        views: &[u128],
        ids: &[RowId],
        places: usize,
    ) {
        self.put_validity(array, rows, ids, places);
        if let Values::Views(kept) = &mut self.values {
            put(kept, ids, places, views.iter().copied());
        }
    }

    fn put_validity(&mut self, array: &ArrayRef, rows: &[u32], ids: &[RowId], places: usize) {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let is_valid = |row: &u32| nulls.is_none_or(|nulls| nulls.is_valid(*row as usize));
        if self.valid.is_none() && !rows.iter().all(is_valid) {
            self.valid = Some(Pages::new());
        }
        if let Some(valid) = &mut self.valid {
            valid.grow(places, true);
            for (id, row) in ids.iter().zip(rows) {
                *valid.get_mut(id.0) = is_valid(row);
            }
        }
    }

    /// Lets texts go.
    pub fn forget(&mut self, ids: &[RowId], texts: &mut Texts) {
        if let Some(kept) = self.text_views() {
            for id in ids {
                texts.forget(std::mem::take(kept.get_mut(id.0)));
            }
        }
    }

    /// The views of all texts, living or not; those that are not are inline.
    pub fn text_views(&mut self) -> Option<&mut Pages<u128>> {
        match &mut self.values {
            Values::Views(kept) | Values::Encoded(kept) => Some(kept),
            _ => None,
        }
    }

    /// Some values, in that order.
    ///
    /// # Errors
    /// `Corrupt` never, unless memory is.
    pub fn gather(&self, ids: &[RowId], texts: &Texts) -> Result<ArrayRef> {
        macro_rules! gather {
            ($places:ident, $native:ty) => {{
                let values: Vec<$native> = ids.iter().map(|id| *$places.get(id.0)).collect();
                self.primitive(Buffer::from_vec(values), ids)
            }};
        }
        fixed!(&self.values, gather,
            Values::Bits(kept) => {
                let values = BooleanBuffer::collect_bool(ids.len(), |at| *kept.get(ids[at].0));
                Ok(Arc::new(BooleanArray::new(values, self.nulls(ids))))
            },
            Values::Views(kept) => {
                let mut views: Vec<u128> = ids.iter().map(|id| *kept.get(id.0)).collect();
                let buffers = texts.share(&mut views);
                Ok(self.view_array(views, buffers, self.nulls(ids)))
            },
            Values::Encoded(kept) => {
                let views: Vec<u128> = ids.iter().map(|id| *kept.get(id.0)).collect();
                let mut columns = self.codec.decode(views.iter().map(|view| texts.bytes(view)))?;
                columns.pop().ok_or_else(|| Error::internal("a column was not decoded"))
            }
        )
    }

    fn data_type(&self) -> &DataType {
        &self.codec.types()[0]
    }

    fn nulls(&self, ids: &[RowId]) -> Option<NullBuffer> {
        let valid = self.valid.as_ref()?;
        let bits = BooleanBuffer::collect_bool(ids.len(), |at| *valid.get(ids[at].0));
        let nulls = NullBuffer::new(bits);
        (nulls.null_count() > 0).then_some(nulls)
    }

    fn primitive(&self, values: Buffer, ids: &[RowId]) -> Result<ArrayRef> {
        let data_type = self.data_type();
        macro_rules! primitive {
            ($type:ty) => {
                Ok(primitive_array::<$type>(
                    values,
                    ids.len(),
                    self.nulls(ids),
                    data_type,
                ))
            };
        }
        downcast_primitive!(
            data_type => (primitive),
            _ => Err(unsupported(data_type))
        )
    }

    fn view_array(
        &self,
        views: Vec<u128>,
        buffers: Vec<Buffer>,
        nulls: Option<NullBuffer>,
    ) -> ArrayRef {
        let views = ScalarBuffer::from(views);
        if self.data_type() == &DataType::BinaryView {
            // SAFETY: as below, but for UTF-8.
            return Arc::new(unsafe { BinaryViewArray::new_unchecked(views, buffers, nulls) });
        }
        // SAFETY: each view came out of a valid array of this type, or is 0, the empty text. `Texts`
        // changes nothing in it but block and offset, and only to where the same bytes are: it
        // copied them, or has the array's own buffer. `share` numbers the blocks as in `buffers`.
        // A test puts gathered columns through the checked constructor.
        Arc::new(unsafe { StringViewArray::new_unchecked(views, buffers, nulls) })
    }

    /// Appends the canonical bytes of a value.
    pub fn encode(&self, id: RowId, texts: &Texts, out: &mut Vec<u8>) {
        if let Values::Encoded(kept) = &self.values {
            out.extend_from_slice(texts.bytes(kept.get(id.0)));
            return;
        }
        let valid = self.valid.as_ref().is_none_or(|valid| *valid.get(id.0));
        out.push(u8::from(valid));
        if !valid {
            return;
        }
        macro_rules! encode {
            ($places:ident, $native:ty) => {
                out.extend_from_slice($places.get(id.0).to_byte_slice())
            };
        }
        fixed!(&self.values, encode,
            Values::Bits(kept) => out.push(u8::from(*kept.get(id.0))),
            Values::Views(kept) | Values::Encoded(kept) => {
                let bytes = texts.bytes(kept.get(id.0));
                (bytes.len() as u32).encode(out);
                out.extend_from_slice(bytes);
            }
        );
    }
}

fn put<T: Copy + Default>(
    kept: &mut Pages<T>,
    ids: &[RowId],
    places: usize,
    values: impl Iterator<Item = T>,
) {
    kept.grow(places, T::default());
    for (id, value) in ids.iter().zip(values) {
        *kept.get_mut(id.0) = value;
    }
}

fn primitive_array<T: ArrowPrimitiveType>(
    values: Buffer,
    len: usize,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> ArrayRef
where
    T::Native: ArrowNativeType,
{
    let values = ScalarBuffer::<T::Native>::new(values, 0, len);
    Arc::new(PrimitiveArray::<T>::new(values, nulls).with_data_type(data_type.clone()))
}
