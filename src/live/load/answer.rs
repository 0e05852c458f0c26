//! What came back, read to its end: was it an answer?
//!
//! Status 200 is not enough. A stream can break off, or end in an error event, and a generator that
//! counts statuses would report such a server as perfect.

use super::LoadDialect;
use super::record::Outcome;
use crate::live::chat::StreamPart;
use crate::live::provider::{Shape, StreamReader};
use crate::live::sse::Parser;
use crate::request::Usage;
use serde::Deserialize;

/// Most bytes of an answer that is no stream, or of an error.
const MOST_BYTES: usize = 1 << 26;

/// Most characters of a type of error that are kept.
const MOST_OF_KIND: usize = 60;

/// Reads one answer.
pub(super) struct AnswerReader {
    form: Form,
    content: bool,
    whole: bool,
    usage: Usage,
    broken: Option<Box<str>>,
}

enum Form {
    Stream(Box<StreamReader>),
    OpenAiStream(Parser),
    Whole(LoadDialect, Vec<u8>),
    Error(u16, Vec<u8>),
}

impl AnswerReader {
    /// A reader for an answer with this status to a request of this dialect.
    pub fn new(status: u16, dialect: LoadDialect, streaming: bool) -> Self {
        let form = match (status, dialect) {
            (200, LoadDialect::OpenAi) if streaming => Form::OpenAiStream(Parser::default()),
            (200, LoadDialect::Anthropic) if streaming => stream(Shape::Anthropic),
            (200, LoadDialect::Gemini) if streaming => stream(Shape::Gemini),
            (200, _) => Form::Whole(dialect, vec![]),
            _ => Form::Error(status, vec![]),
        };
        Self {
            form,
            content: false,
            whole: false,
            usage: Usage::default(),
            broken: None,
        }
    }

    /// Takes the next piece of the body.
    pub fn push(&mut self, piece: &[u8]) {
        match &mut self.form {
            Form::Stream(reader) => {
                reader.push(piece);
                self.read_parts();
            }
            Form::OpenAiStream(parser) => {
                if let Err(error) = parser.push(piece) {
                    self.broken.get_or_insert(error.to_string().into());
                }
                self.read_events();
            }
            Form::Whole(_, bytes) | Form::Error(_, bytes) => {
                let room = MOST_BYTES.saturating_sub(bytes.len());
                bytes.extend_from_slice(&piece[..piece.len().min(room)]);
            }
        }
    }

    /// Whether something of a streamed answer's content has come.
    pub const fn has_content(&self) -> bool {
        self.content
    }

    /// Tokens that the answer reports; complete after [`Self::end`].
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// The body has ended: what it was.
    pub fn end(&mut self) -> Outcome {
        match &mut self.form {
            Form::Stream(reader) => {
                reader.end();
                self.read_parts();
            }
            Form::OpenAiStream(_) => {}
            Form::Whole(dialect, bytes) => match whole(*dialect, bytes) {
                Ok(usage) => (self.usage, self.whole) = (usage, true),
                Err(why) => self.broken = Some(why.into()),
            },
            Form::Error(status, bytes) => return Outcome::Refused(*status, error_kind(bytes)),
        }
        match self.broken.take() {
            Some(why) => Outcome::Broken(why),
            None if self.whole => Outcome::Ok,
            None => Outcome::Broken("cut short".into()),
        }
    }

    /// The connection was lost within the body.
    pub fn lost(&mut self) -> Outcome {
        match &self.form {
            Form::Error(status, bytes) => Outcome::Refused(*status, error_kind(bytes)),
            _ => Outcome::Broken(self.broken.take().unwrap_or_else(|| "cut short".into())),
        }
    }

    fn read_parts(&mut self) {
        let Form::Stream(reader) = &mut self.form else {
            return;
        };
        while let Some(part) = reader.next_part() {
            match part {
                StreamPart::Text(_) | StreamPart::Beyond => self.content = true,
                StreamPart::End => self.whole = true,
                StreamPart::Failed(error) => {
                    self.broken = Some(error.failure.kind.name().into());
                }
                StreamPart::Begin { .. } | StreamPart::Usage(_) | StreamPart::Finish(_) => {}
            }
        }
        self.usage = reader.usage();
    }

    fn read_events(&mut self) {
        let Form::OpenAiStream(parser) = &mut self.form else {
            return;
        };
        while let Some(event) = parser.next_event() {
            if event.data == "[DONE]" {
                self.whole = true;
                continue;
            }
            let Ok(chunk) = serde_json::from_str::<Chunk>(&event.data) else {
                self.broken.get_or_insert("an event that is no JSON".into());
                continue;
            };
            if let Some(error) = chunk.error {
                self.broken.get_or_insert(error.name());
            }
            let mut choices = chunk.choices.iter();
            self.content |= choices.any(|choice| choice.delta.content.is_some_and(|c| !c.0));
            if let Some(usage) = chunk.usage {
                self.usage = usage.into();
            }
        }
    }
}

fn stream(shape: Shape) -> Form {
    Form::Stream(Box::new(StreamReader::new(shape)))
}

fn whole(dialect: LoadDialect, bytes: &[u8]) -> Result<Usage, String> {
    let shape = match dialect {
        LoadDialect::Anthropic => Shape::Anthropic,
        LoadDialect::Gemini => Shape::Gemini,
        LoadDialect::OpenAi => return whole_openai(bytes),
    };
    let answer = shape.answer(bytes);
    answer
        .map(|answer| answer.usage)
        .map_err(|error| error.failure.kind.name().to_owned())
}

fn whole_openai(bytes: &[u8]) -> Result<Usage, String> {
    let read: Result<Completion, _> = serde_json::from_slice(bytes);
    let answer = read.map_err(|_| "not a chat completion".to_owned())?;
    if answer.choices.is_empty() {
        return Err("a chat completion without a choice".to_owned());
    }
    Ok(answer.usage.map_or_else(Usage::default, Usage::from))
}

/// The type of error that a body states, in whichever of the dialects; empty if none.
fn error_kind(bytes: &[u8]) -> Box<str> {
    let read: Result<ErrorBody, _> = serde_json::from_slice(bytes);
    read.map_or_else(|_| "".into(), |body| body.error.name())
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorWords,
}

/// Anthropic's and `OpenAI`'s errors have a type, Google's a status.
#[derive(Deserialize)]
struct ErrorWords {
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
}

impl ErrorWords {
    fn name(self) -> Box<str> {
        let name = self.kind.or(self.status).unwrap_or_default();
        let name: String = name.chars().take(MOST_OF_KIND).collect();
        name.into()
    }
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<OpenAiUsage>,
    error: Option<ErrorWords>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<IsEmpty>,
}

/// Whether a text is empty, without a copy of it.
#[derive(Clone, Copy)]
struct IsEmpty(bool);

impl<'de> Deserialize<'de> for IsEmpty {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text: std::borrow::Cow<str> = Deserialize::deserialize(from)?;
        Ok(Self(text.is_empty()))
    }
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<CompletionChoice>,
    usage: Option<OpenAiUsage>,
}

#[derive(Deserialize)]
struct CompletionChoice {
    #[serde(rename = "message")]
    _message: Message,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "role")]
    _role: serde::de::IgnoredAny,
}

#[derive(Deserialize)]
struct OpenAiUsage {
    prompt_tokens: u32,
    completion_tokens: u32,
    prompt_tokens_details: Option<PromptTokens>,
}

#[derive(Deserialize)]
struct PromptTokens {
    cached_tokens: Option<u32>,
}

impl From<OpenAiUsage> for Usage {
    fn from(usage: OpenAiUsage) -> Self {
        let details = usage.prompt_tokens_details;
        Self {
            input: usage.prompt_tokens,
            cached_input: details.and_then(|of| of.cached_tokens).unwrap_or(0),
            output: usage.completion_tokens,
        }
    }
}

#[cfg(test)]
mod tests;
