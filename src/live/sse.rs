//! Server-sent events, read piece by piece and written.
//!
//! The grammar is that of the HTML standard (section 9.2.6): lines end with LF, CR LF or CR; a
//! blank line dispatches; `data` lines are joined by LF; a line that begins with a colon is a
//! comment; a byte order mark at the start is skipped; an event that the end of the stream cuts
//! short is dropped. Pieces may end anywhere, within a CR LF or within a character, so bytes are
//! kept until their line is whole and only then read as UTF-8. What is not UTF-8 becomes U+FFFD, as
//! the standard says: one bad byte must not end a stream.
//!
//! Unlike the standard, an event has a limit: a peer that never ends its line must not fill the
//! memory.

use std::collections::VecDeque;

/// Most bytes of one event, 1 MiB: a frame of a model's answer has some hundred.
pub const MOST_BYTES: usize = 1 << 20;

/// One event.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Event {
    /// Its `event` field; empty if it has none.
    pub name: String,
    /// Its `data` lines, joined by LF.
    pub data: String,
}

/// An event was longer than [`MOST_BYTES`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an event of more than {MOST_BYTES} bytes")
    }
}

impl std::error::Error for TooLong {}

/// Reads a stream of events.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// The event that has not been dispatched yet.
    event: Event,
    /// Whether `event` has a `data` field, be it an empty one.
    has_data: bool,
    /// Whether the last byte was a CR, so that an LF belongs to it.
    after_cr: bool,
    /// Whether a line has ended: no byte order mark can follow.
    begun: bool,
    ready: VecDeque<Event>,
}

impl Parser {
    /// Takes the next piece. Events that it completes are given out by [`Self::next_event`].
    ///
    /// # Errors
    /// If an event is longer than [`MOST_BYTES`]; the stream cannot be read on from there.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), TooLong> {
        let mut rest = piece;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.take(&rest[..end])?;
            self.end_line();
            let cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            if cr {
                self.after_cr = rest.is_empty();
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
        }
        self.take(rest)
    }

    /// The next whole event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + self.event.data.len() + bytes.len() > MOST_BYTES {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) if !self.begun => rest,
            _ => &text,
        };
        self.begun = true;
        if text.is_empty() {
            self.dispatch();
        } else {
            self.field(text);
        }
        self.line = bytes;
        self.line.clear();
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event.name),
            // `id` and `retry` are for browsers that connect again; a comment has no name.
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let event = std::mem::take(&mut self.event);
        if std::mem::take(&mut self.has_data) {
            self.ready.push_back(event);
        }
    }
}

/// Appends an event. An empty `name` is left out.
pub fn write(out: &mut Vec<u8>, name: &str, data: &str) {
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    for line in data.split('\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(stream: &[u8]) -> Vec<(String, String)> {
        pieces([stream])
    }

    fn pieces<'a>(stream: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String)> {
        let mut parser = Parser::default();
        let mut events = vec![];
        for piece in stream {
            parser.push(piece).unwrap();
            while let Some(Event { name, data }) = parser.next_event() {
                events.push((name, data));
            }
        }
        events
    }

    fn data(texts: &[&str]) -> Vec<(String, String)> {
        let event = |text: &&str| (String::new(), (*text).to_owned());
        texts.iter().map(event).collect()
    }

    /// The examples of the standard, section 9.2.6.
    #[test]
    fn examples_of_the_standard() {
        assert_eq!(
            whole(b"data: YHOO\ndata: +2\ndata: 10\n\n"),
            data(&["YHOO\n+2\n10"])
        );
        let three = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n\
            data:  third event\n";
        assert_eq!(whole(three), data(&["first event", "second event"]));
        assert_eq!(whole(b"data\n\ndata\ndata\n\ndata:"), data(&["", "\n"]));
        assert_eq!(
            whole(b"data:test\n\ndata: test\n\n"),
            data(&["test", "test"])
        );
    }

    #[test]
    fn a_name_belongs_to_one_event() {
        let named = |name: &str, data: &str| (name.to_owned(), data.to_owned());
        assert_eq!(
            whole(b"event: ping\ndata: {}\n\ndata: 1\n\nevent: lost\n\ndata: 2\n\n"),
            [named("ping", "{}"), named("", "1"), named("", "2")]
        );
    }

    #[test]
    fn a_byte_order_mark_is_skipped_once() {
        assert_eq!(whole("\u{feff}data: a\n\n".as_bytes()), data(&["a"]));
        assert_eq!(
            whole("\ndata: \u{feff}\n\n".as_bytes()),
            data(&["\u{feff}"])
        );
        assert_eq!(whole("\n\u{feff}data: a\n\n".as_bytes()), []);
    }

    #[test]
    fn what_is_not_utf_8_ends_no_stream() {
        assert_eq!(
            whole(b"data: a\xff\n\ndata: b\n\n"),
            data(&["a\u{fffd}", "b"])
        );
    }

    #[test]
    fn an_endless_line_or_event_is_refused() {
        let mut parser = Parser::default();
        let piece = [b'x'; 1 << 16];
        assert!((0..20).any(|_| parser.push(&piece).is_err()));
        let mut parser = Parser::default();
        let line = [b"data: ", &piece[..], b"\n"].concat();
        assert!((0..20).any(|_| parser.push(&line).is_err()));
    }

    proptest! {
        #[test]
        fn where_a_stream_is_cut_does_not_matter(
            lines in prop::collection::vec("(data|event|id|: c|x)?:? ?[a-zä€😀]{0,5}", 0..12),
            ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r"]), 12),
            cuts in prop::collection::vec(0usize..200, 0..20),
        ) {
            let mut stream = String::new();
            for (line, end) in lines.iter().zip(&ends) {
                stream.push_str(line);
                stream.push_str(end);
            }
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let cut = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(pieces(cut), whole(bytes));
        }

        #[test]
        fn what_is_written_is_read(name in "[a-z_]{0,8}", text in "[^\r]{0,40}") {
            let mut stream = vec![];
            write(&mut stream, &name, &text);
            prop_assert_eq!(whole(&stream), [(name, text)]);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 1usize..40) {
            let mut parser = Parser::default();
            for piece in bytes.chunks(cut) {
                let _ = parser.push(piece);
            }
        }
    }
}
