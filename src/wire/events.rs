//! Server-sent events of a group: how they are named and read.
//!
//! Events that are not known are passed over: there may be more kinds of them one day.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    members::{Content, Field, Reader},
    schema,
};
use crate::domain::SessionId;

/// The first event of a stream: it says that the stream works.
pub const LISTENING: &str = "Listening";

/// A heartbeat is waited for.
pub const NUDGE: &str = "Nudge";

/// Something happened in the group: an item of its history, without what was known of the members.
pub const CHANGE: &str = "Change";

/// The longest line, and the most data of an event; a change has some thousand bytes at the most.
const LONGEST: usize = 16 * 1024;

/// The data of [`NUDGE`].
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Nudge")]
pub struct NudgeBody {
    /// Whose heartbeat is waited for; left out where everybody's is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::Id")]
    session: Option<String>,
}

impl NudgeBody {
    /// The body that asks `session`, or every session, for a heartbeat.
    #[must_use]
    pub fn new(session: Option<&SessionId>) -> Self {
        Self { session: session.map(ToString::to_string) }
    }
}

/// Whether an event of this name and data asks `session` for a heartbeat.
#[must_use]
pub fn nudges(name: &str, data: &str, session: &SessionId) -> bool {
    if name != NUDGE {
        return false;
    }
    let Some(Ok(members)) = Content::parse(data.as_bytes()).ok().map(Content::object) else { return false };
    match Reader::new(members).any("Session") {
        Field::Value(Value::String(named)) => named == session.as_str(),
        Field::Null | Field::Absent => true,
        Field::Value(_) => false,
    }
}

/// The stream sent a line or an event that no endpoint of ours would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it sent an event of more than {LONGEST} bytes")]
pub struct TooLong;

/// Reads an event stream (the WHATWG's text/event-stream) as it arrives, in pieces of any size.
#[derive(Debug, Default)]
pub struct EventReader {
    line: Vec<u8>,
    /// Whether the last byte was a CR, whose LF is part of the same end of line.
    after_cr: bool,
    /// Whether the first line, which may begin with a byte order mark, is over.
    begun: bool,
    name: String,
    /// The data so far, each line of it with an LF at its end.
    data: String,
}

impl EventReader {
    /// Takes in a piece of the stream; calls `each` with name and data of every event that it ends.
    ///
    /// # Errors
    /// When a line or an event is too long. The stream cannot be read on then.
    pub fn read(&mut self, piece: &[u8], mut each: impl FnMut(&str, &str)) -> Result<(), TooLong> {
        for byte in piece {
            let ends_crlf = std::mem::replace(&mut self.after_cr, *byte == b'\r') && *byte == b'\n';
            match byte {
                b'\n' if ends_crlf => {}
                b'\n' | b'\r' => self.end_line(&mut each)?,
                _ if self.line.len() < LONGEST => self.line.push(*byte),
                _ => return Err(TooLong),
            }
        }
        Ok(())
    }

    fn end_line(&mut self, each: &mut impl FnMut(&str, &str)) -> Result<(), TooLong> {
        let line = std::mem::take(&mut self.line);
        let mut line = String::from_utf8_lossy(&line);
        if !std::mem::replace(&mut self.begun, true)
            && let Some(rest) = line.strip_prefix('\u{feff}')
        {
            line = rest.to_owned().into();
        }
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            if let Some(data) = data.strip_suffix('\n') {
                each(&name, data);
            }
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" if self.data.len() + value.len() < LONGEST => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "data" => return Err(TooLong),
            // A comment, or a field that means nothing here.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Result<Vec<(String, String)>, TooLong> {
        let (mut reader, mut found) = (EventReader::default(), Vec::new());
        for piece in pieces {
            reader.read(piece, |name, data| found.push((name.to_owned(), data.to_owned())))?;
        }
        Ok(found)
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn events_are_read_whatever_ends_their_lines() {
        let expected = Ok(vec![event("Nudge", "{}"), event("", "a\nb")]);
        for end in ["\n", "\r\n", "\r"] {
            let text = ": hello||event: Nudge|data: {}||retry: 5|id: 7|data:a|data: b||".replace('|', end);
            assert_eq!(events(&[text.as_bytes()]), expected, "{end:?}");
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(events(&bytes), expected, "{end:?}, a byte at a time");
        }
    }

    #[test]
    fn an_event_without_data_is_none_and_takes_its_name_with_it() {
        assert_eq!(events(&[b"event: Nudge\n\ndata: x\n\n"]), Ok(vec![event("", "x")]));
        assert_eq!(events(&[b"event: Nudge\ndata\n\n"]), Ok(vec![event("Nudge", "")]));
        assert_eq!(events(&[b"event: Nudge\ndata: not ended\n"]), Ok(Vec::new()));
    }

    #[test]
    fn a_byte_order_mark_and_bytes_that_are_no_text_do_no_harm() {
        assert_eq!(events(&["\u{feff}data: x\n\n".as_bytes()]), Ok(vec![event("", "x")]));
        assert_eq!(events(&[b"\xff\xfe\x00\n\xc3\ndata: x\xff\n\n"]), Ok(vec![event("", "x\u{fffd}")]));
    }

    #[test]
    fn what_never_ends_is_given_up() {
        assert_eq!(events(&[&[b'x'; LONGEST], b"x"]), Err(TooLong));
        let line = format!("data: {}\n", "x".repeat(LONGEST / 2));
        assert_eq!(events(&[line.as_bytes(), line.as_bytes()]), Err(TooLong));
    }

    #[test]
    fn only_a_nudge_for_the_session_or_for_all_counts() {
        let me = SessionId::new("plant 1/a").unwrap();
        let written = |session| serde_json::to_string(&NudgeBody::new(session)).unwrap();
        assert_eq!(written(Some(&me)), r#"{"Session":"plant 1/a"}"#);
        assert_eq!(written(None), "{}");
        for (name, data, counts) in [
            (NUDGE, written(Some(&me)).as_str(), true),
            (NUDGE, written(None).as_str(), true),
            (NUDGE, r#"{"session": "plant 1/a", "More": [1]}"#, true),
            (NUDGE, r#"{"Session": null}"#, true),
            (NUDGE, r#"{"Session": "b"}"#, false),
            (NUDGE, r#"{"Session": 7}"#, false),
            (NUDGE, "plant 1/a", false),
            (NUDGE, "", false),
            ("nudge", "{}", false),
            (LISTENING, "{}", false),
            ("", "{}", false),
        ] {
            assert_eq!(nudges(name, data, &me), counts, "{name} {data}");
        }
    }
}
