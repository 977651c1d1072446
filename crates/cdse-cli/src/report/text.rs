//! Text of others, made safe for terminals.

use cdse_auth::text::is_unprintable;

/// Paths and words of others may hold line ends and terminal commands.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_unprintable(c) { ' ' } else { c }).collect()
}
