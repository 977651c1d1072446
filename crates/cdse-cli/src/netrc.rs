//! User name and password from a netrc file, on request (`--netrc`).

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cdse_auth::PasswordAuth;
use netrc::Netrc;
use zeroize::Zeroizing;

use crate::environment::{Environment, check_name};
use crate::fail::{Fail, Result};
use crate::output;

/// The machine names that tools for this service look for: its domain, the identity service, the token endpoint's address.
const MACHINES: &[&str] = &[
    "identity.dataspace.copernicus.eu",
    "dataspace.copernicus.eu",
    "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token",
];

const WITHOUT: &str = "`cdse auth login` does without a netrc file";

/// No netrc file that people write is larger.
const LARGEST: u64 = 1024 * 1024;

/// Where it is: `NETRC`, else in the home folder.
pub(crate) fn path(environment: &Environment) -> Result<PathBuf> {
    let name = if cfg!(windows) { "_netrc" } else { ".netrc" };
    let home = || environment.home.as_ref().map(|home| home.join(name));
    environment
        .netrc
        .clone()
        .or_else(home)
        .ok_or_else(|| Fail::usage("--netrc: there is no home folder with a netrc file: set NETRC"))
}

/// The user of the realm's machine. The password of one service is nothing for another, so a realm of another address
/// (`is_default: false`) has only its own names.
pub(crate) fn user(environment: &Environment, realm: &str, is_default: bool) -> Result<PasswordAuth> {
    let path = path(environment)?;
    let shown = path.display();
    let text =
        read(&path).map_err(|error| Fail::usage(format!("--netrc: {shown} cannot be read: {error}")).hint(WITHOUT))?;
    warn_if_loose(&path);
    user_in(&text, &path, &machines(realm, is_default))
}

/// A plain file and not the whole of a huge one: anything else could keep a job waiting for ever.
fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut text = Zeroizing::new(String::new());
    fs::File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other("it is far too large"));
    }
    Ok(text)
}

fn user_in(text: &str, path: &Path, machines: &[String]) -> Result<PasswordAuth> {
    let shown = path.display();
    let netrc = Netrc::from_str(text).map_err(|error| {
        // Its words may be a password in the wrong place; the line number stands at the end.
        let text = error.to_string();
        let line = text.rfind("(line ").map_or("", |at| &text[at..]);
        Fail::usage(format!("--netrc: {shown} is no netrc file {line}").trim_end().to_owned())
            .hint("an entry is written: machine NAME login USER password PASSWORD")
    })?;
    let Some(entry) = machines.iter().find_map(|machine| netrc.hosts.get(machine)) else {
        let why = format!("--netrc: {shown} names no machine {}", machines.join(" or "));
        return Err(Fail::usage(why).hint(WITHOUT));
    };
    check_name(&entry.login).map_err(|why| Fail::usage(format!("--netrc: the login in {shown} {why}")))?;
    if entry.password.is_empty() {
        return Err(Fail::usage(format!("--netrc: {shown} holds no password for {}", machines[0])));
    }
    Ok(PasswordAuth::new(entry.login.clone(), entry.password.clone()))
}

fn machines(realm: &str, is_default: bool) -> Vec<String> {
    if is_default {
        return MACHINES.iter().map(|name| (*name).to_owned()).collect();
    }
    let host = realm.split("://").nth(1).unwrap_or_default();
    let host = host.split('/').next().unwrap_or_default();
    let without_port = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let token = format!("{}/protocol/openid-connect/token", realm.trim_end_matches('/'));
    let mut names = vec![host.to_owned(), without_port.to_owned(), token];
    names.dedup();
    names
}

#[cfg(unix)]
fn warn_if_loose(path: &Path) {
    use std::os::unix::fs::MetadataExt;

    if fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
        output::warn(&format!("other users can read the passwords in {}: `chmod 600` it", path.display()));
    }
}

#[cfg(not(unix))]
fn warn_if_loose(_: &Path) {}

#[cfg(test)]
mod tests {
    use cdse_auth::AuthProvider;

    use super::*;

    #[test]
    fn cli4_no_word_of_a_netrc_file_is_shown() {
        cdse_fuzz::fuzz("netrc", |data| {
            let Ok(text) = std::str::from_utf8(data) else { return String::new() };
            match user_in(text, Path::new("/n"), &machines("", true)) {
                Ok(user) => {
                    assert!(user.username().is_some_and(|name| check_name(name).is_ok()));
                    "found".to_owned()
                }
                Err(fail) => {
                    assert_eq!(fail.exit(), 2);
                    let said = fail.text().split("(line ").next().unwrap_or_default();
                    let names = machines("", true).join(" ");
                    for word in text.split_whitespace().filter(|word| word.len() > 8 && !names.contains(*word)) {
                        assert!(!said.contains(word), "{word} in {said}");
                    }
                    said.to_owned()
                }
            }
        });
    }
}
