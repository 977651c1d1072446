//! Text of others (a service, a file, a path), made safe for a terminal and a log.

/// The first `most` characters of `text`, in which spaces stand for what [`is_unprintable`]; spaces at the end are left out.
///
/// ```
/// use cdse_auth::text::printable;
///
/// assert_eq!(printable("red: \u{1b}[31m\r\n", 200), "red:  [31m");
/// assert_eq!(printable("a very long text", 6), "a very");
/// ```
#[must_use]
pub fn printable(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().map(|c| if is_unprintable(c) { ' ' } else { c }).take(most).collect();
    shown.truncate(shown.trim_end().len());
    shown
}

/// Whether a terminal obeys the character (controls), or reorders or hides the text around it (formats).
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e5_text_of_the_service_is_cleaned() {
        assert_eq!(printable("a\u{1b}[31mb\r\nc\u{202e}d\u{9b}e\u{e0041}f", 200), "a [31mb  c d e f");
        assert_eq!(printable(&"x".repeat(500), 200).len(), 200);
    }
}
