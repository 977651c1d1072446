//! The files of a target: its seeds, and the inputs that must be looked at.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::report::report;

pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = root().join("fuzz/seeds").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.sort();
    let read = |file: &PathBuf| fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let seeds: Vec<_> = files.iter().map(read).collect();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds
}

/// Writes an input that must be looked at to a file, and says which.
pub(crate) fn keep(target: &str, input: &[u8]) {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let folder = root().join("target/fuzz");
    let file = folder.join(format!("{target}-{:016x}", hasher.finish()));
    let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, input));
    report(&match kept {
        Ok(()) => format!("fuzz {target}: the input is in {}; a copy in fuzz/seeds/{target} keeps it", file.display()),
        Err(error) => format!("fuzz {target}: the input {input:?} could not be kept: {error}"),
    });
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
