//! Aligned columns and labelled lines.

use super::style::{Cell, Paint, Style};

/// What a cell shows: control characters would let a remote name or error drive this terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The same of a text that may have several lines.
pub(in crate::cli) fn shown_lines(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// A table with its headings; columns that are empty in every row are left out.
pub(super) fn table(head: &[&str], rows: &[Vec<Cell>], style: &Style) -> String {
    let texts: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| shown(&cell.text)).collect()).collect();
    let used =
        |column: &usize| rows.is_empty() || texts.iter().any(|row| row.get(*column).is_some_and(|t| !t.is_empty()));
    let columns: Vec<usize> = (0..head.len()).filter(used).collect();
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| {
            let cells = texts.iter().filter_map(|row| row.get(*column));
            cells.map(|text| width(text)).max().unwrap_or(0).max(width(head[*column]))
        })
        .collect();
    let mut out = String::new();
    let mut line = |cell: &dyn Fn(usize) -> (String, Paint)| {
        let mut text = String::new();
        for (place, column) in columns.iter().enumerate() {
            let (value, paint) = cell(*column);
            text.push_str(&style.paint(&value, paint));
            if place + 1 < columns.len() {
                let pad = widths[place] - width(&value) + 2;
                text.extend(std::iter::repeat_n(' ', pad));
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(&|column| (head[column].to_owned(), Paint::Dim));
    for (row, texts) in rows.iter().zip(&texts) {
        line(&|column| {
            let text = texts.get(column).cloned().unwrap_or_default();
            (text, row.get(column).map_or(Paint::Plain, |cell| cell.paint))
        });
    }
    out
}

/// Labelled lines; those without a value are left out.
pub(super) fn card(lines: &[(&str, Cell)], style: &Style) -> String {
    let lines: Vec<_> = lines.iter().filter(|(_, cell)| !cell.text.is_empty()).collect();
    let longest = lines.iter().map(|(label, _)| width(label)).max().unwrap_or(0);
    let mut out = String::new();
    for (label, cell) in lines {
        let pad = " ".repeat(longest - width(label) + 2);
        out.push_str(&style.paint(label, Paint::Dim));
        out.push_str(&pad);
        out.push_str(&style.paint(&shown(&cell.text), cell.paint));
        out.push('\n');
    }
    out
}
