//! What a request asks for: its class, and what is drawn by class.
//!
//! Every request has a stream of its own, and every attribute takes exactly one word of it, in a
//! fixed order: class, input tokens, output tokens, streaming, region, cache key. Token counts,
//! whose samplers need a varying number of words, split off a stream by that word. So no attribute
//! moves another: a scenario that only changes its token distribution, or replays recorded token
//! counts, keeps every request's class, region and streaming. What a recorded row states takes the
//! place of what was drawn, and moves nothing else either.
//!
//! Requests with the same cache key are the same, so their token counts are drawn by the key and
//! not by the request: a hit then saves what the request would have cost.

use super::arrivals::{TokenCounts, Turn};
use super::config::{Repeats, RequestClass};
use super::name_entity;
use super::trace::RowDetails;
use super::weighted::Weighted;
use crate::distribution::Distribution;
use crate::request::{
    CacheKey, ClassIndex, RegionIndex, Request, RequestFeatures, RequestId, Usage,
};
use crate::rng::{Purpose, Streams};
use std::num::NonZeroU64;

/// The classes of a workload, ready to draw from.
#[derive(Clone, Debug)]
pub struct RequestMix {
    drawn: Weighted<Class>,
    /// All of them, by index, for rows that name theirs.
    named: Box<[Class]>,
}

#[derive(Clone, Debug)]
struct Class {
    index: ClassIndex,
    /// What all requests of the class have in common; the rest is filled in.
    features: RequestFeatures,
    input_tokens: Distribution,
    output_tokens: Distribution,
    cached_input_share: f64,
    streaming_share: f64,
    regions: Weighted<RegionIndex>,
    repeats: Option<Repeats>,
    /// Where the contents of this class begin among those of all; by its name.
    contents: u64,
}

impl RequestMix {
    /// A mix of the given classes by their weights.
    pub fn new(classes: &[RequestClass]) -> Self {
        let indices = (0..).map(ClassIndex);
        let weights = classes.iter().map(|class| class.weight);
        Self::of(classes, indices.zip(weights))
    }

    /// A mix of some of the given classes, by other weights.
    pub fn of(
        classes: &[RequestClass],
        chosen: impl IntoIterator<Item = (ClassIndex, f64)>,
    ) -> Self {
        let indexed = (0u16..).zip(classes);
        let named: Box<[Class]> = indexed
            .map(|(index, class)| Class::new(ClassIndex(index), class))
            .collect();
        let chosen = chosen.into_iter();
        let drawn = Weighted::new(
            chosen.filter_map(|(index, weight)| Some((weight, named.get(index.at())?.clone()))),
        );
        Self { drawn, named }
    }

    /// Whether no class has a weight.
    pub fn is_empty(&self) -> bool {
        self.drawn.is_empty()
    }

    /// Request number `id`, drawn from the stream of its key. Its token counts and the rest are as
    /// recorded, where they are. `None` only if the mix is empty.
    #[inline]
    pub fn request(&self, id: RequestId, turn: &Turn, streams: Streams) -> Option<Request> {
        let mut rng = streams.stream(Purpose::Attributes, turn.key);
        let mut class = self.drawn.pick(rng.uniform())?;
        if let Some(index) = turn.details.and_then(|details| details.class) {
            class = self.named.get(index.at())?;
        }
        let (mut of_input, mut of_output) = (rng.split(), rng.split());
        let mut features = class.features;
        features.streaming = rng.uniform() < class.streaming_share;
        features.user_region = class.regions.pick(rng.uniform()).copied();
        if let Some(repeats) = &class.repeats
            && rng.uniform() < repeats.share
        {
            let rank = repeats.popularity.sample(&mut rng.split());
            features.cache_key = Some(class.cache_key(rank));
            let content = class.contents.wrapping_add(u64::from(rank));
            let mut of_content = streams.stream(Purpose::Content, content);
            (of_input, of_output) = (of_content.split(), of_content.split());
        }
        let tokens = turn.tokens.unwrap_or_else(|| TokenCounts {
            input: class.input_tokens.sample_count(&mut of_input),
            output: class.output_tokens.sample_count(&mut of_output).max(1),
        });
        features.estimated_tokens = tokens.input;
        let mut request = Request {
            id,
            key: turn.key,
            class: class.index,
            user: turn.user,
            features,
            tokens: class.usage(tokens),
        };
        if let Some(details) = turn.details {
            state(&mut request, details, tokens);
        }
        Some(request)
    }
}

/// Puts what was recorded in the place of what was drawn.
fn state(request: &mut Request, details: RowDetails, recorded: TokenCounts) {
    let features = &mut request.features;
    features.model = details.model.unwrap_or(features.model);
    features.priority = details.priority.unwrap_or(features.priority);
    features.request_type = details.request_type.unwrap_or(features.request_type);
    features.streaming = details.streaming.unwrap_or(features.streaming);
    features.user_region = details.region.or(features.user_region);
    if let Some(limit) = details.max_output_tokens {
        features.max_output_tokens = Some(limit);
        request.tokens.output = recorded.output.min(limit);
    }
    if let Some(cached) = details.cached_input {
        request.tokens.cached_input = cached.min(recorded.input);
    }
}

impl Class {
    fn new(index: ClassIndex, class: &RequestClass) -> Self {
        let regions = class
            .regions
            .iter()
            .map(|(region, weight)| (*weight, *region));
        Self {
            index,
            features: RequestFeatures {
                model: class.model,
                estimated_tokens: 0,
                max_output_tokens: class.max_output_tokens,
                priority: class.priority,
                request_type: class.request_type,
                streaming: false,
                user_region: None,
                preferences: class.preferences,
                cache_key: None,
            },
            input_tokens: class.input_tokens.clone(),
            output_tokens: class.output_tokens.clone(),
            cached_input_share: class.cached_input_share,
            streaming_share: class.streaming_share,
            regions: Weighted::new(regions),
            repeats: class.repeats,
            contents: name_entity(&class.name),
        }
    }

    /// The key of the `rank`-th most popular thing that the class asks for; no two classes have the
    /// same.
    fn cache_key(&self, rank: u32) -> CacheKey {
        let class = u64::from(self.index.0) + 1;
        CacheKey(NonZeroU64::MIN.saturating_add((class << 32 | u64::from(rank)) - 1))
    }

    fn usage(&self, tokens: TokenCounts) -> Usage {
        let limit = self.features.max_output_tokens.unwrap_or(u32::MAX);
        Usage {
            input: tokens.input,
            cached_input: (self.cached_input_share * f64::from(tokens.input)) as u32,
            output: tokens.output.min(limit),
        }
    }
}
