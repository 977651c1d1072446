//! A program's HTTP client, in Python, as the library's.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use cdse_auth::{Error, ErrorKind, HttpSend, SendError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::errors::{ending, of_python};
use crate::inside::Inside;

/// It is used by `cdse_auth._http.send`, which knows what each client needs, and what its exceptions say of the request.
pub(crate) struct PythonClient(pub(crate) Py<PyAny>, pub(crate) Inside);

impl fmt::Debug for PythonClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PythonClient")
    }
}

/// Status, headers and body; or the exception, and whether the request may have been sent.
type Sent = (u16, Vec<(String, String)>, Vec<u8>, Option<Py<PyAny>>, bool);

impl PythonClient {
    fn call<'py>(
        &self,
        py: Python<'py>,
        request: &http::Request<Bytes>,
        timeout: Duration,
    ) -> PyResult<Bound<'py, PyAny>> {
        let headers = PyDict::new(py);
        for (name, value) in request.headers() {
            headers.set_item(name.as_str(), value.to_str().unwrap_or_default())?;
        }
        let (method, url) = (request.method().as_str(), request.uri().to_string());
        let body = PyBytes::new(py, request.body());
        let arguments = (&self.0, method, url, headers, body, timeout.as_secs_f64());
        let send = py.import("cdse_auth._http")?.getattr("send")?;
        self.1.run(|| send.call1(arguments))
    }
}

impl HttpSend for PythonClient {
    fn send(&self, request: http::Request<Bytes>, timeout: Duration) -> Result<http::Response<Bytes>, SendError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let answer = Python::try_attach(|py| {
            // What it raises came before anything could be sent, and it would raise it again.
            let sent = self.call(py, &request, timeout).map_err(|raised| {
                SendError::unsent(of_python(ErrorKind::Configuration, "the HTTP client cannot be used", raised))
            })?;
            match sent.extract::<Sent>() {
                Ok((_, _, _, Some(exception), was_sent)) => {
                    let raised = PyErr::from_value(exception.into_bound(py));
                    let what = if was_sent { "the answer of" } else { "a connection to" };
                    let why = format!("{what} the identity service at {host} did not come");
                    let error = told(py, request.body(), &why, raised);
                    Err(if was_sent { SendError::lost(error) } else { SendError::unsent(error) })
                }
                Ok((status, headers, body, None, _)) => answer(status, headers, body).map_err(SendError::lost),
                Err(raised) => {
                    Err(SendError::lost(of_python(ErrorKind::Network, "the HTTP client returned no response", raised)))
                }
            }
        });
        answer.unwrap_or_else(|| Err(SendError::unsent(ending())))
    }
}

/// An exception that quotes the request is told by its name alone.
fn told(py: Python<'_>, form: &[u8], why: &str, raised: PyErr) -> Error {
    let text = raised.value(py).to_string();
    let quotes = |value: &str| value.len() > 3 && text.contains(value);
    let secret = ["password", "client_secret", "refresh_token", "totp"];
    let is_quoted = std::str::from_utf8(form).unwrap_or_default().split('&').any(|field| {
        let (name, value) = field.split_once('=').unwrap_or_default();
        secret.contains(&name) && (quotes(value) || quotes(&decoded(value)))
    });
    if !is_quoted {
        return of_python(ErrorKind::Network, why, raised);
    }
    let name = raised.get_type(py).name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
    Error::new(ErrorKind::Network, format!("{why}: {name}"))
}

/// A value of a form (`application/x-www-form-urlencoded`).
fn decoded(value: &str) -> String {
    let mut bytes = value.bytes();
    let mut text = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16)).unwrap_or_default();
        text.push(match byte {
            b'+' => b' ',
            b'%' => u8::try_from(digit() * 16 + digit()).unwrap_or_default(),
            other => other,
        });
    }
    String::from_utf8_lossy(&text).into_owned()
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
