//! User name and password from a netrc file, on request ([`Selection::netrc`](crate::Selection::netrc)).

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cdse_auth::PasswordAuth;
use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::input::{check_name, if_unexpanded};

/// The machine names that tools for this service look for: its domain, the identity service, the token endpoint's address.
const MACHINES: &[&str] = &[
    "identity.dataspace.copernicus.eu",
    "dataspace.copernicus.eu",
    "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token",
];

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("NETRC", message)
}

const WITHOUT: &str = "`cdse auth login` needs no netrc file";

/// No netrc file that people write is larger.
const LARGEST: u64 = 1024 * 1024;

/// Where it is: `NETRC`, else in the home folder.
pub(crate) fn path(environment: &Environment) -> Result<PathBuf> {
    let name = if cfg!(windows) { "_netrc" } else { ".netrc" };
    let home = || environment.home.as_ref().map(|home| home.join(name));
    let path = environment.netrc.clone().or_else(home);
    path.ok_or_else(|| invalid("there is no home folder with a netrc file: set NETRC"))
}

/// The user of the realm's machine. The password of one service is nothing for another, so a realm of another address
/// (`is_default: false`) has only its own names. With what is worth a warning.
pub(crate) fn user(environment: &Environment, realm: &str, is_default: bool) -> Result<(PasswordAuth, Vec<String>)> {
    let path = path(environment)?;
    let shown = path.display();
    let text = read(&path).map_err(|error| {
        let unexpanded = if_unexpanded(&path);
        invalid(format!("the netrc file {shown} cannot be read: {error}{unexpanded}")).with_hint(WITHOUT)
    })?;
    let (user, warning) = user_in(&text, &path, &machines(realm, is_default))?;
    Ok((user, open_to_others(&path).into_iter().chain(warning).collect()))
}

/// A plain file and not the whole of a huge one: anything else could keep a job waiting for ever.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    // Room for the whole file: growing would leave copies of passwords behind.
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len().min(LARGEST)).unwrap_or(0) + 1));
    fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other("it is far too large"));
    }
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") || text.contains(&0) {
        return Err(io::Error::other("it is text in UTF-16, or no text: save it as UTF-8"));
    }
    Ok(text)
}

/// The user, and what is odd about the file.
fn user_in(text: &[u8], path: &Path, machines: &[String]) -> Result<(PasswordAuth, Option<String>)> {
    let shown = path.display();
    let unreadable = |line: usize| {
        invalid(format!("the netrc file {shown} cannot be understood (line {line})"))
            .with_hint("an entry is written: machine NAME login USER password PASSWORD")
    };
    let (entries, outside) = entries(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text));
    let of = |machine: &str| -> Vec<&Entry> {
        entries.iter().filter(|entry| entry.machine.eq_ignore_ascii_case(machine.as_bytes())).collect()
    };
    let ours = machines.iter().map(|machine| (machine, of(machine))).find(|(_, entries)| !entries.is_empty());
    let Some((machine, [entry, others @ ..])) = ours.as_ref().map(|(machine, entries)| (machine, &entries[..])) else {
        return Err(match outside.filter(|_| entries.is_empty()) {
            Some(line) => unreadable(line),
            None => {
                invalid(format!("the netrc file {shown} has no entry for {}", machines.join(" or "))).with_hint(WITHOUT)
            }
        });
    };
    if let Some(line) = entry.odd {
        return Err(unreadable(line));
    }
    let decoded = |what: &str, word: &[u8]| {
        let why = || format!("the {what} of {machine} in {shown} is not valid UTF-8: save the file as UTF-8");
        std::str::from_utf8(word).map(|word| Zeroizing::new(word.to_owned())).map_err(|_| invalid(why()))
    };
    let (login, password) = (decoded("login", &entry.login)?, decoded("password", &entry.password)?);
    check_name(&login).map_err(|why| invalid(format!("the login in {shown} {why}")))?;
    if password.is_empty() {
        return Err(invalid(format!("the netrc file {shown} holds no password for {}", machines[0])));
    }
    let count = 1 + others.len();
    let warning = (count > 1).then(|| format!("{shown} has {count} entries for {machine}: the first one is used"));
    Ok((PasswordAuth::new(login.as_str(), password.as_str()), warning))
}

/// One machine's entry, in the bytes of the file: what is in the others is their business.
#[derive(Default)]
struct Entry {
    /// Empty for `default`, which is for every machine and so not used here.
    machine: Word,
    login: Word,
    password: Word,
    /// The line of what was not understood in it.
    odd: Option<usize>,
}

type Word = Zeroizing<Vec<u8>>;

/// All entries, and the line of what was not understood outside of them. Words are separated as curl does it: by spaces and
/// line ends, or in quotation marks, within which a backslash stands before a quotation mark and its like.
fn entries(text: &[u8]) -> (Vec<Entry>, Option<usize>) {
    let mut entries: Vec<Entry> = Vec::new();
    let mut outside = None;
    let mut words = words(text).into_iter();
    while let Some((line, word)) = words.next() {
        if matches!(&word[..], b"machine" | b"default") {
            entries.push(Entry::default());
        }
        let mut account = Word::default();
        let place = match (&word[..], entries.last_mut()) {
            (b"default", _) => continue,
            (b"machine", Some(entry)) => Some(&mut entry.machine),
            (b"login", Some(entry)) => Some(&mut entry.login),
            (b"password", Some(entry)) => Some(&mut entry.password),
            (b"account", Some(_)) => Some(&mut account),
            _ => None,
        };
        if let Some((place, (_, value))) = place.and_then(|place| Some((place, words.next()?))) {
            *place = value;
        } else {
            let odd = entries.last_mut().map_or(&mut outside, |entry| &mut entry.odd);
            odd.get_or_insert(line);
        }
    }
    (entries, outside)
}

/// The words and their lines, without comments and macros.
fn words(text: &[u8]) -> Vec<(usize, Word)> {
    let mut found: Vec<(usize, Word)> = Vec::new();
    let mut in_macro = false;
    for (nth, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let mut rest = line.trim_ascii();
        if in_macro {
            // It ends with an empty line.
            in_macro = !rest.is_empty();
            continue;
        }
        if rest.starts_with(b"#") {
            continue;
        }
        while !rest.is_empty() {
            let (word, after) = first_word(rest);
            rest = after.trim_ascii_start();
            if &word[..] == b"macdef" {
                in_macro = true;
                break;
            }
            found.push((nth + 1, word));
        }
    }
    found
}

fn first_word(text: &[u8]) -> (Word, &[u8]) {
    let mut word = Word::new(Vec::with_capacity(text.len()));
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        word.extend_from_slice(&text[..end]);
        return (word, &text[end..]);
    };
    let mut bytes = quoted.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return (word, &quoted[at + 1..]),
            b'\\' => word.extend(bytes.next().map(|(_, byte)| match byte {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                other => *other,
            })),
            other => word.push(*other),
        }
    }
    (word, b"")
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

fn open_to_others(path: &Path) -> Option<String> {
    let (is_open, shown) = (cdse_files::PrivateFile::new(path).is_open_to_others(), path.display());
    is_open.then(|| format!("other users can read the passwords in {shown}: run `chmod 600 {shown}`"))
}

#[cfg(test)]
mod tests {
    use cdse_auth::AuthProvider;

    use super::*;

    #[test]
    fn cli4_no_word_of_a_netrc_file_is_shown() {
        cdse_fuzz::fuzz("netrc", |data| {
            let text = String::from_utf8_lossy(data);
            match user_in(data, Path::new("/n"), &machines("", true)) {
                Ok((user, _)) => {
                    assert!(user.username().is_some_and(|name| check_name(name).is_ok()));
                    "found".to_owned()
                }
                Err(error) => {
                    assert!(matches!(error, Error::InvalidConfig(_)));
                    let message = error.message();
                    let said = message.split("(line ").next().unwrap_or_default();
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
