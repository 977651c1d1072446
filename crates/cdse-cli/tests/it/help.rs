//! What is explained is true, and all of it is explained.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{BINARY, World};

fn help(world: &World, words: &[&str]) -> String {
    world.cdse(["help"].iter().chain(words)).run().ok().stdout
}

/// The sources of the program.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| {
        if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() }
    };
    entries.map(text).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

#[test]
fn cli4_every_variable_in_the_sources_is_in_help_environment() {
    let text = help(&World::new(), &["environment"]);
    let known: BTreeSet<&str> = words(&text).collect();
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let read = words(&sources).filter(|word| word.starts_with("CDSE_") && !word.ends_with('_'));
    let missing: BTreeSet<&str> = read.filter(|name| !known.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for name in ["XDG_STATE_HOME", "HOME", "NETRC", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "NO_COLOR"] {
        assert!(known.contains(name), "{name}");
    }
}

#[test]
fn cli7_every_exit_code_is_in_help_and_in_the_readme() {
    let world = World::new();
    let text = help(&world, &["exit-codes"]);
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let codes: Vec<&str> = text.lines().filter_map(|line| line.split("  ").next()).collect();
    // The codes that an error can have, by the schema of its JSON shape.
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../schemas/error.json")).unwrap();
    let exits = schema["properties"]["error"]["properties"]["exit"]["enum"].as_array().unwrap();
    for code in exits.iter().map(serde_json::Value::to_string).chain(["0".to_owned(), "128 + n".to_owned()]) {
        // From 125 on they are those of `env`, and of signals.
        let is_of_env = code.parse::<u8>().is_ok_and(|code| code >= 125);
        assert!(is_of_env || codes.contains(&code.as_str()), "{code}: {text}");
    }
    let joined: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let rows = readme.lines().skip_while(|line| !line.starts_with("| exit code")).skip(2);
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    assert_eq!(
        rows.len(),
        codes.iter().skip_while(|code| **code != "CODE").filter(|code| !code.is_empty()).count() - 1
    );
    for row in rows {
        let row = row.trim_matches(['|', ' ']).replace(" | ", " ");
        assert!(joined.contains(&row), "{row}");
    }
}

#[test]
fn cli9_help_of_a_command_is_that_of_its_option() {
    let world = World::new();
    for command in [&["auth", "login"][..], &["auth", "sessions", "prune"], &["sandbox", "run"], &["man"], &[]] {
        let long = world.cdse(command.iter().chain(&["--help"])).run().ok().stdout;
        assert_eq!(help(&world, command), long, "{command:?}");
    }
    world.cdse(["help", "auth", "nothing"]).run().exits(2).prints_nothing().says("exit-codes");
}

#[test]
fn cli9_every_command_in_help_credentials_exists() {
    let world = World::new();
    let text = help(&world, &["credentials"]);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let page = world.cdse(["man"]).run().ok().stdout.replace("\\-", "-");
    let commands = page.split('`').skip(1).step_by(2).filter(|command| command.starts_with("cdse "));
    let commands: BTreeSet<&str> = commands.collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split(' ').skip(1).take_while(|word| *word != "--").collect();
        let names = words.iter().take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        let names: Vec<&str> = names.take_while(|word| !word.starts_with("--")).copied().collect();
        let help = match names.as_slice() {
            ["help", ..] => help(&world, &names[1..]),
            names => help(&world, names),
        };
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{command}: there is no {option}");
        }
    }
}

/// Every command, as the names of its parents and its own.
fn commands(world: &World, of: &[String]) -> Vec<Vec<String>> {
    let text = world.cdse(of.iter().map(String::as_str).chain(["--help"])).run().ok().stdout;
    let rows = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = rows.filter_map(|row| row.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
    let mut all = vec![of.to_vec()];
    for name in names {
        all.extend(commands(world, &[of, &[name.to_owned()]].concat()));
    }
    all
}

#[test]
fn cli9_every_command_has_a_man_page_that_renders_without_a_warning() {
    let world = World::new();
    let folder = world.home.path().join("man/man1");
    world.cdse(["man", folder.to_str().unwrap()]).run().ok().prints_nothing().says("25 pages");
    let commands = commands(&world, &[]);
    assert_eq!(commands.len(), 25, "{commands:?}");
    for command in commands {
        let name = ["cdse".to_owned()].into_iter().chain(command).collect::<Vec<_>>().join("-");
        let page = folder.join(format!("{name}.1"));
        let text = fs::read_to_string(&page).unwrap();
        assert!(text.contains(&format!(".TH {} 1 ", name.to_uppercase())), "{name}");
        renders(&page);
    }
    let main = fs::read_to_string(folder.join("cdse.1")).unwrap();
    assert_eq!(main, world.cdse(["man"]).run().ok().stdout);
    for section in ["CREDENTIALS", "ENVIRONMENT", "\"EXIT STATUS\""] {
        assert!(main.contains(&format!(".SH {section}")), "{section}");
    }
}

/// By the renderers that are installed.
fn renders(page: &Path) {
    let said = |command: &mut Command| {
        let done = command.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").output().ok()?;
        Some((done.status.success(), String::from_utf8_lossy(&[done.stderr, done.stdout].concat()).into_owned()))
    };
    if let Some((good, text)) = said(Command::new("man").args(["--warnings", "-l"]).arg(page)) {
        assert!(good && !text.contains("warning:") && text.contains("NAME"), "{text}");
    }
    if let Some((_, text)) = said(Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(page)) {
        let odd: Vec<&str> = text.lines().filter(|line| !line.contains("missing date")).collect();
        assert!(odd.is_empty(), "{odd:?}");
    }
}

#[test]
fn cli9_a_manual_that_cannot_be_written_is_an_error() {
    let world = World::new();
    let file = world.home.path().join("file");
    fs::write(&file, "").unwrap();
    world.cdse(["man", file.to_str().unwrap()]).run().exits(1).says("could not be written");
}

#[cfg(unix)]
#[test]
fn cli9_a_program_that_is_called_by_another_name_says_that_name() {
    let world = World::new();
    let other = world.home.path().join("cdse-auth");
    std::os::unix::fs::symlink(BINARY, &other).unwrap();
    let run = world.call(&other, ["auth", "token", "--no-input"]).run();
    assert!(run.stderr.contains("cdse-auth auth login") && !run.stderr.contains("cdse auth"), "{}", run.stderr);
    let run = world.call(&other, ["exec", "--help"]).run().ok();
    assert!(run.stdout.contains("cdse-auth exec -- sh") && !run.stdout.contains("cdse exec"), "{}", run.stdout);
    let run = world.call(&other, ["auth", "--help"]).run().ok();
    assert!(run.stdout.contains("Usage: cdse-auth auth") && !run.stdout.contains("cdse auth"), "{}", run.stdout);
    let run = world.call(&other, ["completions", "bash"]).run().ok();
    assert!(run.stdout.contains("cdse-auth"), "{}", run.stdout);
}
