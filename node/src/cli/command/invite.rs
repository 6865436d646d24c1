//! `invite`: a ticket for another device; as text on stdout, and as a picture for a phone on the terminal.

use crate::cli::args::InviteArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output};
use crate::cli::session::{Place, Session};
use qrcode::{Color, EcLevel, QrCode};
use serde::Deserialize;
use std::io::{IsTerminal, Write};

#[derive(Deserialize)]
pub(super) struct Ticket {
    pub(super) ticket: String,
}

pub(super) async fn invite(place: &Place, args: InviteArgs) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let Ticket { ticket } = session.client.get("/v1/invite").await?;
    let stderr = std::io::stderr();
    if stderr.is_terminal() {
        let mut text = String::new();
        if !args.no_qr
            && let Some(picture) = picture(&ticket)
        {
            text.push_str(&picture);
        }
        text.push_str("whoever has this ticket can join the cluster; on the other device:\n  rc-node join TICKET\n");
        // The ticket itself matters more.
        let _ = stderr.lock().write_all(text.as_bytes());
    }
    Output::stdout(Format::Table).text(&format!("{ticket}\n"))?;
    Ok(Exit::Ok.code())
}

/// Two rows of the code per line, dark on light whatever the terminal's colours are. `None` if it would be too large.
fn picture(ticket: &str) -> Option<String> {
    // Upper case has a denser encoding, and reading ignores case.
    let code = QrCode::with_error_correction_level(ticket.to_ascii_uppercase(), EcLevel::L).ok()?;
    let width = code.width();
    let colours = code.into_colors();
    let margin = 2;
    let dark = |x: usize, y: usize| {
        let inside = (margin..margin + width).contains(&x) && (margin..margin + width).contains(&y);
        inside && colours[(y - margin) * width + x - margin] == Color::Dark
    };
    let size = width + 2 * margin;
    let mut text = String::new();
    for y in (0..size).step_by(2) {
        text.push_str("\x1b[30;107m");
        for x in 0..size {
            text.push(match (dark(x, y), dark(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        text.push_str("\x1b[0m\n");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::picture;

    #[test]
    fn a_ticket_fits_into_a_picture_narrower_than_a_terminal() {
        let ticket = format!("rc1{}", "abcdefghijklmnopqrstuvwxyz234567".repeat(6));
        let text = picture(&ticket).expect("fits");
        let line = text.lines().next().expect("lines");
        let cells = line.chars().filter(|c| "█▀▄ ".contains(*c)).count();
        assert!((40..80).contains(&cells), "{cells}");
        assert_eq!(text.lines().count(), cells.div_ceil(2));
    }
}
