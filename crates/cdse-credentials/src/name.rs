//! The name of a profile.

use std::fmt;

/// A name that is safe as a file name: 1 to 64 ASCII letters, digits, `.`, `_` or `-`, not beginning with `.`.
///
/// ```
/// use cdse_credentials::Name;
///
/// assert_eq!(Name::parse("work").map(|name| name.to_string()), Ok("work".to_owned()));
/// assert!(Name::parse("../work").is_err());
/// assert_eq!(Name::default().as_str(), "default");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name(String);

impl Name {
    /// The name in `text`.
    ///
    /// # Errors
    ///
    /// What a name looks like, where the text is not one. The text is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=64).contains(&text.len())
            && !text.starts_with('.')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if !fits {
            return Err(
                "a profile name has 1 to 64 letters, digits, '.', '_' or '-', and does not begin with '.'".to_owned()
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the profile that is used when nobody names or chooses one.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The command that logs in to the profile.
    #[must_use]
    pub fn login_command(&self) -> String {
        if self.is_default() { "cdse auth login".to_owned() } else { format!("cdse auth login --profile {self}") }
    }
}

/// `default`.
impl Default for Name {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli11_profile_names() {
        let long = "x".repeat(64);
        for name in ["default", "a", "A.b_c-9", "con", &long] {
            assert!(Name::parse(name).is_ok(), "{name}");
        }
        let longer = "x".repeat(65);
        for name in ["", ".", "..", ".hidden", "a/b", "a b", "a\n", "ä", "a\0", "../x", "-", &longer] {
            assert_eq!(Name::parse(name).is_ok(), name == "-", "{name}");
        }
    }
}
