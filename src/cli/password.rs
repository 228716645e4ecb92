//! Passwords, as a person or a program gives them: never on the command line.

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

use super::failure::Failure;

/// What Ctrl-C types where it sends no signal.
const INTERRUPT: u8 = 3;

/// The longest line that is read as a password: as many bytes as the longest secret can have.
const LIMIT: u64 = 4 * 4_096;

/// A password for a user: asked for twice on a terminal, else the first line of standard input.
pub(super) fn new_one() -> Result<SecretString, Failure> {
    new("Password: ")
}

/// A secret for the secret store, in the same way.
pub(super) fn new_secret() -> Result<SecretString, Failure> {
    new("Secret: ")
}

fn new(prompt: &str) -> Result<SecretString, Failure> {
    if !io::stdin().is_terminal() {
        return first_line(io::stdin().lock()).map_err(|error| not_read("Standard input", &error));
    }
    let given = ask(prompt)?;
    if given.expose_secret() == ask("Again: ")?.expose_secret() {
        Ok(given)
    } else {
        Err(Failure::Failed("The two differ.".to_owned()))
    }
}

/// The password of `user`: from a file, or asked for on a terminal.
pub(super) fn of(user: &str, file: Option<&Path>) -> Result<SecretString, Failure> {
    match file {
        Some(path) => in_file(path),
        None if io::stdin().is_terminal() => ask(&format!("Password of {user}: ")),
        None => Err(Failure::Failed(
            "There is no terminal to ask for the password: name a file with it by --password-file."
                .to_owned(),
        )),
    }
}

/// The first line of a file.
pub(super) fn in_file(path: &Path) -> Result<SecretString, Failure> {
    let read = fs::File::open(path).and_then(|file| first_line(io::BufReader::new(file)));
    read.map_err(|error| not_read(path.display(), &error))
}

fn not_read(what: impl std::fmt::Display, error: &io::Error) -> Failure {
    Failure::failed(format_args!("{what} cannot be read"), error)
}

fn first_line(from: impl BufRead) -> io::Result<SecretString> {
    let mut line = Zeroizing::new(String::new());
    from.take(LIMIT).read_line(&mut line)?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n'])))
}

fn ask(prompt: &str) -> Result<SecretString, Failure> {
    let asked = || -> io::Result<SecretString> {
        let _silence = Silence::begin()?;
        let mut terminal = io::stderr().lock();
        write!(terminal, "{prompt}")?;
        terminal.flush()?;
        let typed = typed_line(io::stdin().lock())?;
        writeln!(terminal)?;
        typed.ok_or_else(|| io::ErrorKind::Interrupted.into())
    };
    asked().map_err(|error| not_read("The password", &error))
}

/// A line from a silent terminal; nothing where Ctrl-C ends it.
fn typed_line(from: impl BufRead) -> io::Result<Option<SecretString>> {
    let mut line = Zeroizing::new(Vec::new());
    let mut from = from.take(LIMIT);
    loop {
        let part = from.fill_buf()?;
        let (used, over) = (part.len(), part.is_empty() || part.contains(&b'\n'));
        line.extend_from_slice(part);
        from.consume(used);
        if line.contains(&INTERRUPT) {
            return Ok(None);
        }
        if over {
            return first_line(line.as_slice()).map(Some);
        }
    }
}

/// A terminal that does not show what is typed, until it is dropped. Ctrl-C is typed meanwhile, and ends the line: as a
/// signal it would end the process, and leave the terminal silent.
struct Silence(Termios);

impl Silence {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        tcsetattr(io::stdin(), OptionalActions::Flush, &self.0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_without_its_end() -> io::Result<()> {
        for (text, password) in [("a b\nc\n", "a b"), ("a\r\n", "a"), (" a ", " a "), ("", "")] {
            assert_eq!(first_line(text.as_bytes())?.expose_secret(), password);
        }
        Ok(())
    }

    #[test]
    fn a_line_that_ctrl_c_ends_is_no_password() -> io::Result<()> {
        assert_eq!(
            typed_line(b"a b\nc\n".as_slice())?.map(|line| line.expose_secret().to_owned()),
            Some("a b".into())
        );
        assert!(typed_line(b"a b\x03".as_slice())?.is_none());
        Ok(())
    }
}
