//! Backups as files: packed, encrypted, listed, pruned, copied to another place, and
//! unpacked again. Nothing in here knows about HTTP or SQL: what comes in is a finished
//! database file, what goes out is one.
//!
//! A backup is one file, `usher-20261124T215500Z-1a2b3c4d.backup`: a first line that can
//! be read without a key ([`Manifest`]), then an `age` file that holds a tar of
//! [`NAMES`]. It opens with the owner's recovery key, of which only the public half is
//! ever kept, or with the key of the machine that made it. Both ways it streams: memory
//! does not grow with the database.
//!
//! | file | subject |
//! |---|---|
//! | `manifest` | the first line |
//! | `keys` | recovery key, machine key, what a backup is opened with |
//! | `pack`, `unpack` | there and back |
//! | `catalog` | the folder of backups: what is in it, who is still held |
//! | `retention` | how long backups are kept, and which of them go |
//! | `destination`, `command`, `copier`, `upload_state` | where they are copied to, and the thread that does it |

mod catalog;
mod command;
mod copier;
mod destination;
mod error;
mod files;
pub mod keys;
pub mod manifest;
mod pack;
mod retention;
mod unpack;
mod upload_state;

pub use catalog::{Held, Listed, holding, is_name, list};
pub use copier::{Copier, CopyFault, CopyState, Notices, Pace, Pending, Sources};
pub use destination::{Copied, Destination};
pub use error::BackupError;
pub use files::sweep;
pub use keys::{Identities, Recipients, RecoveryKey};
pub use manifest::{LedgerPosition, Manifest, read_manifest};
pub use pack::{About, Contents, Packed, pack};
pub use retention::{
    BeforeUpgrade, KEEP, Pruned, UPGRADE_KEEP, expired, lasting, prune, prune_upgrade, reach_back_to,
};
pub use unpack::{Unpacked, check, left_unpacked, sweep_unpacked, unpack};

/// What the tar inside a backup holds, in this order and nothing else.
pub const NAMES: [&str; 5] =
    ["manifest.json", "usher.db", "secrets/store.key", "secrets/signing.key", "signing.pub"];

/// The largest of the small files in a backup, in bytes. They have some hundred.
const SMALL_MAX: u64 = 64 * 1024;
