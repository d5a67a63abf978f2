//! The file of received messages.

use std::collections::hash_map::RandomState;
use std::collections::{HashSet, VecDeque};
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use smpp_proto::frame::HEADER_LENGTH;

use super::content::Content;
use crate::delivered::Delivered;
use crate::failure::Failure;
use crate::output::json_line;

/// The file and an index of its messages.
pub(super) struct Store {
    path: PathBuf,
    file: File,
    messages: usize,
    /// A redelivered message is recognized by its octets.
    known: Known,
}

/// How many messages are known at most: about 60 MB.
const MAX_KNOWN: usize = 1_000_000;

/// The last messages of the file, each by a digest of its octets: a peer that sends for ever does not fill the memory.
struct Known {
    capacity: usize,
    /// Random, so that no peer can make two messages alike.
    keys: [RandomState; 2],
    digests: HashSet<[u64; 2]>,
    /// In the order of the file, without those that were known already.
    order: VecDeque<[u64; 2]>,
}

impl Known {
    fn new(capacity: usize) -> Self {
        let keys = [RandomState::new(), RandomState::new()];
        Self { capacity, keys, digests: HashSet::new(), order: VecDeque::new() }
    }

    fn contains(&self, octets: &str) -> bool {
        self.digests.contains(&self.digest(octets))
    }

    fn insert(&mut self, octets: &str) {
        let digest = self.digest(octets);
        if !self.digests.insert(digest) {
            return;
        }
        if self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.digests.remove(&oldest);
        }
        self.order.push_back(digest);
    }

    fn digest(&self, octets: &str) -> [u64; 2] {
        self.keys.each_ref().map(|key| key.hash_one(octets))
    }
}

impl Store {
    /// Opens or creates the file. The last line may be cut off, or garbage after a crash of the machine; it is removed:
    /// its message was never acknowledged.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        Self::read(path).map_err(|error| {
            let advice =
                "Give a file of smpp receive, or a new one in a directory that exists and can be written.";
            Failure::failed(format_args!("--file {}: {error}", path.display()), advice)
        })
    }

    fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        // A new file must survive a crash of the machine too.
        file.sync_all()?;
        sync_directory(path)?;
        let mut store = Self { path: path.into(), file, messages: 0, known: Known::new(MAX_KNOWN) };
        let mut whole = 0;
        let mut reader = BufReader::new(&store.file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
            let Some(octets) = octets(&line) else {
                if reader.fill_buf()?.is_empty() {
                    break;
                }
                return Err(format!("line {} was not written by this program", store.messages + 1).into());
            };
            whole += line.len() as u64;
            store.known.insert(&octets);
            store.messages += 1;
            line.clear();
        }
        store.file.set_len(whole)?;
        store.file.seek(SeekFrom::Start(whole))?;
        Ok(store)
    }

    /// Returns the number of messages in the file.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// Appends the message that the PDU carries. Returns once it is on disk, with a line for people.
    pub(super) fn append(&mut self, pdu: &[u8], message: &Delivered<'_>) -> Result<String, Failure> {
        let body = pdu.get(HEADER_LENGTH..).unwrap_or_default();
        let written = self.write(body, message);
        written.map_err(|error| Failure::other(format_args!("{}: {error}", self.path.display())))
    }

    fn write(&mut self, body: &[u8], message: &Delivered<'_>) -> io::Result<String> {
        let octets = hexadecimal(body);
        let again = self.known.contains(&octets);
        let content = Content::of(message);
        let mut object = json!({
            "from": message.from.escape_ascii().to_string(),
            "to": message.to.escape_ascii().to_string(),
            "receipt": message.carrier.esm_class.is_receipt(),
            "data_coding": message.carrier.data_coding.0,
            "text": hexadecimal(message.carrier.user_data),
            "octets": &octets,
            "again": again,
        });
        content.add_to(&mut object);
        // One write, so that at worst the end of a line is missing.
        self.file.write_all((json_line(&object) + "\n").as_bytes())?;
        self.file.sync_data()?;
        self.known.insert(&octets);
        self.messages += 1;
        let again = if again { " (again)" } else { "" };
        Ok(content.line(message) + again)
    }
}

/// Writes the directory to disk, and with it the name of a new file. Only Unix needs it.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Returns the octets of the message in a whole line.
fn octets(line: &[u8]) -> Option<String> {
    let line: serde_json::Value = serde_json::from_slice(line).ok()?;
    line["octets"].as_str().map(String::from)
}

fn hexadecimal(octets: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(octet & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_too_many_messages_is_forgotten() {
        let mut known = Known::new(2);
        for octets in ["aa", "bb", "aa", "cc"] {
            known.insert(octets);
        }
        assert_eq!(["aa", "bb", "cc"].map(|octets| known.contains(octets)), [false, true, true]);
        assert_eq!((known.digests.len(), known.order.len()), (2, 2));
    }
}
