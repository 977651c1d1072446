//! How GDAL is told where the header file is.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use cdse_http::Endpoints;

use super::credentials::CREDENTIALS;
use super::folder::Folder;
use crate::report::fail::{Fail, Result};
use crate::report::output;

/// The first version that was seen to read the header file for one host alone (3.6.4 does not, 3.8.4 does).
const FIRST_BY_HOST: (u32, u32) = (3, 8);

/// From a version that can, the header file is for the hosts of CDSE alone, by GDAL's configuration file
/// (`[credentials]`). An older one sends what is in it to every host, and that is said.
pub(super) fn set_environment(
    process: &mut Command,
    folder: &Folder,
    header_file: &Path,
    endpoints: &Endpoints,
) -> Result<()> {
    if let Some((major, minor)) = version()
        && (major, minor) < FIRST_BY_HOST
    {
        let warning = format!("GDAL {major}.{minor} sends the token to every host that it reads from");
        output::warn(&format!("{warning}: let the command read from CDSE alone"));
        process.env("GDAL_HTTP_HEADER_FILE", header_file);
        return Ok(());
    }
    let file = folder.path().join("gdalrc");
    let text = format!("{}\n{}", configuration_in_use().unwrap_or_default(), section(header_file, endpoints));
    fs::write(&file, text).map_err(|error| Fail::other(format!("{} cannot be written: {error}", file.display())))?;
    // What is set for all hosts would win where it is the user's own, and the token would go there.
    process.env("GDAL_CONFIG_FILE", file).env_remove("GDAL_HTTP_HEADER_FILE");
    Ok(())
}

/// Of the GDAL on the path, which is not waited for any longer than this. A program may have one of its own (rasterio's wheels
/// do), which is taken for a new one.
const PATIENCE: Duration = Duration::from_secs(5);

fn version() -> Option<(u32, u32)> {
    let mut asked = Command::new("gdalinfo");
    asked.arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
    for name in CREDENTIALS {
        asked.env_remove(name);
    }
    let (send, answer) = mpsc::channel();
    std::thread::Builder::new().spawn(move || send.send(asked.output())).ok()?;
    let done = answer.recv_timeout(PATIENCE).ok()?.ok()?;
    let text = String::from_utf8(done.stdout).ok()?;
    let mut numbers = text.strip_prefix("GDAL ")?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// What the user has configured stays in force.
fn configuration_in_use() -> Option<String> {
    let file = match std::env::var_os("GDAL_CONFIG_FILE") {
        Some(file) => PathBuf::from(file),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".gdal/gdalrc"),
    };
    fs::read_to_string(file).ok()
}

fn section(header_file: &Path, endpoints: &Endpoints) -> String {
    let mut text = "[credentials]\n".to_owned();
    let prefixes = endpoints
        .origins()
        .into_iter()
        .flat_map(|origin| ["/vsicurl/", "/vsicurl_streaming/"].map(|handler| format!("{handler}{origin}/")));
    for (nth, prefix) in prefixes.enumerate() {
        let _ = write!(text, "\n[.cdse_{nth}]\npath={prefix}\nGDAL_HTTP_HEADER_FILE={}\n", header_file.display());
    }
    text
}
