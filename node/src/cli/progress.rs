//! How a wait is going, on stderr: one line that changes on a terminal, a line per change elsewhere.

use super::output::shown_lines;
use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::rc::Rc;

/// The line.
#[derive(Debug)]
pub(super) struct Progress {
    terminal: bool,
    silent: bool,
    last: String,
    line: Rc<Line>,
}

/// The line on the terminal, which several may write to.
#[derive(Debug, Default)]
struct Line {
    shown: Cell<bool>,
    quiet: Cell<bool>,
}

impl Progress {
    /// On stderr.
    pub(super) fn stderr() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), silent: false, last: String::new(), line: Rc::default() }
    }

    /// On stderr if it is a terminal, and nowhere otherwise: stderr belongs to the command that runs.
    pub(super) fn terminal_only() -> Self {
        let mut stderr = Self::stderr();
        stderr.silent = !stderr.terminal;
        stderr
    }

    /// People see it.
    pub(super) const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// A second one for the same line.
    pub(super) fn share(&self) -> Self {
        Self { terminal: self.terminal, silent: self.silent, last: String::new(), line: Rc::clone(&self.line) }
    }

    /// From now on the terminal is somebody else's; only notices are written.
    pub(super) fn hush(&mut self) {
        self.clear();
        self.line.quiet.set(true);
    }

    /// Where things stand; `ticking` is what changes all the time and is worth no line of its own.
    pub(super) fn tell(&mut self, text: &str, ticking: &str) {
        if self.silent || self.line.quiet.get() {
            return;
        }
        if self.terminal {
            let line: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
            self.write(&format!("\r\x1b[2K{line} {ticking}"));
            self.line.shown.set(true);
        } else if text != self.last {
            self.write(&format!("{}\n", shown_lines(text)));
        }
        self.last = text.to_owned();
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if self.line.shown.take() {
            self.write("\r\x1b[2K");
        }
    }

    /// A notice that stays.
    pub(super) fn notice(&mut self, text: &str) {
        self.clear();
        self.write(&format!("{}\n", shown_lines(text)));
    }

    fn write(&self, text: &str) {
        // Nobody is left to tell if stderr is closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
