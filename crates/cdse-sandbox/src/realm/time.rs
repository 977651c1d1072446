//! When something happens: in seconds, and in the order of issue.

/// Whole seconds since 1970, the resolution in which Keycloak does all of its reckoning.
pub(crate) type Seconds = u64;

/// The order in which tokens were issued; finer than the clock.
pub(super) type Issue = u64;
