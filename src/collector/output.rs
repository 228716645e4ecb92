//! What a collector writes: lines of our log, marked as its own.

use std::fmt::Write;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader};

/// The longest line, in bytes; what is longer goes on in the next.
const LONGEST_LINE: usize = 4 * 1024;

/// Logs everything that is written until the writers have ended.
pub(super) async fn log(output: impl AsyncRead + Unpin, stream: &'static str) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        match next_line(&mut output, &mut line).await {
            Ok(true) => tracing::info!(stream, "collector: {}", printable(&line)),
            Ok(false) => return,
            Err(error) => return tracing::warn!(%error, stream, "the collector's output cannot be read"),
        }
    }
}

/// Reads a line without its end, or as much of it as a line may have. Whether there was one.
///
/// # Errors
/// When the output cannot be read.
pub async fn next_line(
    output: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> std::io::Result<bool> {
    line.clear();
    loop {
        let there = output.fill_buf().await?;
        if there.is_empty() {
            return Ok(!line.is_empty());
        }
        let room = &there[..there.len().min(LONGEST_LINE - line.len())];
        let end = room.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&room[..end.unwrap_or(room.len())]);
        let taken = end.map_or(room.len(), |end| end + 1);
        output.consume(taken);
        if end.is_some() || line.len() == LONGEST_LINE {
            return Ok(true);
        }
    }
}

/// The text of a line that can do nothing to a terminal, or to whoever reads the log line by line.
#[must_use]
pub fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut printable = String::with_capacity(text.len());
    for character in text.trim_end_matches('\r').chars() {
        if character.is_control() && character != '\t' {
            // Writing to a String cannot fail.
            write!(printable, "{}", character.escape_default()).ok();
        } else {
            printable.push(character);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(mut text: &[u8]) -> std::io::Result<Vec<String>> {
        let (mut lines, mut line) = (Vec::new(), Vec::new());
        while next_line(&mut text, &mut line).await? {
            lines.push(printable(&line));
        }
        Ok(lines)
    }

    #[tokio::test]
    async fn output_becomes_lines_that_are_bounded_and_harmless() -> std::io::Result<()> {
        assert_eq!(lines(b"one\r\n\ntwo").await?, ["one", "", "two"]);
        assert_eq!(lines(b"a\x1b[31mb\tc\xff\n").await?, ["a\\u{1b}[31mb\tc\u{fffd}"]);
        let long = vec![b'x'; LONGEST_LINE + 1];
        let parts = lines(&long).await?;
        assert_eq!(parts.iter().map(String::len).collect::<Vec<_>>(), [LONGEST_LINE, 1]);
        let mut full = vec![b'x'; LONGEST_LINE];
        full.extend(b"\nnext\n");
        assert_eq!(lines(&full).await?.last().map(String::as_str), Some("next"));
        Ok(())
    }
}
