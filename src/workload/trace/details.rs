//! What a row may state beyond its time and its tokens.
//!
//! Few formats state any of it, so it stands apart from the rows, in sixteen bytes each: as plain
//! options it would take twice that, and traces have millions of rows.

use crate::request::{ClassIndex, ModelIndex, RegionIndex, RequestPriority, RequestType};

/// What a row states of its request; `None` leaves it to the class of the workload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RowDetails {
    /// Input tokens read from the provider's prompt cache, at most the input tokens.
    pub cached_input: Option<u32>,
    /// Class of the workload.
    pub class: Option<ClassIndex>,
    /// Model asked for.
    pub model: Option<ModelIndex>,
    /// Region of the user.
    pub region: Option<RegionIndex>,
    /// The request's own limit on output tokens, at least the tokens of the recorded answer and at
    /// least 1.
    pub max_output_tokens: Option<u32>,
    /// Urgency.
    pub priority: Option<RequestPriority>,
    /// Kind of work.
    pub request_type: Option<RequestType>,
    /// Whether the answer is streamed.
    pub streaming: Option<bool>,
}

/// The same in sixteen bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packed {
    cached_input: u32,
    /// 0: not stated.
    max_output_tokens: u32,
    class: u16,
    model: u16,
    region: u16,
    /// From the lowest bit: cached input stated (1 bit), streaming (2), priority (3), type (3).
    words: u16,
}

/// An index that is not stated; a scenario has far fewer names.
const NO_INDEX: u16 = u16::MAX;

impl Packed {
    /// A row that states nothing.
    pub const NOTHING: Self = Self {
        cached_input: 0,
        max_output_tokens: 0,
        class: NO_INDEX,
        model: NO_INDEX,
        region: NO_INDEX,
        words: 0,
    };

    /// Packs what a row states.
    pub fn new(row: RowDetails) -> Self {
        let streaming = row
            .streaming
            .map_or(0, |streaming| 1 + u16::from(streaming));
        let priority = row.priority.map_or(0, |priority| 1 + priority.at() as u16);
        let kind = row.request_type.map_or(0, |kind| 1 + kind.at() as u16);
        let cached = u16::from(row.cached_input.is_some());
        Self {
            cached_input: row.cached_input.unwrap_or(0),
            max_output_tokens: row.max_output_tokens.unwrap_or(0),
            class: row.class.map_or(NO_INDEX, |class| class.0),
            model: row.model.map_or(NO_INDEX, |model| model.0),
            region: row.region.map_or(NO_INDEX, |region| region.0),
            words: cached | streaming << 1 | priority << 3 | kind << 6,
        }
    }

    /// What the row states.
    #[inline]
    pub fn unpack(self) -> RowDetails {
        let index = |index: u16| (index != NO_INDEX).then_some(index);
        let word = |shift: u16, bits: u16| usize::from(self.words >> shift & ((1 << bits) - 1));
        RowDetails {
            cached_input: (self.words & 1 == 1).then_some(self.cached_input),
            class: index(self.class).map(ClassIndex),
            model: index(self.model).map(ModelIndex),
            region: index(self.region).map(RegionIndex),
            max_output_tokens: (self.max_output_tokens > 0).then_some(self.max_output_tokens),
            priority: stated(word(3, 3), RequestPriority::ALL),
            request_type: stated(word(6, 3), RequestType::ALL),
            streaming: stated(word(1, 2), &[false, true]),
        }
    }
}

/// The word number `nth` from 1; 0 is none.
fn stated<T: Copy>(nth: usize, words: &[T]) -> Option<T> {
    words.get(nth.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option::of;
    use proptest::prelude::*;
    use proptest::sample::select;

    #[test]
    fn sixteen_bytes_and_room_for_all_words() {
        assert_eq!(size_of::<Packed>(), 16);
        assert!(RequestPriority::ALL.len() < 1 << 3 && RequestType::ALL.len() < 1 << 3);
        assert_eq!(Packed::new(RowDetails::default()), Packed::NOTHING);
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            (cached_input, max_output_tokens) in (of(any::<u32>()), of(1u32..)),
            names in (of(..NO_INDEX), of(..NO_INDEX), of(..NO_INDEX)),
            priority in of(select(RequestPriority::ALL)),
            request_type in of(select(RequestType::ALL)),
            streaming in of(any::<bool>()),
        ) {
            let row = RowDetails {
                cached_input,
                class: names.0.map(ClassIndex),
                model: names.1.map(ModelIndex),
                region: names.2.map(RegionIndex),
                max_output_tokens,
                priority,
                request_type,
                streaming,
            };
            prop_assert_eq!(Packed::new(row).unpack(), row);
        }
    }
}
