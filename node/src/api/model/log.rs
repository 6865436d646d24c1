//! What a task writes, as lines of JSON. Bytes that are text are given as text; a character that is cut in two between two lines goes
//! with the second.

use super::{DeviceNames, Usage};
use crate::handlers::Stream;
use crate::live::LogEvent;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they are")]
pub enum LogView {
    /// What follows is from this attempt.
    Attempt { attempt: u32, epoch: u64, device: String, device_id: String },
    /// That device gets a copy of the attempt; what it writes is told only when the attempt is over.
    Copy { attempt: u32, device: String },
    /// It wrote this; `base64` where that is no text.
    Output {
        /// `stdout` or `stderr`.
        stream: String,
        /// Bytes of the stream before it.
        offset: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base64: Option<String>,
    },
    /// So many bytes are not to be had.
    Missing { bytes: u64 },
    /// How it is getting on.
    Progress {
        #[serde(default)]
        percent: Option<u8>,
        #[serde(default)]
        text: String,
        #[serde(default)]
        resource_usage: Option<Usage>,
    },
    /// The attempt is over, and another follows.
    Over { attempt: u32, device: String, outcome: String },
    /// The task has ended.
    Ended { status: String, truncated: bool },
    /// The node cannot tell how it goes on.
    Broken { detail: String },
}

impl LogView {
    /// What kind of line it is.
    #[must_use]
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Attempt { .. } => "attempt",
            Self::Copy { .. } => "copy",
            Self::Output { .. } => "output",
            Self::Missing { .. } => "missing",
            Self::Progress { .. } => "progress",
            Self::Over { .. } => "over",
            Self::Ended { .. } => "ended",
            Self::Broken { .. } => "broken",
        }
    }

    /// The bytes of an output; none of anything else.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Output { text: Some(text), .. } => text.clone().into_bytes(),
            Self::Output { base64: Some(text), .. } => BASE64.decode(text.as_bytes()).unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

const fn word(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

/// Turns events into lines; keeps halves of characters in between.
#[derive(Debug, Default)]
pub struct LogLines {
    /// Of each stream, where they are in it.
    halves: [(u64, Vec<u8>); 2],
}

impl LogLines {
    /// The lines for an event.
    pub fn lines(&mut self, event: LogEvent, names: &dyn DeviceNames) -> Vec<LogView> {
        let mut lines = Vec::new();
        match event {
            LogEvent::Output { stream, offset, bytes } => return self.output(stream, offset, bytes),
            LogEvent::State(state) => {
                let resource_usage = Usage::of(&state);
                return vec![LogView::Progress { percent: state.percent, text: state.text, resource_usage }];
            }
            _ => lines.extend(self.flush()),
        }
        lines.push(match event {
            LogEvent::Attempt { epoch, attempt, device } => {
                let (device, device_id) = (names.name(device), device.to_string());
                LogView::Attempt { attempt, epoch: epoch.0, device, device_id }
            }
            LogEvent::Copy { attempt, device } => LogView::Copy { attempt, device: names.name(device) },
            LogEvent::Over { attempt, device, outcome } => {
                LogView::Over { attempt, device: names.name(device), outcome }
            }
            LogEvent::Ended { status, truncated } => LogView::Ended { status: status.word().to_owned(), truncated },
            LogEvent::Broken(detail) => LogView::Broken { detail },
            LogEvent::Missing(bytes) => LogView::Missing { bytes },
            LogEvent::Output { .. } | LogEvent::State(_) => return lines,
        });
        lines
    }

    /// What is left when there is nothing more.
    pub fn flush(&mut self) -> Vec<LogView> {
        [Stream::Stdout, Stream::Stderr]
            .into_iter()
            .filter_map(|stream| {
                let (offset, half) = std::mem::take(&mut self.halves[stream as usize]);
                (!half.is_empty()).then(|| line(stream, offset, half))
            })
            .collect()
    }

    fn output(&mut self, stream: Stream, offset: u64, bytes: Vec<u8>) -> Vec<LogView> {
        let (half_at, mut whole) = std::mem::take(&mut self.halves[stream as usize]);
        let start = if whole.is_empty() { offset } else { half_at };
        whole.extend(bytes);
        if let Err(error) = std::str::from_utf8(&whole)
            && error.error_len().is_none()
        {
            let half = whole.split_off(error.valid_up_to());
            self.halves[stream as usize] = (start + whole.len() as u64, half);
        }
        if whole.is_empty() { Vec::new() } else { vec![line(stream, start, whole)] }
    }
}

fn line(stream: Stream, offset: u64, bytes: Vec<u8>) -> LogView {
    let (text, base64) = match String::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(BASE64.encode(error.as_bytes()))),
    };
    LogView::Output { stream: word(stream).to_owned(), offset, text, base64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_lost_and_no_character_is_cut() {
        struct None;
        impl DeviceNames for None {
            fn name(&self, device: rc_scheduler::DeviceId) -> String {
                device.to_string()
            }
        }
        let mut lines = LogLines::default();
        let mut all = Vec::new();
        let mut offset = 0;
        for part in [&b"a\xc3"[..], b"\xbc\xe2\x82", b"\xac", b"\xff\x00", b"z\xc3"] {
            let event = LogEvent::Output { stream: Stream::Stdout, offset, bytes: part.to_vec() };
            offset += part.len() as u64;
            all.extend(lines.lines(event, &None));
        }
        all.extend(lines.lines(LogEvent::Missing(3), &None));
        let texts: Vec<_> = all
            .iter()
            .filter_map(|line| match line {
                LogView::Output { text, offset, .. } => Some((*offset, text.as_deref())),
                _ => Option::None,
            })
            .collect();
        assert_eq!(
            texts,
            [(0, Some("a")), (1, Some("ü")), (3, Some("€")), (6, Option::None), (8, Some("z")), (9, Option::None)]
        );
        let bytes: Vec<u8> = all.iter().flat_map(LogView::bytes).collect();
        assert_eq!(bytes, b"a\xc3\xbc\xe2\x82\xac\xff\x00z\xc3");
        assert_eq!(all.last(), Some(&LogView::Missing { bytes: 3 }));
    }
}
