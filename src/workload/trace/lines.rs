//! The lines of a text that may be packed, of which only one is held at a time.
//!
//! Whether the text is packed is told by its first two bytes (RFC 1952, section 2.3.1), since the
//! name of a file is no evidence.

use super::error::{LineError, TraceError};
use flate2::read::MultiGzDecoder;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A line beyond this is not text but a mistake; it must not fill the memory.
const LONGEST_LINE: u64 = 1 << 20;

/// A reader of lines.
pub struct Lines<'a> {
    source: Box<dyn BufRead + 'a>,
    packed: bool,
    buffer: Vec<u8>,
    number: u64,
}

impl<'a> Lines<'a> {
    /// Starts reading text or gzip.
    pub fn open(mut bytes: impl Read + 'a) -> Result<Self, TraceError> {
        let mut head = Vec::new();
        let taken = bytes.by_ref().take(2).read_to_end(&mut head);
        let packed = head == GZIP_MAGIC;
        let whole = Cursor::new(head).chain(bytes);
        let lines = Self {
            source: if packed {
                Box::new(BufReader::new(MultiGzDecoder::new(whole)))
            } else {
                Box::new(BufReader::new(whole))
            },
            packed,
            buffer: Vec::new(),
            number: 0,
        };
        match taken {
            Ok(_) => Ok(lines),
            Err(error) => Err(lines.unreadable(&error).on(1)),
        }
    }

    /// Number of the line last read, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line without its end; `None` after the last.
    pub fn next(&mut self) -> Result<Option<&str>, TraceError> {
        self.number += 1;
        if !self.fill().map_err(|error| error.on(self.number))? {
            return Ok(None);
        }
        let mut line = self.buffer.as_slice();
        line = line.strip_suffix(b"\n").unwrap_or(line);
        line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.number == 1 {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        match std::str::from_utf8(line) {
            Ok(text) => Ok(Some(text)),
            Err(error) => Err(not_utf8(line, error.valid_up_to()).on(self.number)),
        }
    }

    /// Reads up to the end of the line; whether there was anything.
    fn fill(&mut self) -> Result<bool, LineError> {
        self.buffer.clear();
        let mut limited = self.source.by_ref().take(LONGEST_LINE);
        if let Err(error) = limited.read_until(b'\n', &mut self.buffer) {
            return Err(self.unreadable(&error));
        }
        if self.buffer.len() as u64 == LONGEST_LINE && !self.buffer.ends_with(b"\n") {
            let message = format!("the line is longer than {LONGEST_LINE} bytes");
            return Err(LineError::new(1, message));
        }
        Ok(!self.buffer.is_empty())
    }

    fn unreadable(&self, error: &std::io::Error) -> LineError {
        let message = match (self.packed, error.kind()) {
            (true, ErrorKind::UnexpectedEof) => {
                "the gzip data breaks off here; the file is not complete".to_owned()
            }
            (true, _) => format!("the gzip data is damaged here ({error})"),
            (false, _) => format!("cannot be read ({error})"),
        };
        LineError::new(1, message)
    }
}

fn not_utf8(line: &[u8], valid_up_to: usize) -> LineError {
    let (valid, rest) = line.split_at(valid_up_to);
    let column = String::from_utf8_lossy(valid).chars().count() + 1;
    let byte = rest.first().copied().unwrap_or_default();
    LineError::new(column, format!("byte 0x{byte:02x} is not UTF-8 text"))
}
