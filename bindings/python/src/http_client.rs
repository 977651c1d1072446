//! A program's HTTP client, in Python, as the library's.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use cdse_auth::{Error, ErrorKind, HttpSend, SendError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::errors::{ending, of_python};

/// It is used by `cdse_auth._http.send`, which knows what each client needs, and what its exceptions say of the request.
pub(crate) struct PythonClient(pub(crate) Py<PyAny>);

impl fmt::Debug for PythonClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PythonClient")
    }
}

/// Status, headers and body; or the exception, and whether the request may have been sent.
type Sent = (u16, Vec<(String, String)>, Vec<u8>, Option<Py<PyAny>>, bool);

impl PythonClient {
    fn call(&self, py: Python<'_>, request: &http::Request<Bytes>, timeout: Duration) -> PyResult<Sent> {
        let headers = PyDict::new(py);
        for (name, value) in request.headers() {
            headers.set_item(name.as_str(), value.to_str().unwrap_or_default())?;
        }
        let (method, url) = (request.method().as_str(), request.uri().to_string());
        let body = PyBytes::new(py, request.body());
        let arguments = (&self.0, method, url, headers, body, timeout.as_secs_f64());
        py.import("cdse_auth._http")?.call_method1("send", arguments)?.extract()
    }
}

impl HttpSend for PythonClient {
    fn send(&self, request: http::Request<Bytes>, timeout: Duration) -> Result<http::Response<Bytes>, SendError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let answer = Python::try_attach(|py| match self.call(py, &request, timeout) {
            Ok((_, _, _, Some(exception), was_sent)) => {
                let raised = PyErr::from_value(exception.into_bound(py));
                let what = if was_sent { "the answer of" } else { "a connection to" };
                let why = format!("{what} the identity service at {host} did not come");
                let error = of_python(ErrorKind::Network, &why, raised);
                Err(if was_sent { SendError::lost(error) } else { SendError::unsent(error) })
            }
            Ok((status, headers, body, None, _)) => answer(status, headers, body).map_err(SendError::lost),
            Err(raised) => Err(SendError::lost(of_python(ErrorKind::Network, "the HTTP client failed", raised))),
        });
        answer.unwrap_or_else(|| Err(SendError::unsent(ending())))
    }
}

fn answer(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Result<http::Response<Bytes>, Error> {
    let mut answer = http::Response::new(Bytes::from(body));
    *answer.status_mut() = http::StatusCode::from_u16(status).map_err(|error| {
        let why = format!("the HTTP client returned the status {status}, which does not exist");
        Error::new(ErrorKind::MalformedAnswer, why).with_source(error)
    })?;
    for (name, value) in headers {
        // A header that is none says nothing.
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), http::HeaderValue::try_from(value)) {
            answer.headers_mut().append(name, value);
        }
    }
    Ok(answer)
}
