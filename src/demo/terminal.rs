//! The terminal: keys as they are pressed, and how wide it is.

use std::io;

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

/// How wide a line is where the terminal does not say.
const WIDTH: usize = 80;

/// A terminal that gives each key at once and does not show it, until this is dropped. Ctrl-C stays a signal.
pub(super) struct Keys(Termios);

impl Keys {
    pub(super) fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut keys = before.clone();
        keys.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
        keys.special_codes[SpecialCodeIndex::VMIN] = 1;
        keys.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Flush, &keys)?;
        Ok(Self(before))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        tcsetattr(io::stdin(), OptionalActions::Flush, &self.0).ok();
    }
}

/// How many characters fit in a line.
pub(super) fn width() -> usize {
    tcgetwinsize(io::stdout()).map_or(WIDTH, |size| if size.ws_col == 0 { WIDTH } else { size.ws_col.into() })
}
