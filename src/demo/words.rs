//! What can be asked of the demo: a key on a terminal, a word in a script.

use std::{
    fs,
    io::{self, BufRead, BufReader, IsTerminal},
    path::Path,
    thread,
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{DemoError, terminal::Keys};

/// What is done to the Primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Stop,
    Kill,
    Freeze,
    Cut,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Fault(Fault),
    /// Whatever is down is brought back.
    Back,
    Quit,
}

/// Every word, its key, and what it does.
const WORDS: [(&str, &str, Word); 6] = [
    ("stop", "stop gently", Word::Fault(Fault::Stop)),
    ("kill", "kill", Word::Fault(Fault::Kill)),
    ("freeze", "freeze", Word::Fault(Fault::Freeze)),
    ("cut", "cut off", Word::Fault(Fault::Cut)),
    ("back", "bring back", Word::Back),
    ("quit", "quit", Word::Quit),
];

/// The legend of the keys, in one line.
pub(super) fn legend() -> String {
    let keys: Vec<String> = WORDS.iter().map(|(word, does, _)| format!("{} {does}", &word[..1])).collect();
    keys.join("   ")
}

/// A word that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the script is `{word}`: the words are {}", known())]
pub struct BadWord {
    line: usize,
    word: String,
}

fn known() -> String {
    WORDS.map(|(word, ..)| word).join(", ")
}

/// Where the words come from.
pub(super) struct Words {
    coming: mpsc::UnboundedReceiver<Result<Word, BadWord>>,
    /// The terminal that is read key by key, until this is dropped.
    keys: Option<Keys>,
}

impl Words {
    /// Listens to a script, or to keys. A file is read whole, so that it is wrong before anything begins; standard
    /// input as it comes. The key `q`, and the end of the terminal, cancel `leave` at once, whatever is under way.
    pub(super) fn listen(script: Option<&Path>, leave: CancellationToken) -> Result<Self, DemoError> {
        let (say, coming) = mpsc::unbounded_channel();
        // A thread blocks in reading, and nobody waits for it: it ends with the process.
        let keys = match script {
            Some(path) if path.as_os_str() == "-" => {
                thread::spawn(move || {
                    read_script(BufReader::new(io::stdin()), |word| say.send(word).is_ok())
                });
                None
            }
            Some(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|source| DemoError::Script { path: path.to_owned(), source })?;
                let mut words = Vec::new();
                read_script(text.as_bytes(), |word| {
                    words.push(word);
                    true
                });
                for word in words {
                    // The other end is in this function.
                    say.send(Ok(word?)).ok();
                }
                None
            }
            None if io::stdin().is_terminal() => {
                let keys = Keys::begin()?;
                thread::spawn(move || {
                    read_keys(io::stdin().lock(), |word| say.send(Ok(word)).is_ok());
                    leave.cancel();
                });
                Some(keys)
            }
            None => return Err(DemoError::NoTerminal),
        };
        Ok(Self { coming, keys })
    }

    pub(super) const fn are_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// The next word; none when there will be no more. Dropping the wait loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Word>, BadWord> {
        self.coming.recv().await.transpose()
    }

    /// Forgets keys that were pressed while something else was under way.
    pub(super) fn forget_keys(&mut self) {
        while self.keys.is_some() && self.coming.try_recv().is_ok() {}
    }
}

/// Reads a script to its end, or as long as `say` wants more.
fn read_script(lines: impl BufRead, mut say: impl FnMut(Result<Word, BadWord>) -> bool) {
    for (at, line) in lines.lines().map_while(Result::ok).enumerate() {
        let word = line.trim();
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        let known = WORDS.iter().find(|(known, ..)| *known == word).map(|(.., word)| *word);
        let known = known.ok_or_else(|| BadWord { line: at + 1, word: word.escape_debug().to_string() });
        if !say(known) {
            return;
        }
    }
}

/// Reads keys until `q`, the end of the terminal, or `say` wants no more. Keys that are none do nothing.
fn read_keys(keys: impl BufRead, mut say: impl FnMut(Word) -> bool) {
    for key in keys.bytes().map_while(Result::ok) {
        match WORDS.iter().find(|(word, ..)| word.as_bytes().first() == Some(&key)) {
            Some((.., Word::Quit)) => return,
            Some((.., word)) if !say(*word) => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_one_word_a_line_and_says_which_line_has_none() {
        let mut words = Vec::new();
        read_script("# a day\n\n kill \nback\nKill\n".as_bytes(), |word| {
            words.push(word.map_err(|bad| bad.to_string()));
            true
        });
        let said =
            "line 5 of the script is `Kill`: the words are stop, kill, freeze, cut, back, quit".to_owned();
        assert_eq!(words, [Ok(Word::Fault(Fault::Kill)), Ok(Word::Back), Err(said)]);
    }

    #[test]
    fn keys_are_the_first_letters_of_the_words_and_others_do_nothing() {
        let mut words = Vec::new();
        read_keys("k\n\u{1b}[Bxbqs".as_bytes(), |word| {
            words.push(word);
            true
        });
        assert_eq!(words, [Word::Fault(Fault::Kill), Word::Back]);
        let mut keys: Vec<_> = WORDS.iter().map(|(word, ..)| &word[..1]).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), WORDS.len(), "each key means one thing");
    }
}
