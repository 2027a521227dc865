//! A vector in pages, which never moves what it holds.

const PAGE_BITS: u32 = 12;
const PAGE: usize = 1 << PAGE_BITS;

/// Values by place, in pages of 4096.
///
/// A vector that doubles copies all that it holds each time, into memory that nobody has touched.
#[derive(Debug)]
pub struct Paged<T> {
    pages: Vec<Box<[T]>>,
}

impl<T: Copy> Paged<T> {
    /// No places.
    pub fn new() -> Self {
        Paged { pages: Vec::new() }
    }

    /// Makes room for the places below `len`; new ones hold `value`.
    pub fn grow(&mut self, len: usize, value: T) {
        while self.pages.len() << PAGE_BITS < len {
            self.pages.push(vec![value; PAGE].into_boxed_slice());
        }
    }

    /// The value at a place.
    #[inline]
    pub fn get(&self, place: u32) -> T {
        self.pages[(place >> PAGE_BITS) as usize][place as usize % PAGE]
    }

    /// The value at a place, to be changed.
    #[inline]
    pub fn get_mut(&mut self, place: u32) -> &mut T {
        &mut self.pages[(place >> PAGE_BITS) as usize][place as usize % PAGE]
    }

    /// How many pages there are.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// The values of a page, those of unused places too; none if there is no such page.
    pub fn page_mut(&mut self, page: usize) -> &mut [T] {
        self.pages.get_mut(page).map_or(&mut [], |page| page)
    }
}
