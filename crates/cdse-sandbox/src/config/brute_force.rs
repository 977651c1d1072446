use std::time::Duration;

/// When wrong passwords and wrong codes lock a user. A lock does not show: the answer is that of a wrong password.
/// Refreshing goes on working, and attempts during a lock do not lengthen it. Right credentials set the count to zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BruteForce {
    /// This many failures lock the user for `wait`, twice as many for twice as long, and so on.
    pub max_failures: u32,
    /// How long a lock lasts.
    pub wait: Duration,
    /// Two failures closer together than this lock the user for `wait` at once. Keycloak's own default is one second;
    /// here it is `None`, because tests make mistakes quickly.
    pub quick_login_check: Option<Duration>,
}

impl Default for BruteForce {
    fn default() -> Self {
        Self { max_failures: 30, wait: Duration::from_secs(60), quick_login_check: None }
    }
}
