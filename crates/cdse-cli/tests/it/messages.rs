//! Every message that a person may meet, brought about for real, and `docs/troubleshooting.md` made from them.
//!
//! A message that changes makes this test fail until the page is written anew:
//! `UPDATE_DOCS=1 cargo test -p cdse-cli --test it messages`.

mod cases;
mod stage;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use self::cases::SECTIONS;
use self::stage::{Stage, Told};

/// How something goes wrong.
struct Case {
    title: &'static str,
    /// Why it happens and what to do about it.
    advice: &'static str,
    /// Brings it about; `None` where this machine cannot.
    bring: fn(&Stage) -> Option<Told>,
}

const INTRODUCTION: &str = "\
# Troubleshooting

This page lists the error messages of `cdse`, their causes and what to do: search it for the words of your message. A test
produces each message with the real program; the names, addresses and times are examples.

`cdse auth doctor` checks for most of these causes and prints no secret. With `--json`, the same message is an object on
stderr, with the code that is given here in brackets. `cdse help exit-codes` lists the exit codes.
";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/troubleshooting.md")
}

#[test]
fn cli7_every_message_is_as_the_troubleshooting_page_has_it() {
    let before = fs::read_to_string(page()).unwrap_or_default();
    let found = bring_all(&before);
    let mut found = found.iter();
    let mut text = INTRODUCTION.to_owned();
    let mut codes = BTreeSet::new();
    for (section, cases) in SECTIONS {
        let _ = write!(text, "\n## {section}\n");
        for (entry, code) in found.by_ref().take(cases.len()) {
            text.push_str(entry);
            codes.extend(code.clone());
        }
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::create_dir_all(page().parent().unwrap()).unwrap();
        fs::write(page(), &text).unwrap();
    } else {
        let differs = text.lines().zip(before.lines()).find(|(new, old)| new != old);
        assert!(text == before, "docs/troubleshooting.md is out of date, at {differs:?}: see the head of this file");
    }
    // Whatever the library can fail with is there.
    let source = include_str!("../../../cdse-auth/src/error.rs");
    let kinds = source.lines().filter_map(|line| line.trim().strip_suffix("\",")?.split_once(" = \""));
    let missing: Vec<&str> = kinds.map(|(_, code)| code).filter(|code| !codes.contains(*code)).collect();
    // Shown to nobody: only a signal shuts a manager down, and the process ends with it.
    assert_eq!(missing, ["shut_down"]);
}

/// Some of them wait, so that several are under way at once.
fn bring_all(before: &str) -> Vec<(String, Option<String>)> {
    let cases: Vec<&Case> = SECTIONS.iter().flat_map(|(_, cases)| *cases).collect();
    let next = AtomicUsize::new(0);
    let worker = || {
        let mine = std::iter::from_fn(|| {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            cases.get(nth).map(|case| (nth, entry(case, before)))
        });
        mine.collect::<Vec<_>>()
    };
    let mut found: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..6).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    found.sort_by_key(|(nth, _)| *nth);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// The part of the page about one case, and its code; where it cannot be brought about, the part that is there.
fn entry(case: &Case, before: &str) -> (String, Option<String>) {
    let title = format!("\n### {}\n", case.title);
    let both = std::thread::scope(|scope| {
        let json = scope.spawn(|| (case.bring)(&Stage::new(true)));
        (case.bring)(&Stage::new(false)).map(|told| (told, json.join().unwrap()))
    });
    let Some((told, json)) = both else {
        let part = before.split_once(&title).map(|(_, rest)| rest).unwrap_or_default();
        let end = part.find("\n## ").into_iter().chain(part.find("\n### ")).min().unwrap_or(part.len());
        let code = part[..end].split("(`").nth(1).and_then(|rest| rest.split('`').next());
        return (format!("{title}{}", &part[..end]), code.map(str::to_owned));
    };
    told.check_style(case.title);
    let code = json.and_then(|json| json.check_same(&told));
    let name = code.as_ref().map(|code| format!(" (`{code}`)")).unwrap_or_default();
    let Told { typed, stderr, code: exit } = told;
    let advice = wrapped(case.advice);
    (format!("{title}\n```console\n$ {typed}\n{stderr}```\n\nExit code {exit}{name}. {advice}\n"), code)
}

/// The advice goes on after the exit code; long lines are fine in a page that nobody writes by hand.
fn wrapped(advice: &str) -> String {
    advice.split_whitespace().collect::<Vec<_>>().join(" ")
}
