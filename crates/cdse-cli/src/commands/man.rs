//! `cdse man`: the manual, made from what `--help` is made from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::commands::help::TOPICS;
use crate::report::fail::{Fail, Result};
use crate::report::output;

#[derive(clap::Args, Debug)]
pub(crate) struct Command {
    /// Folder to write a page per command into; without it the main page is printed
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Command {
    pub(crate) fn run(&self, commands: clap::Command) -> Result<()> {
        let pages = pages(commands).map_err(|error| Fail::other(format!("the manual could not be made: {error}")))?;
        let Some(folder) = &self.folder else {
            return output::stdout(&String::from_utf8_lossy(&pages[0].1));
        };
        let count = pages.len();
        write(folder, pages).map_err(|error| Fail::other(format!("the manual could not be written: {error}")))?;
        output::note(&format!("wrote {count} pages to {}", folder.display()));
        Ok(())
    }
}

/// The name of its file, and its text.
type Page = (String, Vec<u8>);

/// The main page first.
fn pages(mut cli: clap::Command) -> io::Result<Vec<Page>> {
    cli.build();
    let mut pages = Vec::new();
    add(&cli, true, &mut pages)?;
    Ok(pages)
}

fn add(command: &clap::Command, is_main: bool, pages: &mut Vec<Page>) -> io::Result<()> {
    let page = Man::new(command.clone());
    let file = page.get_filename();
    let mut text = title(&file).into_bytes();
    let mut rendered = Vec::new();
    page.render(&mut rendered)?;
    text.extend(mended(&String::from_utf8_lossy(&rendered)).into_bytes());
    if is_main {
        topics().to_writer(&mut text)?;
    }
    pages.push((file, text));
    command.get_subcommands().filter(|one| !one.is_hide_set()).try_for_each(|one| add(one, false, pages))
}

/// Without the title, where an empty date is left out and what follows taken for it, and with a space where there is an empty
/// line between two breaks.
fn mended(page: &str) -> String {
    let lines = page.split_inclusive('\n').filter(|line| !line.starts_with(".TH "));
    lines.collect::<String>().replace(".br\n\n.br\n", ".sp\n")
}

/// There is no date, for the pages are as old as the program that makes them.
fn title(file: &str) -> String {
    let name = file.trim_end_matches(".1").to_uppercase();
    format!(".TH {name} 1 \"\" \"cdse {}\" \"cdse manual\"\n", env!("CARGO_PKG_VERSION"))
}

fn topics() -> Roff {
    let mut roff = Roff::new();
    for topic in TOPICS {
        roff.control("SH", [topic.section]).text([roman(topic.introduction)]);
        for (term, meaning) in topic.entries() {
            roff.control("TP", []).text([bold(term)]).text([roman(meaning)]);
        }
    }
    roff
}

fn write(folder: &Path, pages: Vec<Page>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    pages.into_iter().try_for_each(|(file, text)| fs::write(folder.join(file), text))
}
