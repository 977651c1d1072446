//! Keeps a session of `cdse-auth` in the keyring of the desktop, by the Secret Service API of freedesktop.org, which
//! GNOME Keyring, KWallet and KeePassXC speak over D-Bus.
//!
//! ```no_run
//! use cdse_auth::{PasswordAuth, TokenManager};
//! use cdse_keyring::KeyringTokenStore;
//!
//! let manager = TokenManager::builder(PasswordAuth::new("user@example.com", "not-a-real-password"))
//!     .store(KeyringTokenStore::new("/home/me/.local/state/my-tool", "session"))
//!     .build()?;
//! # Ok::<(), cdse_auth::Error>(())
//! ```
//!
//! It is tested with GNOME Keyring on Linux only. Where there is no D-Bus session bus (macOS, Windows, a server) every call
//! fails with an error that says so; the session is never kept anywhere else instead.

mod call;
mod service;
mod store;
mod trouble;

pub use store::KeyringTokenStore;
pub use trouble::is_about_keyring;
