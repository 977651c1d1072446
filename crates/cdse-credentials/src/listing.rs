//! What is in the state folder, by name.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cdse_auth::{Error, ErrorKind};

use crate::error::Result;
use crate::name::Name;
use crate::profile::Profile;
use crate::state::StateFolder;

pub(crate) fn profiles(state: &StateFolder) -> Result<Vec<Name>> {
    let names = files(&state.profiles())?.into_iter();
    let names = names.filter_map(|path| Name::parse(path.file_stem()?.to_str()?).ok());
    // A profile may have been removed meanwhile.
    Ok(names.filter(|name| Profile::file(state, name).path().exists()).collect())
}

/// The JSON files of a folder that are not hidden, in order.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let is_record = |path: &PathBuf| path.extension() == Some(OsStr::new("json")) && !is_hidden(path);
    Ok(entries(folder)?.into_iter().filter(is_record).collect())
}

/// What is in a folder, in order; nothing in a folder that does not exist.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder, error).into()),
    };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    Ok(entries)
}

pub(crate) fn unreadable(folder: &Path, error: io::Error) -> Error {
    let message = format!("{} cannot be read: {error}", folder.display());
    Error::new(ErrorKind::StoreUnusable, message).with_source(error)
}
