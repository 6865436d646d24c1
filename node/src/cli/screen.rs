//! Shows a list again when it changes: in place on a terminal, elsewhere a line for each row that is new or has changed. Asks when the
//! node has told of an event, at most once a second; and now and then without, for what is not told here.

use super::error::CliError;
use super::output::{Format, Output, Row, Style};
use super::progress::Progress;
use crate::client::{Client, ClientError};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Between two questions, at least.
const PAUSE: Duration = Duration::from_secs(1);
/// Lines of a terminal that does not say how many it has.
const LINES_DEFAULT: usize = 24;

/// What is watched.
pub(super) struct Watched<'a, T> {
    /// Events that are worth a look: a path of the API.
    pub(super) events: &'static str,
    /// Without an event, a look after so long.
    pub(super) every: Duration,
    /// What of a row counts as a change.
    pub(super) changes: &'a dyn Fn(&T) -> String,
}

/// Rows, and something to say beside them.
pub(super) type Shown<T> = (Vec<T>, Option<String>);

/// Until Ctrl-C, or until nobody reads any more.
pub(super) async fn watch<T: Row>(
    client: &mut Client,
    format: Format,
    watched: Watched<'_, T>,
    mut ask: impl AsyncFnMut(&mut Client) -> Result<Shown<T>, ClientError>,
) -> Result<(), CliError> {
    let bell = Arc::new(Notify::new());
    tokio::spawn(listen(client.another(), watched.events, Arc::clone(&bell)));
    let in_place = std::io::stdout().is_terminal() && matches!(format, Format::Table | Format::Wide);
    let mut known: HashMap<String, String> = HashMap::new();
    let mut progress = Progress::stderr();
    let mut away = false;
    loop {
        let asked = Instant::now();
        match ask(client).await {
            Ok((rows, note)) => {
                if in_place {
                    draw(format, &rows, note.as_deref())?;
                } else {
                    let is_news = |row: &&T| known.get(&row.id()) != Some(&(watched.changes)(row));
                    let news: Vec<&T> = rows.iter().filter(is_news).collect();
                    Output::stdout(format).lines(&news)?;
                    known = rows.iter().map(|row| (row.id(), (watched.changes)(row))).collect();
                }
                away = false;
            }
            Err(error @ ClientError::Problem(_)) => return Err(error.into()),
            Err(error) => {
                if !std::mem::replace(&mut away, true) {
                    progress.notice(&format!("{error}; waiting for the node to come back"));
                }
            }
        }
        sleep_until(asked + PAUSE).await;
        // An error means that nothing has happened, and a look is due all the same.
        let _ = timeout(watched.every, bell.notified()).await;
    }
}

/// Rings when the node tells of an event.
async fn listen(mut client: Client, path: &'static str, bell: Arc<Notify>) {
    loop {
        let heard = |line: &[u8]| {
            if line.starts_with(b"data:") {
                bell.notify_one();
            }
            true
        };
        // Whatever became of it: again, as long as somebody looks.
        let _ = client.get_lines(path, heard).await;
        sleep(PAUSE).await;
    }
}

/// From the upper left corner on, as many lines as there is room for.
fn draw<T: Row>(format: Format, rows: &[T], note: Option<&str>) -> Result<(), CliError> {
    let mut table = Vec::new();
    Output::new(format, Style::of_stdout(), &mut table).list(rows)?;
    let table = String::from_utf8_lossy(&table).into_owned();
    let rows_of = |size: rustix::termios::Winsize| usize::from(size.ws_row);
    let room = rustix::termios::tcgetwinsize(std::io::stdout()).map(rows_of).ok().filter(|rows| *rows > 0);
    let room = room.unwrap_or(LINES_DEFAULT);
    Output::stdout(format).text(&frame(&table, note, room.max(2)))
}

/// Overwrites what stands there; lines are cut at the edge, and the rest below is cleared.
fn frame(table: &str, note: Option<&str>, room: usize) -> String {
    let lines: Vec<_> = table.lines().chain(note).collect();
    let fits = lines.len() < room;
    let shown = if fits { lines.len() } else { room - 2 };
    let mut text = String::from("\x1b[H\x1b[?7l");
    for line in &lines[..shown] {
        text.push_str(line);
        text.push_str("\x1b[K\n");
    }
    if !fits {
        text.push_str(&format!("… and {} more\x1b[K\n", lines.len() - shown));
    }
    text.push_str("\x1b[?7h\x1b[J");
    text
}

#[cfg(test)]
mod tests {
    use super::frame;

    #[test]
    fn what_does_not_fit_is_counted() {
        let table = "HEAD\na\nb\nc\n";
        let visible = |room| -> Vec<String> {
            let text = frame(table, Some("note"), room);
            let plain = text.replace("\x1b[K", "").replace("\x1b[H\x1b[?7l", "").replace("\x1b[?7h\x1b[J", "");
            plain.lines().map(str::to_owned).collect()
        };
        assert_eq!(visible(6), ["HEAD", "a", "b", "c", "note"]);
        assert_eq!(visible(5), ["HEAD", "a", "b", "… and 2 more"]);
        assert_eq!(visible(2), ["… and 5 more"]);
    }
}
