//! Lines for whoever runs a test by hand.

#[expect(clippy::print_stderr, reason = "for whoever runs a test by hand")]
pub(crate) fn report(line: &str) {
    eprintln!("{line}");
}
