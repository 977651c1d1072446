//! Tests that need a real part, a Keycloak or a keyring. They exist where `CDSE_TEST_REAL` asks for them, and fail there
//! when the part is missing: none is left out in silence. A variable and no feature, so that they are in the one build that
//! all tests share.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

const VARIABLE: &str = "CDSE_TEST_REAL";

/// What not every machine has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The Keycloaks that `tests/keycloak/prepare` has prepared; they need Java.
    Keycloak,
    /// Those of `docs/recipes`, and what `tests/programs/prepare` has made.
    Programs,
    /// `dbus-daemon`, `gnome-keyring-daemon` and `secret-tool`.
    Keyring,
}

impl Part {
    /// Whether the environment asks for tests with it.
    ///
    /// # Panics
    ///
    /// When it asks for something that is no part.
    #[must_use]
    pub fn is_asked_for(self) -> bool {
        let asked = std::env::var(VARIABLE).unwrap_or_default();
        let part = |word: &str| match word {
            "keycloak" => Self::Keycloak,
            "keyring" => Self::Keyring,
            "programs" => Self::Programs,
            _ => panic!("{VARIABLE}: {word} is none of keycloak, keyring, programs"),
        };
        let parts: Vec<_> = asked.split(',').map(str::trim).filter(|word| !word.is_empty()).map(part).collect();
        parts.contains(&self)
    }
}

/// A test and its name; [`named!`](crate::named) makes a list of them.
pub type Named = (&'static str, fn());

/// Functions, with the names that they have.
#[macro_export]
macro_rules! named {
    ($($test:ident),* $(,)?) => { &[$((stringify!($test), $test as fn())),*] };
}

/// The `main` of a program of tests (`harness = false`): those of the second list need the part. It takes the arguments that
/// every program of tests takes.
#[must_use]
#[allow(clippy::print_stderr, reason = "it says what is left out")]
pub fn run(ordinary: &[Named], part: Part, real: &[Named]) -> ExitCode {
    let arguments = Arguments::from_args();
    let asked_for = part.is_asked_for();
    if !asked_for && !arguments.list {
        eprintln!(
            "left out, for {VARIABLE} does not name {}: {} tests",
            format!("{part:?}").to_lowercase(),
            real.len()
        );
    }
    let real = real.iter().filter(|_| asked_for);
    let trial = |&(name, test): &Named| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&arguments, ordinary.iter().chain(real).map(trial).collect()).exit_code()
}
