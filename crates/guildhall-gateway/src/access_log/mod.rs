//! One line per request, written by one thread for all workers.
//!
//! Workers gather lines and hand them over in batches, so that a request costs neither a system
//! call nor a wake-up. A writer that is behind makes batches drop: counted, never waited for.

mod line;

use std::{
    fs::OpenOptions,
    io::{self, Write},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

pub(crate) use line::{LogLine, write_line};

use crate::{AccessLog, LogFormat, StartError};

/// Batches that wait to be written.
const WAITING: usize = 64;
/// The size of a batch, in bytes, at which it is handed over without waiting for the next tick.
const BATCH: usize = 32 * 1024;

/// Where workers hand their batches.
#[derive(Clone, Debug)]
pub(crate) struct LogSender {
    pub(crate) format: LogFormat,
    batches: SyncSender<Vec<u8>>,
}

/// The lines of one worker that were not handed over yet.
#[derive(Debug, Default)]
pub(crate) struct LogBuffer {
    bytes: Vec<u8>,
    lines: u64,
}

impl LogBuffer {
    /// Adds a line; gives how many were dropped, if that filled the batch and nobody took it.
    pub(crate) fn add(&mut self, line: &LogLine<'_>, to: &LogSender) -> u64 {
        write_line(&mut self.bytes, line, to.format);
        self.lines += 1;
        if self.bytes.len() >= BATCH {
            self.hand_over(to)
        } else {
            0
        }
    }

    /// Hands over what there is; gives how many lines were dropped because nobody took them.
    pub(crate) fn hand_over(&mut self, to: &LogSender) -> u64 {
        if self.bytes.is_empty() {
            return 0;
        }
        let batch = std::mem::replace(&mut self.bytes, Vec::with_capacity(BATCH + BATCH / 8));
        let lines = std::mem::take(&mut self.lines);
        if to.batches.try_send(batch).is_ok() {
            0
        } else {
            lines
        }
    }
}

/// Starts the writer; it ends when the last sender is dropped.
pub(crate) fn spawn(
    options: &AccessLog,
) -> Result<Option<(LogSender, JoinHandle<()>)>, StartError> {
    if options.format == LogFormat::Off {
        return Ok(None);
    }
    let mut output: Box<dyn Write + Send> = match &options.file {
        None => Box::new(io::stdout()),
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            Box::new(file.map_err(|source| StartError::AccessLog {
                path: path.clone(),
                source,
            })?)
        }
    };
    let (batches, waiting) = sync_channel(WAITING);
    let thread = thread::Builder::new()
        .name("gateway-log".to_owned())
        .spawn(move || write_all(&waiting, &mut *output))
        .map_err(|source| StartError::Thread { source })?;
    Ok(Some((
        LogSender {
            format: options.format,
            batches,
        },
        thread,
    )))
}

fn write_all(waiting: &Receiver<Vec<u8>>, output: &mut dyn Write) {
    let mut failing = false;
    while let Ok(batch) = waiting.recv() {
        let written = output.write_all(&batch).and_then(|()| output.flush());
        // Said once, not per batch: the disk that is full is often the one of this message too.
        if let (Err(error), false) = (&written, failing) {
            tracing::error!(%error, "the access log cannot be written; lines are lost until it can");
        }
        failing = written.is_err();
    }
}
