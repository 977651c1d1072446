//! The library's errors as Python's exceptions, and back.

use std::error::Error as StdError;

use cdse_auth::{Error, ErrorKind};
use pyo3::prelude::*;

/// The exception for an error: what Python code raised on the way goes on as it is, unless the network failed.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let cause = raised(error).map(|cause| cause.clone_ref(py));
    if let Some(cause) = &cause
        && error.kind() != ErrorKind::Network
    {
        return cause.clone_ref(py);
    }
    let class = match error.kind() {
        ErrorKind::ReauthRequired => "SessionEndedError",
        ErrorKind::CredentialsRefused
        | ErrorKind::SessionLimit
        | ErrorKind::AccountBlocked
        | ErrorKind::StillRefused
        | ErrorKind::RateLimited
        | ErrorKind::ServiceUnavailable
        | ErrorKind::Configuration
        | ErrorKind::MalformedAnswer => "TokenRefreshError",
        _ => "AuthError",
    };
    let exception = make(py, class, &error.to_string(), error.kind().code(), error.is_transient());
    exception.set_cause(py, cause);
    exception
}

/// The same for an error of the credential chain.
pub(crate) fn of_credentials(py: Python<'_>, error: &cdse_credentials::Error) -> PyErr {
    use cdse_credentials::Error as Of;
    match error {
        Of::Auth(error) => raise(py, error),
        Of::NotLoggedIn(_) | Of::OtherService(_) => {
            make(py, "NotLoggedInError", &error.to_string(), ErrorKind::ReauthRequired.code(), false)
        }
        _ => make(py, "AuthError", &error.to_string(), ErrorKind::Configuration.code(), false),
    }
}

/// One of the classes of `cdse_auth.exceptions`.
pub(crate) fn make(py: Python<'_>, class: &str, message: &str, code: &str, is_transient: bool) -> PyErr {
    let made = py
        .import("cdse_auth.exceptions")
        .and_then(|module| module.call_method1("_made", (class, message, code, is_transient)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// What Python code raised while the library had called it.
fn raised(error: &Error) -> Option<&PyErr> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(raised) = source.downcast_ref::<PyErr>() {
            return Some(raised);
        }
        next = source.source();
    }
    None
}

/// An error of the library about what Python code raised.
pub(crate) fn of_python(kind: ErrorKind, what: &str, raised: PyErr) -> Error {
    let why = Python::try_attach(|py| {
        let value = raised.value(py);
        let name = value.get_type().name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
        format!("{what}: {name}: {value}")
    });
    Error::new(kind, why.unwrap_or_else(|| what.to_owned())).with_source(raised)
}

/// Python code can no longer be run.
pub(crate) fn ending() -> Error {
    Error::new(ErrorKind::ShutDown, "the Python interpreter is ending; nothing was sent")
}
