//! Counts its own calls in a private file, whatever the number of processes that count at once:
//! `cargo run -p cdse-files --example count -- PATH`.

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use cdse_files::PrivateFile;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("a path is needed")?;
    let file = PrivateFile::new(path).in_own_folder();
    let _lock = loop {
        match file.try_lock()? {
            Some(lock) => break lock,
            None => std::thread::park_timeout(Duration::from_millis(10)),
        }
    };
    let count = match file.read()? {
        Some(text) => std::str::from_utf8(&text)?.trim().parse::<u64>()? + 1,
        None => 1,
    };
    file.replace(count.to_string().as_bytes())?;
    writeln!(std::io::stdout(), "{count}")?;
    Ok(())
}
