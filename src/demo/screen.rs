//! Where the demo tells: lines that stay, and on a terminal two lines at the bottom that follow.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use super::terminal;

/// What is told.
pub(super) struct Screen {
    /// Whether there is a bottom that can be written again.
    live: bool,
    /// The lines at the bottom, as they are shown now.
    bottom: Vec<String>,
}

impl Screen {
    /// With a bottom, where somebody presses keys at a terminal that can go back a line.
    pub(super) fn new(keys: bool) -> Self {
        let able = io::stdout().is_terminal() && env::var_os("TERM").is_some_and(|term| term != "dumb");
        Self { live: keys && able, bottom: Vec::new() }
    }

    pub(super) const fn is_live(&self) -> bool {
        self.live
    }

    /// Says a line that stays. On a terminal a long one goes on below, as far in as its text begins.
    pub(super) fn say(&mut self, line: &str) -> io::Result<()> {
        let mut out = self.erased();
        for line in if self.live { wrapped(line, terminal::width()) } else { vec![line.to_owned()] } {
            out.push_str(&line);
            out.push('\n');
        }
        out.push_str(&self.drawn());
        write(&out)
    }

    /// Shows these lines at the bottom, where there is one.
    pub(super) fn show(&mut self, bottom: Vec<String>) -> io::Result<()> {
        if !self.live || self.bottom == bottom {
            return Ok(());
        }
        let erased = self.erased();
        self.bottom = bottom;
        write(&(erased + &self.drawn()))
    }

    /// Takes the bottom away.
    pub(super) fn close(&mut self) {
        let erased = self.erased();
        self.bottom.clear();
        // A terminal that is gone shows nothing any more.
        write(&erased).ok();
    }

    /// What takes the bottom away.
    fn erased(&self) -> String {
        match self.bottom.len() {
            0 => String::new(),
            1 => "\r\u{1b}[J".to_owned(),
            lines => format!("\r\u{1b}[{}A\u{1b}[J", lines - 1),
        }
    }

    /// The bottom, each line as much of it as fits: one that went on below could not be taken away.
    fn drawn(&self) -> String {
        let width = terminal::width().saturating_sub(1);
        let fitting = |line: &String| line.chars().take(width).collect::<String>();
        self.bottom.iter().map(fitting).collect::<Vec<_>>().join("\n")
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A line in pieces of at most `width` characters, broken between words. A word alone may be longer: an address must
/// not be broken. The pieces after the first begin where the text after a label does.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let label = line.trim_start().find("  ").map(|end| end + line.len() - line.trim_start().len());
    let text = label.map_or(0, |label| label + line[label..].len() - line[label..].trim_start().len());
    let indent = if text == 0 { line.len() - line.trim_start().len() } else { text };
    let (mut pieces, mut piece, mut words) = (Vec::new(), line[..indent].to_owned(), 0);
    for word in line[indent..].split(' ').filter(|word| !word.is_empty()) {
        if words > 0 && piece.chars().count() + 1 + word.chars().count() > width {
            pieces.push(std::mem::replace(&mut piece, " ".repeat(indent)));
            words = 0;
        }
        if words > 0 {
            piece.push(' ');
        }
        piece.push_str(word);
        words += 1;
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_where_its_text_begins() {
        for (line, width, pieces) in [
            ("short", 10, vec!["short"]),
            ("", 10, vec![""]),
            ("one two three", 8, vec!["one two", "three"]),
            ("  why   one two three", 16, vec!["  why   one two", "        three"]),
            ("http://127.0.0.1:5590/ x", 5, vec!["http://127.0.0.1:5590/", "x"]),
        ] {
            assert_eq!(wrapped(line, width), pieces, "{line}");
        }
    }
}
