//! What is read from the arguments before they are parsed, and where they cannot be.

use std::ffi::OsString;

use clap::{ColorChoice, ValueEnum as _};

/// What decides how help and errors look, where the arguments as a whole cannot be understood.
#[derive(PartialEq, Eq, Default, Debug)]
pub(crate) struct Early {
    pub(crate) json: bool,
    pub(crate) color: Option<ColorChoice>,
    /// The command, as far as it is one.
    pub(crate) path: Vec<String>,
}

impl Early {
    /// Reads no further than `--`, or the name of a program to run: what follows is the program's.
    pub(crate) fn of(mut command: clap::Command, arguments: &[OsString]) -> Self {
        // The options of every command are known to each from then on.
        command.build();
        let (mut command, mut preview) = (&command, Self::default());
        let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
        while let Some(word) = words.next() {
            let (name, value) = word.split_once('=').map_or((&*word, None), |(name, value)| (name, Some(value)));
            let known = command.get_arguments().find(|known| {
                let short = |short| name.strip_prefix('-').is_some_and(|letters| letters.starts_with(short));
                known.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long))
                    || known.get_short().is_some_and(short)
            });
            match known {
                _ if word == "--" => break,
                Some(known) => {
                    let takes_next = known.get_action().takes_values() && value.is_none();
                    let next = if takes_next { words.next() } else { None };
                    match known.get_long() {
                        Some("json") => preview.json = true,
                        Some("color") if preview.color.is_none() => {
                            let value = value.or(next.as_deref()).unwrap_or_default();
                            preview.color = ColorChoice::from_str(value, false).ok();
                        }
                        _ => {}
                    }
                }
                None => match command.find_subcommand(&*word) {
                    Some(one) => {
                        command = one;
                        preview.path.push(word.into_owned());
                    }
                    None if command.get_positionals().any(clap::Arg::is_trailing_var_arg_set) => break,
                    None => {}
                },
            }
        }
        preview
    }
}
