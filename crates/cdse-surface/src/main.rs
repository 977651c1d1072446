//! `cdse-surface RUSTDOC.json ANNOUNCED.txt [--announce]`: whether the public interface is the one that was announced, and
//! holds no type of a dependency but those that were chosen.

use std::collections::BTreeSet;
use std::error::Error;
use std::process::ExitCode;

/// What a user of the library must name, or is given, of other crates. A new major version of one of these is one of ours.
const CHOSEN: &[&str] = &[
    // The header that every HTTP library takes.
    "http::header::value::HeaderValue",
    // Requests and answers, as every HTTP client has them or can make them.
    "bytes::bytes::Bytes",
    "http::request::Request",
    "http::response::Response",
    // What is wrong with a file.
    "cdse_files::error::Error",
    // Records and tokens are written by stores of others.
    "serde_core::de::Deserialize",
    "serde_core::de::Deserializer",
    "serde_core::ser::Serialize",
    "serde_core::ser::Serializer",
    // Secrets that are wiped, taken over and handed out without a copy.
    "zeroize::Zeroizing",
];
const OURS: &[&str] = &["alloc", "cdse_auth", "cdse_credentials", "cdse_files", "core", "std"];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [json, announced, rest @ ..] = arguments.as_slice() else { return Err("two file names are needed".into()) };
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let lines: Vec<String> = api.items().map(ToString::to_string).collect();
    let foreign = foreign(&lines);
    if !foreign.is_empty() {
        say(&format!("of other crates, and not chosen: {foreign:?}"));
        return Ok(ExitCode::FAILURE);
    }
    if rest.first().is_some_and(|option| option == "--announce") {
        std::fs::write(announced, lines.join("\n") + "\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let before = std::fs::read_to_string(announced)?;
    let (before, now): (BTreeSet<&str>, BTreeSet<&str>) =
        (before.lines().collect(), lines.iter().map(String::as_str).collect());
    before.difference(&now).for_each(|line| say(&format!("- {line}")));
    now.difference(&before).for_each(|line| say(&format!("+ {line}")));
    if before != now {
        say("the public interface has changed: announce it in CHANGELOG.md, then run .ci/surface --announce");
        return Ok(ExitCode::FAILURE);
    }
    say(&format!("{} public items, as announced", now.len()));
    Ok(ExitCode::SUCCESS)
}

/// The paths of other crates that nobody has chosen.
fn foreign(lines: &[String]) -> BTreeSet<&str> {
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let paths = lines.iter().flat_map(|line| line.split(|c| !is_path(c))).filter(|word| word.contains("::"));
    let paths = paths.map(|path| path.trim_matches(':'));
    let is_ours = |path: &str| path.split("::").next().is_some_and(|crate_| OURS.contains(&crate_));
    // A method or variant of a chosen type stands behind its name.
    let is_chosen =
        |path: &str| CHOSEN.iter().any(|chosen| path == *chosen || path.starts_with(&format!("{chosen}::")));
    // A path within a trait or type, such as `Self::Error`.
    let is_local = |path: &str| {
        path.starts_with(|c: char| c.is_ascii_uppercase()) || !path.contains("::") || path.starts_with("__")
    };
    paths.filter(|path| !is_ours(path) && !is_chosen(path) && !is_local(path)).collect()
}

#[expect(clippy::print_stderr, reason = "it is a tool")]
fn say(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_of_a_dependency_is_found() {
        let lines = |text: &str| vec![text.to_owned()];
        assert!(foreign(&lines("pub fn cdse_auth::f(&self) -> http::header::value::HeaderValue")).is_empty());
        assert!(foreign(&lines("pub fn cdse_auth::f() -> core::option::Option<Self::Error>")).is_empty());
        assert_eq!(foreign(&lines("pub fn cdse_auth::f(reqwest::Client)")), BTreeSet::from(["reqwest::Client"]));
    }
}
