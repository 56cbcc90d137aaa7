//! `usher.sock`: how commands reach the server that holds the directory. A line of JSON
//! asks; lines of progress, then one with the outcome, answer. Only the directory's
//! owner can open it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::control_command::ControlCommand;
use super::progress::{ProgressBar, Step};
use crate::app::App;
use crate::data_dir::{self, DataDir};

/// The longest line that asks: an import may name thousands of files.
const LINE_MAX: usize = 4 * 1024 * 1024;
/// How long a caller may take to ask.
const ASKING: Duration = Duration::from_secs(5);
/// How long a caller may take to read a part of a file.
const READING: Duration = Duration::from_secs(60);
/// The largest part of a file in a line.
const PART: usize = 48 * 1024;
/// Commands at work at a time.
const CALLERS_MAX: usize = 16;
/// What a stop grants those that are at work.
const LAST: Duration = Duration::from_secs(3);
/// What the others are told.
const STOPS: &str = "the server is stopping and ended this command early: completed steps are kept";
/// A server that has just taken the directory opens its socket within this time.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Progress(Step),
    /// A part of a file that the command writes: Base64.
    Part(String),
    Done(Vec<String>),
    Failed(String),
}

/// The thread that takes commands.
pub struct Control {
    path: PathBuf,
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// The commands that are at work.
#[derive(Default)]
pub struct Desk {
    stopping: AtomicBool,
    callers: Mutex<BTreeMap<u64, Arc<UnixStream>>>,
    one_ended: Condvar,
}

impl Desk {
    /// Takes no more commands; one that has steps ends after the step that it is in.
    pub fn close(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    fn is_closed(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn callers(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<UnixStream>>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False: too many are at work.
    fn enter(&self, number: u64, stream: &Arc<UnixStream>) -> bool {
        let mut callers = self.callers();
        let is_free = callers.len() < CALLERS_MAX;
        if is_free {
            callers.insert(number, Arc::clone(stream));
        }
        is_free
    }

    fn leave(&self, number: u64) {
        self.callers().remove(&number);
        self.one_ended.notify_all();
    }

    /// Waits for those at work, but not for long: the others are told, and end with the process.
    fn empty(&self) {
        let callers = self.callers();
        let waited = self.one_ended.wait_timeout_while(callers, LAST, |callers| !callers.is_empty());
        let (callers, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for stream in callers.values() {
            log::warn!("a command over the socket was at work at the stop, and was broken off");
            let _ = put(stream, &Answer::Failed(STOPS.to_owned()));
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Control {
    pub fn start(data: &DataDir, app: App) -> anyhow::Result<Control> {
        let path = data.socket();
        // A server that was killed left it; the lock says that it is not in use.
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
        let listener =
            UnixListener::bind(&path).with_context(|| format!("cannot open {}", path.display()))?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let desk = Arc::new(Desk::default());
        let served = Arc::clone(&desk);
        let thread = std::thread::Builder::new()
            .name("usher-control".into())
            .spawn(move || accept(&listener, &app, &served))?;
        Ok(Control { path, desk, thread: Some(thread) })
    }

    pub fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.desk.close();
        // Wakes the thread from its wait for the next caller.
        let woken = UnixStream::connect(&self.path).is_ok();
        if let Some(thread) = self.thread.take()
            && woken
            && thread.join().is_err()
        {
            log::error!("the control thread ended with a panic");
        }
        self.desk.empty();
        // What is left is removed by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// Each caller has a thread, so that none waits for another: revoking a key does not wait for
/// a backup to be made.
fn accept(listener: &UnixListener, app: &App, desk: &Arc<Desk>) {
    for (number, stream) in (0..).zip(listener.incoming()) {
        if desk.is_closed() {
            return;
        }
        let Ok(stream) = stream.map(Arc::new) else { continue };
        if !desk.enter(number, &stream) {
            // It is told so if it still listens.
            let _ = put(&stream, &Answer::Failed("too many commands are running; try again".into()));
            continue;
        }
        let (app, theirs) = (app.clone(), Arc::clone(desk));
        let run = move || {
            let _leaving = Leaving(&theirs, number);
            if let Err(error) = serve(&stream, &app, &theirs)
                && !theirs.is_closed()
            {
                log::warn!("a command over the socket was cut off: {error}");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("usher-command".into()).spawn(run) {
            desk.leave(number);
            log::warn!("a command over the socket could not be taken: {error}");
        }
    }
}

/// A command that panics is not at work any more either.
struct Leaving<'a>(&'a Desk, u64);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

/// The line that asks, within [`ASKING`] from its first byte to its last.
fn asked(mut stream: &UnixStream) -> io::Result<String> {
    let (started, mut line, mut part) = (Instant::now(), Vec::new(), [0; 4_096]);
    while !line.contains(&b'\n') && line.len() < LINE_MAX {
        let left = ASKING.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part)? {
            0 => break,
            read => line.extend_from_slice(part.get(..read).unwrap_or_default()),
        }
    }
    String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn serve(stream: &UnixStream, app: &App, desk: &Desk) -> io::Result<()> {
    // One that reads nothing must not hold up a stop.
    stream.set_write_timeout(Some(ASKING))?;
    let line = asked(stream)?;
    let answer = match serde_json::from_str::<ControlCommand>(&line) {
        Ok(ControlCommand::Export(ordered)) => {
            stream.set_write_timeout(Some(READING))?;
            let mut parts = BufWriter::with_capacity(PART, Parts(stream, desk));
            let lines = ordered.write(app, &mut parts).and_then(|lines| Ok(parts.flush().map(|()| lines)?));
            match lines {
                Ok(lines) => Answer::Done(lines),
                Err(error) => Answer::Failed(format!("{error:#}")),
            }
        }
        Ok(act) => match act.perform(app, &|step| {
            // Whoever asked may be gone; the act goes on to its end.
            let _ = put(stream, &Answer::Progress(step));
            ensure!(!desk.is_closed(), STOPS);
            Ok(())
        }) {
            Ok(lines) => Answer::Done(lines),
            Err(error) => Answer::Failed(format!("{error:#}")),
        },
        Err(_) => Answer::Failed("the server has another version and does not know this command".into()),
    };
    put(stream, &answer)
}

fn put(mut stream: &UnixStream, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// A file that is sent to who asked, a part in a line.
struct Parts<'a>(&'a UnixStream, &'a Desk);

impl Write for Parts<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1.is_closed() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, STOPS));
        }
        let part = bytes.get(..PART).unwrap_or(bytes);
        put(self.0, &Answer::Part(BASE64.encode(part)))?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has the server that holds `data` perform an act.
pub fn send(data: &Path, act: &ControlCommand, bar: &ProgressBar) -> anyhow::Result<Vec<String>> {
    receive(data, act, bar, &mut io::sink())
}

/// The same for an act that writes a file, to `out`.
pub fn receive(
    data: &Path,
    act: &ControlCommand,
    bar: &ProgressBar,
    out: &mut dyn Write,
) -> anyhow::Result<Vec<String>> {
    let path = data_dir::socket(data);
    let stream = connect(&path)?;
    let mut line = serde_json::to_vec(act)?;
    line.push(b'\n');
    (&stream).write_all(&line)?;
    for line in BufReader::new(&stream).lines() {
        match serde_json::from_str(&line?)? {
            Answer::Progress(step) => bar.show(step),
            Answer::Part(part) => out.write_all(&BASE64.decode(part.as_bytes())?)?,
            Answer::Done(lines) => return Ok(lines),
            Answer::Failed(why) => bail!(why),
        }
    }
    Err(anyhow!("the server ended before it answered: it is unknown whether the command ran"))
}

fn connect(path: &Path) -> anyhow::Result<UnixStream> {
    let started = Instant::now();
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(_) if started.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            Err(error) => {
                let held = "an Usher server is using this directory but does not answer";
                return Err(error).with_context(|| format!("{held} at {}", path.display()));
            }
        }
    }
}
