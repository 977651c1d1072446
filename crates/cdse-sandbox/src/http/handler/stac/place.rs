//! Where things are.

use crate::state::Site;

/// The version of the specification that everything here follows.
pub(super) const VERSION: &str = "1.1.0";

pub(super) struct Place<'a> {
    /// The landing page, without a slash at its end.
    pub(super) root: String,
    pub(super) site: &'a Site,
    /// Of the tokens for the download host.
    pub(super) issuer: &'a str,
}
