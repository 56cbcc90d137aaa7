//! A body that is written on a thread of its own while the client takes it. A few pieces wait between the two:
//! who takes them slowly is written for slowly, and who goes away ends the writing.

use std::io::{self, Write};

use actix_web::HttpResponse;
use actix_web::HttpResponseBuilder;
use actix_web::http::header::{CONTENT_ENCODING, HeaderValue};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc::{self, Sender};

use crate::error::{Error, Result};

/// Bytes in a piece.
const PIECE: usize = 64 * 1024;
/// Pieces that wait.
const WAITING: usize = 4;

/// The answer with what `run` writes. Where it fails the connection ends: the client sees a body that is cut
/// off, never a shorter one.
pub fn answer<F>(mut answer: HttpResponseBuilder, run: F) -> Result<HttpResponse>
where
    F: FnOnce(&mut dyn Write) -> Result<()> + Send + 'static,
{
    let (to, pieces) = mpsc::channel(WAITING);
    let work = move || {
        let mut pipe = Pipe { to, piece: Vec::with_capacity(PIECE) };
        let outcome = run(&mut pipe).and_then(|()| pipe.send().map_err(Error::from_io));
        if let Err(error) = outcome {
            // Who has gone away is told nothing.
            let _ = pipe.to.blocking_send(Err(error));
        }
    };
    std::thread::Builder::new().name("usher-pipe".into()).spawn(work).map_err(Error::internal)?;
    let body = stream::unfold(pieces, |mut pieces: mpsc::Receiver<Result<Bytes>>| async move {
        pieces.recv().await.map(|piece| (piece, pieces))
    });
    // Compressing holds pieces back, and a ZIP gains nothing by it.
    answer.insert_header((CONTENT_ENCODING, HeaderValue::from_static("identity")));
    Ok(answer.streaming(body))
}

struct Pipe {
    to: Sender<Result<Bytes>>,
    piece: Vec<u8>,
}

impl Pipe {
    /// A broken pipe where nobody takes it.
    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.to.blocking_send(Ok(piece.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE - self.piece.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.piece.extend_from_slice(taken);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(taken.len())
    }

    /// Pieces are sent as they fill; the last one is at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
