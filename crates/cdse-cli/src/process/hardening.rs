//! No memory of this process in a file: it holds tokens, and perhaps a password.

/// From now on the kernel writes no core dump of this process, hands none to a program, and lets no other program of this
/// user look into its memory. What it runs is not concerned.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn forbid_core_dumps() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    // A limit would be inherited by what is run, and does not bind programs that core dumps are handed to.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// From now on the kernel writes no core dump of this process. What it runs may ask for its own.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) fn forbid_core_dumps() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Core).maximum;
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}

#[cfg(not(unix))]
pub(crate) fn forbid_core_dumps() {}
