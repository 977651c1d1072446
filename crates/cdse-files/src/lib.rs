//! Private files: readable by their owner alone, replaced as a whole, locked between processes.
//!
//! A program that keeps a secret in a file has to get many small things right: the permissions under any umask, symbolic
//! links and FIFOs in the file's place, a folder that belongs to another user (`sudo`), a power cut in the middle of a write,
//! network file systems whose locks do not work between machines. [`PrivateFile`] does all of them in one place.
//!
//! ```
//! use cdse_files::PrivateFile;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("state/settings.json");
//! let file = PrivateFile::new(&path).in_own_folder();
//! assert_eq!(file.read()?, None);
//! file.replace(b"{}\n")?;
//! let lock = file.try_lock()?.expect("no other process holds the lock");
//! assert_eq!(file.read()?.as_deref().map(Vec::as_slice), Some(&b"{}\n"[..]));
//! drop(lock);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Linux is tested. There is code for other Unix systems and for Windows, which is not.

mod error;
mod lock;
mod operation;
mod os;
mod private_file;
mod warning;

pub use error::{Error, ErrorKind, Result};
pub use lock::Lock;
#[cfg(feature = "testing")]
pub use operation::{Fault, FileOperation};
pub use os::host_name;
pub use private_file::PrivateFile;
pub use warning::{Warning, WarningKind};
