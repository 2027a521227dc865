//! Strings: made once, then only pointed at.
//!
//! A string of a column is a view of 16 bytes: up to 12 bytes lie in it, longer ones in a buffer.
//! Channels, addresses, names and cities come from tables of views; texts that only fill space are
//! cut from one pool of random letters. So all batches share a few buffers, and a string costs its
//! view.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewArray, make_view};
use arrow::buffer::{Buffer, NullBuffer};
use thalweg_core::host::Random;

use crate::random::mix;

/// Channels that are not among the popular ones.
pub const CHANNELS: u64 = 10_000;
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const FIRST_NAMES: [&str; 11] = [
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter",
];
const LAST_NAMES: [&str; 9] = [
    "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris",
];
const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

// Small enough for a core's own cache; a text begins at any of its places.
const POOL_PLACES: usize = 1 << 15;
/// The longest text that the pool gives.
const TEXT_MAX: usize = 1024;
const INLINE_MAX: u64 = 12;

/// Strings to choose from.
pub struct Table {
    views: Vec<u128>,
    buffers: Arc<[Buffer]>,
}

impl Table {
    /// A table of these strings.
    fn new<S: AsRef<[u8]>>(strings: impl IntoIterator<Item = S>) -> Self {
        let mut bytes = Vec::new();
        let mut views = Vec::new();
        for string in strings {
            let string = string.as_ref();
            // The tables here hold less than a megabyte.
            views.push(make_view(string, 0, bytes.len() as u32));
            if string.len() as u64 > INLINE_MAX {
                bytes.extend_from_slice(string);
            }
        }
        let buffers: Arc<[Buffer]> = if bytes.is_empty() {
            Arc::new([])
        } else {
            Arc::new([Buffer::from_vec(bytes)])
        };
        Table { views, buffers }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.views.len() as u64
    }

    /// The view of a string.
    #[inline(always)]
    pub fn view(&self, at: u64) -> u128 {
        self.views[at as usize]
    }

    /// A column of views of this table.
    pub fn column(&self, views: Vec<u128>, nulls: Option<NullBuffer>) -> ArrayRef {
        // SAFETY: views come from `Table::new`, which makes them of valid strings in the one
        // buffer, or are 0, the empty string.
        unsafe { column(views, self.buffers.clone(), nulls) }
    }
}

/// Random letters.
pub struct Pool {
    letters: Buffer,
    buffers: Arc<[Buffer]>,
}

impl Pool {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let letters: Vec<u8> = (0..POOL_PLACES + TEXT_MAX)
            .map(|_| b'a' + random.below(26) as u8)
            .collect();
        let letters = Buffer::from_vec(letters);
        Pool {
            buffers: Arc::new([letters.clone()]),
            letters,
        }
    }

    /// `len` letters as random bits choose them; `len` must not be above [`TEXT_MAX`].
    #[inline(always)]
    pub fn view(&self, bits: u64, len: u64) -> u128 {
        let at = (bits >> 32) as usize % POOL_PLACES;
        let bytes = &self.letters.as_slice()[at..at + TEXT_MAX];
        let len = len.min(TEXT_MAX as u64);
        if len <= INLINE_MAX {
            let mut view = [0; 16];
            let len = len as usize;
            view[0] = len as u8;
            view[4..4 + len].copy_from_slice(&bytes[..len]);
            return u128::from_le_bytes(view);
        }
        let prefix = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        u128::from(len) | u128::from(prefix) << 32 | (at as u128) << 96
    }

    /// The letters themselves.
    pub fn letters(&self, bits: u64, len: usize) -> &[u8] {
        let at = (bits >> 32) as usize % POOL_PLACES;
        &self.letters.as_slice()[at..at + len.min(TEXT_MAX)]
    }

    /// A column of views of the pool.
    pub fn column(&self, views: Vec<u128>, nulls: Option<NullBuffer>) -> ArrayRef {
        // SAFETY: views come from `Pool::view`, which makes them of ASCII letters within the pool,
        // or are 0, the empty string.
        unsafe { column(views, self.buffers.clone(), nulls) }
    }
}

/// Makes a column of views without looking at each string again, which would take longer than
/// making them did.
///
/// # Safety
/// Every view must be of valid UTF-8 within `buffers`.
unsafe fn column(views: Vec<u128>, buffers: Arc<[Buffer]>, nulls: Option<NullBuffer>) -> ArrayRef {
    assert!(
        nulls
            .as_ref()
            .is_none_or(|nulls| nulls.len() == views.len()),
        "one validity a value"
    );
    // SAFETY: the caller's; the lengths were compared.
    let column = unsafe { StringViewArray::new_unchecked(views.into(), buffers, nulls) };
    Arc::new(column)
}

/// All tables and the pool of a seed.
pub struct Texts {
    /// Letters.
    pub pool: Pool,
    /// The popular channels, then the others.
    pub channels: Table,
    /// The address of each channel.
    pub urls: Table,
    /// First and last names.
    pub names: Table,
    /// Cities.
    pub cities: Table,
    /// States.
    pub states: Table,
}

impl Texts {
    /// Those of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(mix(seed));
        let hot_urls: Vec<String> = HOT_CHANNELS.map(|_| url(&mut random)).to_vec();
        let urls = (0..CHANNELS as u32).map(|channel| {
            let mut url = url(&mut random);
            if random.below(10) > 0 {
                let id = channel.reverse_bits().cast_signed().unsigned_abs();
                url.push_str(&format!("&channel_id={id}"));
            }
            url
        });
        let urls = Table::new(hot_urls.into_iter().chain(urls));
        let hot = HOT_CHANNELS.into_iter().map(str::to_owned);
        let channels = (0..CHANNELS).map(|channel| format!("channel-{channel}"));
        let names = FIRST_NAMES
            .iter()
            .flat_map(|first| LAST_NAMES.map(|last| format!("{first} {last}")));
        Texts {
            pool: Pool::new(seed),
            channels: Table::new(hot.chain(channels)),
            urls,
            names: Table::new(names),
            cities: Table::new(CITIES),
            states: Table::new(STATES),
        }
    }
}

fn url(random: &mut Random) -> String {
    let mut url = "https://www.nexmark.com".to_owned();
    for _ in 0..3 {
        url.push('/');
        for _ in 0..5 {
            let letter = b'a' + random.below(26) as u8;
            let blank = random.below(13) == 0;
            url.push(if blank { '_' } else { char::from(letter) });
        }
    }
    url.push_str("/item.htm?query=1");
    url
}

/// How many popular channels there are.
pub const fn hot_channels() -> u64 {
    HOT_CHANNELS.len() as u64
}

/// The length of a text that brings a row of `current` bytes to `average` on average, a fifth of
/// it up or down.
#[inline(always)]
pub fn padding(bits: u64, current: u64, average: u64) -> u64 {
    let missing = average.saturating_sub(current);
    let delta = (2 * missing + 5) / 10;
    missing - delta + crate::random::below(bits << 32, 2 * delta)
}
