//! What the demo prints: steps, a live table while work waits, and plain tables.

use crate::table::table;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Standard output for the story; progress goes to standard error and vanishes.
pub struct Screen {
    quiet: bool,
    step: u32,
}

impl Screen {
    /// `quiet` prints nothing (`--json`).
    #[must_use]
    pub const fn new(quiet: bool) -> Self {
        Self { quiet, step: 0 }
    }

    /// A heading.
    pub fn step(&mut self, title: &str) {
        self.step += 1;
        let step = self.step;
        self.line(&format!("\n{step}. {title}"));
    }

    /// A line.
    #[allow(clippy::print_stdout)] // what a command prints is its purpose
    pub fn line(&self, text: &str) {
        if !self.quiet {
            println!("{text}");
        }
    }

    /// A table: the first row is the heading.
    pub fn table(&self, rows: &[Vec<String>]) {
        self.line(table(rows).trim_end());
    }

    /// A table that is drawn over itself while something goes on; not drawn where nobody looks.
    #[must_use]
    pub fn live(&self) -> Live {
        Live { bars: MultiProgress::new(), lines: Vec::new(), quiet: self.quiet }
    }
}

/// See [`Screen::live`].
pub struct Live {
    bars: MultiProgress,
    lines: Vec<ProgressBar>,
    quiet: bool,
}

impl Live {
    /// Draws the table anew.
    pub fn draw(&mut self, rows: &[Vec<String>]) {
        if self.quiet {
            return;
        }
        let text = table(rows);
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        for (index, line) in text.lines().enumerate() {
            if self.lines.len() <= index {
                self.lines.push(self.bars.add(ProgressBar::new_spinner().with_style(style.clone())));
            }
            if let Some(bar) = self.lines.get(index) {
                bar.set_message(line.to_owned());
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for line in &self.lines {
            line.finish_and_clear();
        }
    }
}
