//! `$filter`, as far as it is understood here: names and collections, joined by `and`.

use super::product::Product;

#[derive(Debug)]
pub(crate) struct Filter(Vec<Term>);

#[derive(Debug)]
enum Term {
    Name(String),
    Collection(String),
    Contains(String),
    StartsWith(String),
}

impl Filter {
    /// # Errors
    ///
    /// Where it stops being understood, in bytes.
    pub(crate) fn parse(text: &str) -> Result<Self, usize> {
        let mut rest = text;
        let mut terms = Vec::new();
        loop {
            let (term, after) = term(rest.trim_start()).map_err(|rest| text.len() - rest.len())?;
            terms.push(term);
            if after.trim_start().is_empty() {
                return Ok(Self(terms));
            }
            let joined = after.trim_start().strip_prefix("and").filter(|next| next.starts_with(' '));
            rest = joined.ok_or(text.len() - after.trim_start().len())?;
        }
    }

    pub(crate) fn fits(&self, product: &Product) -> bool {
        let name = product.about.name;
        self.0.iter().all(|term| match term {
            Term::Name(text) => name == text,
            Term::Collection(text) => product.about.collection == text,
            Term::Contains(text) => name.contains(text.as_str()),
            Term::StartsWith(text) => name.starts_with(text.as_str()),
        })
    }
}

/// One term and what follows it, or where it goes wrong.
fn term(text: &str) -> Result<(Term, &str), &str> {
    for (field, made) in [("Collection/Name", Term::Collection as fn(String) -> Term), ("Name", Term::Name)] {
        if let Some(after) = text.strip_prefix(field) {
            let after = word(after, "eq").ok_or(after)?;
            let (literal, after) = literal(after)?;
            return Ok((made(literal), after));
        }
    }
    for (function, made) in [("contains", Term::Contains as fn(String) -> Term), ("startswith", Term::StartsWith)] {
        if let Some(after) = text.strip_prefix(function) {
            let after = sign(after, '(')?;
            let after = sign(after.trim_start().strip_prefix("Name").ok_or(after)?, ',')?;
            let (literal, after) = literal(after.trim_start())?;
            return Ok((made(literal), sign(after, ')')?));
        }
    }
    Err(text)
}

/// What follows this word, which has a space on both sides.
fn word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let after = text.strip_prefix(' ')?.trim_start().strip_prefix(word)?;
    after.starts_with(' ').then(|| after.trim_start())
}

fn sign(text: &str, sign: char) -> Result<&str, &str> {
    text.trim_start().strip_prefix(sign).ok_or(text)
}

/// A text in single quotes, in which two of them stand for one.
fn literal(text: &str) -> Result<(String, &str), &str> {
    let mut literal = String::new();
    let mut rest = text.strip_prefix('\'').ok_or(text)?;
    loop {
        let (part, after) = rest.split_once('\'').ok_or(text)?;
        literal.push_str(part);
        match after.strip_prefix('\'') {
            Some(further) => {
                literal.push('\'');
                rest = further;
            }
            None => return Ok((literal, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;

    #[test]
    fn the_simple_forms_are_understood() {
        for text in [
            "Name eq 'a and b'",
            "Collection/Name eq 'SENTINEL-1' and contains(Name,'it''s') and startswith( Name , 'S1A' ) ",
        ] {
            assert!(Filter::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn an_error_says_where() {
        for (text, place) in [
            ("", 0),
            ("name eq 'a'", 0),
            ("Name ne 'a'", 4),
            ("Name eq 'a' or Name eq 'b'", 12),
            ("Name eq 'a' and ", 16),
            ("Name eq 'a", 8),
            ("Name eq 'a' and Online eq true", 16),
        ] {
            assert_eq!(Filter::parse(text).unwrap_err(), place, "{text}");
        }
    }
}
