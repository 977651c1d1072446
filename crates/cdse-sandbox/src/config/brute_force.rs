use std::time::Duration;

/// When wrong passwords and wrong codes lock a user. A locked user gets the answer for a wrong password. Refreshing keeps
/// working, and attempts during a lock do not prolong it. Correct credentials reset the count.
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
