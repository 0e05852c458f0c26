//! A stream on its way through: the provider's bytes in, the client's out.
//!
//! Where the provider speaks the client's dialect its own events are handed on untouched, whole
//! ones only: if it breaks off within one, the client still reads an error event and not half of
//! JSON. Elsewhere they are translated step by step. In both cases they are read, for the usage,
//! for the first token, and for the answer where others are to be given it.

use crate::live::chat::{Answer, ChatRequest, Finish, StreamPart, UpstreamError};
use crate::live::client::StreamWriter;
use crate::live::clock::unix_seconds;
use crate::live::provider::{Shape, StreamReader};
use crate::request::Usage;
use bytes::Bytes;

/// A stream under way.
pub(super) struct Passage {
    reader: StreamReader,
    writer: StreamWriter,
    /// The provider's bytes since the last whole event, where they are handed on as they are.
    own_bytes: Option<Vec<u8>>,
    /// For the client, from before the first content.
    held: Vec<u8>,
    content: bool,
    /// The answer, for others.
    answer: Option<Answer>,
}

/// What the next bytes of the provider come to.
pub(super) enum Said {
    /// Nothing for the client yet.
    Nothing,
    /// More of the answer. `first` of all pieces that hold something of it.
    More { bytes: Bytes, first: bool },
    /// The rest: the answer is whole.
    Whole {
        bytes: Bytes,
        answer: Option<Answer>,
    },
    /// It breaks off here.
    Failed(UpstreamError),
}

impl Passage {
    /// For an answer of `shape` to `request`; `shared` if others may be given it.
    pub fn new(shape: Shape, request: &ChatRequest, shared: bool) -> Self {
        let answer = || Answer {
            id: String::new(),
            model: request.model.clone(),
            text: String::new(),
            finish: Finish::Done,
            usage: Usage::default(),
        };
        Self {
            reader: StreamReader::new(shape),
            writer: StreamWriter::new(request, unix_seconds()),
            own_bytes: shape.speaks(request.dialect).then(Vec::new),
            held: vec![],
            content: false,
            answer: shared.then(answer),
        }
    }

    /// Takes the provider's next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Said {
        self.reader.push(bytes);
        if let Some(own) = &mut self.own_bytes {
            own.extend_from_slice(bytes);
            let end = end_of_events(own);
            self.held.extend(own.drain(..end));
        }
        self.say()
    }

    /// Nothing more comes, be it the end or a break.
    pub fn end(&mut self) -> Said {
        self.reader.end();
        match self.say() {
            // A reader at its end has either a whole answer or an error to tell.
            Said::Nothing | Said::More { .. } => Said::Whole {
                bytes: Bytes::new(),
                answer: None,
            },
            said => said,
        }
    }

    /// Tokens consumed as far as the stream has told.
    pub const fn usage(&self) -> Usage {
        self.reader.usage()
    }

    /// Writes to the client.
    pub const fn writer(&self) -> &StreamWriter {
        &self.writer
    }

    fn say(&mut self) -> Said {
        let mut first = false;
        let mut whole = false;
        while let Some(part) = self.reader.next_part() {
            match &part {
                StreamPart::Failed(error) => return Said::Failed(error.clone()),
                StreamPart::Text(_) | StreamPart::Beyond => {
                    first |= !std::mem::replace(&mut self.content, true);
                }
                StreamPart::End => whole = true,
                StreamPart::Begin { .. } | StreamPart::Usage(_) | StreamPart::Finish(_) => {}
            }
            if let Some(answer) = &mut self.answer {
                keep(answer, &part);
            }
            if self.own_bytes.is_none() {
                self.writer.write(&part, &mut self.held);
            }
        }
        if whole {
            return Said::Whole {
                bytes: std::mem::take(&mut self.held).into(),
                answer: self.answer.take(),
            };
        }
        if !self.content || (self.held.is_empty() && !first) {
            return Said::Nothing;
        }
        Said::More {
            bytes: std::mem::take(&mut self.held).into(),
            first,
        }
    }
}

fn keep(answer: &mut Answer, part: &StreamPart) {
    match part {
        StreamPart::Begin { id, model } => {
            answer.id.clone_from(id);
            answer.model.clone_from(model);
        }
        StreamPart::Text(text) => answer.text.push_str(text),
        StreamPart::Usage(usage) => answer.usage = *usage,
        StreamPart::Finish(finish) => answer.finish = *finish,
        StreamPart::Beyond | StreamPart::End | StreamPart::Failed(_) => {}
    }
}

/// A whole answer as the stream that `request` asks for.
pub(super) fn replay(request: &ChatRequest, answer: &Answer) -> Bytes {
    let mut writer = StreamWriter::new(request, unix_seconds());
    let mut bytes = vec![];
    for part in [
        StreamPart::Begin {
            id: answer.id.clone(),
            model: answer.model.clone(),
        },
        StreamPart::Usage(answer.usage),
        StreamPart::Text(answer.text.clone()),
        StreamPart::Finish(answer.finish),
        StreamPart::End,
    ] {
        writer.write(&part, &mut bytes);
    }
    bytes.into()
}

/// Where the last whole event ends: after its blank line, however lines end.
fn end_of_events(bytes: &[u8]) -> usize {
    for at in (1..bytes.len()).rev() {
        let blank = match bytes[at] {
            b'\n' => {
                bytes[at - 1] == b'\n' || (bytes[at - 1] == b'\r' && ends_a_line(&bytes[..at - 1]))
            }
            // An LF may still come that belongs to it: it is then a line of its own, which no
            // reader minds.
            b'\r' => bytes[at - 1] == b'\r',
            _ => false,
        };
        if blank {
            return at + 1;
        }
    }
    0
}

fn ends_a_line(bytes: &[u8]) -> bool {
    matches!(bytes.last(), Some(b'\n' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_end_at_blank_lines() {
        for (text, end) in [
            ("", 0),
            ("data: x", 0),
            ("data: x\n", 0),
            ("data: x\n\n", 9),
            ("data: x\n\ndata: y\n", 9),
            ("data: x\r\n\r\ndata", 11),
            ("data: x\r\n", 0),
            ("data: x\r\rdata", 9),
            ("\r\n", 0),
        ] {
            assert_eq!(end_of_events(text.as_bytes()), end, "{text:?}");
        }
    }
}
