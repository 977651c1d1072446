//! Python's providers as the library's.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use cdse_auth::{
    Ability, AuthProvider, CodeSource, DEFAULT_CLIENT_ID, Error, ErrorKind, Grant, GrantData, OneTimeCode, Secret,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::{ending, of_python};
use crate::fork;
use crate::inside::Inside;

/// The secret that generates one-time codes (RFC 6238): base32, as it is shown where the second factor is set up, or an
/// ``otpauth://`` address.
///
/// Raises:
///     ValueError: it is neither. The message does not show the text.
#[pyclass(frozen, module = "cdse_auth.providers")]
#[derive(Clone)]
pub(crate) struct TotpSecret {
    secret: cdse_auth::TotpSecret,
    text: Secret,
}

#[pymethods]
impl TotpSecret {
    #[new]
    #[pyo3(text_signature = "(secret)")]
    fn new(secret: &str) -> PyResult<Self> {
        match cdse_auth::TotpSecret::new(secret) {
            Ok(made) => Ok(Self { secret: made, text: Secret::new(secret) }),
            Err(error) => Err(PyValueError::new_err(error.to_string())),
        }
    }

    #[expect(clippy::unused_self, reason = "Python asks for it")]
    fn __repr__(&self) -> &'static str {
        "TotpSecret(...)"
    }

    /// For workers: it goes where the password beside it goes.
    fn __getnewargs__(&self) -> (&str,) {
        (self.text.expose(),)
    }
}

/// Where codes come from.
enum Code {
    None,
    Given(OneTimeCode),
    Totp(cdse_auth::TotpSecret),
    /// The form is asked for again at each login, or a function.
    Asked(Box<dyn Fn() -> cdse_auth::Result<Secret> + Send + Sync>),
}

/// In no epoch.
const USED: u64 = u64::MAX;

/// A provider, as it was when it was first used.
pub(crate) struct Provider {
    grant: Grant,
    client_id: String,
    username: Option<String>,
    can_log_in: bool,
    form: GrantData,
    code: Code,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// The fields of a form, and the one-time code among them.
fn read(form: &Bound<'_, PyAny>) -> PyResult<(GrantData, Option<Secret>)> {
    let dict = form.cast::<PyDict>().map_err(|_| {
        let name = form.get_type().name().map_or_else(|_| "another object".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("grant_data() must return a dict of str, not {name}"))
    })?;
    let (mut fields, mut code) = (GrantData::new(), None);
    for (name, value) in dict.iter() {
        let name: String =
            name.extract().map_err(|_| PyTypeError::new_err("grant_data() must return a dict whose keys are str"))?;
        let value: String = value
            .extract()
            .map_err(|_| PyTypeError::new_err(format!("grant_data() must return a str for {name:?}")))?;
        if name == "totp" {
            code = Some(Secret::new(value));
        } else {
            fields.push((name.into(), Secret::new(value)));
        }
    }
    Ok((fields, code))
}

impl Provider {
    /// Reads the provider, once. Of the package's own it reads the form without asking for a code.
    pub(crate) fn of(object: &Bound<'_, PyAny>, inside: Inside) -> PyResult<Self> {
        // Of its class: an object that stands for another one may hand out the other's.
        let own = object.get_type().hasattr("_parts")?.then(|| object.getattr("_parts")).transpose()?;
        let (form, code) = match own.filter(|parts| !parts.is_none()) {
            Some(parts) => {
                let (form, code): (Bound<'_, PyAny>, Bound<'_, PyAny>) = parts.call0()?.extract()?;
                (read(&form)?.0, Self::own_code(&code, inside)?)
            }
            None => {
                let (form, first) = read(&object.call_method0("grant_data")?)?;
                let code = match first {
                    None => Code::None,
                    Some(first) => Self::code_of_form(object.clone().unbind(), first, inside),
                };
                (form, code)
            }
        };
        let field =
            |wanted: &str| form.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.expose().to_owned());
        let grant = match field("grant_type").as_deref() {
            Some("password") => Grant::Password,
            Some("client_credentials") => Grant::ClientCredentials,
            Some("refresh_token") => Grant::RefreshToken,
            Some(other) => {
                let why = format!(
                    "grant_data() names the grant {other:?}; CDSE knows password, refresh_token and client_credentials"
                );
                return Err(PyValueError::new_err(why));
            }
            None => return Err(PyValueError::new_err("grant_data() must name a grant_type")),
        };
        let given = object.getattr("client_id").ok().and_then(|id| id.extract().ok());
        let client_id = given.or_else(|| field("client_id")).unwrap_or_else(|| DEFAULT_CLIENT_ID.to_owned());
        let can_log_in = match object.getattr("can_reauthenticate") {
            Ok(can) => can.is_truthy()?,
            Err(_) => grant != Grant::RefreshToken,
        };
        Ok(Self { grant, client_id, username: field("username"), can_log_in, form, code })
    }

    fn own_code(code: &Bound<'_, PyAny>, inside: Inside) -> PyResult<Code> {
        if code.is_none() {
            return Ok(Code::None);
        }
        if let Ok(secret) = code.cast::<TotpSecret>() {
            return Ok(Code::Totp(secret.get().secret.clone()));
        }
        if code.is_callable() {
            let ask = code.clone().unbind();
            return Ok(Code::Asked(Box::new(move || {
                let what = "the function that asks for a one-time code failed";
                ask_python(inside, what, |py| ask.bind(py).call0()?.extract())
            })));
        }
        let digits: String = code.extract().map_err(|_| {
            PyTypeError::new_err("totp must be a str of digits, a TotpSecret, or a function that returns the digits")
        })?;
        Ok(Code::Given(OneTimeCode::given_now(digits)))
    }

    /// A subclass that puts codes into its form may make them: each login asks for the form again.
    fn code_of_form(object: Py<PyAny>, first: Secret, inside: Inside) -> Code {
        // A forked process asks again. No lock: it would be inherited.
        let unused_in = AtomicU64::new(fork::epoch());
        Code::Asked(Box::new(move || {
            if unused_in.swap(USED, Ordering::Relaxed) == fork::epoch() {
                return Ok(first.clone());
            }
            ask_python(inside, "the provider's grant_data() failed", |py| {
                let (_, code) = read(&object.bind(py).call_method0("grant_data")?)?;
                Ok(code.map_or_else(String::new, |code| code.expose().to_owned()))
            })
        }))
    }

    /// It has a refresh token and nothing else.
    pub(crate) fn only_resumes(&self) -> bool {
        self.grant == Grant::RefreshToken && !self.can_log_in
    }

    /// What it was given that may work only once.
    pub(crate) fn works_once(&self) -> Option<&'static str> {
        match &self.code {
            Code::Given(_) => Some("one-time code"),
            _ => (self.grant == Grant::RefreshToken).then_some("refresh token"),
        }
    }

    pub(crate) fn can_log_in(&self) -> bool {
        self.can_log_in
    }
}

fn ask_python(
    inside: Inside,
    what: &str,
    ask: impl FnOnce(Python<'_>) -> PyResult<String>,
) -> cdse_auth::Result<Secret> {
    let asked = Python::try_attach(|py| {
        inside.run(|| ask(py)).map(Secret::new).map_err(|error| of_python(ErrorKind::Configuration, what, error))
    });
    asked.unwrap_or_else(|| Err(ending()))
}

impl AuthProvider for Provider {
    fn grant(&self) -> Grant {
        self.grant
    }

    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    fn subject(&self) -> Option<String> {
        if self.grant != Grant::RefreshToken {
            return self.username.as_ref().map(|name| name.to_lowercase());
        }
        let token = self.form.iter().find(|(name, _)| name == "refresh_token")?.1.expose().to_owned();
        cdse_auth::RefreshTokenAuth::new(token).subject()
    }

    fn grant_data(&self) -> Result<GrantData, Error> {
        Ok(self.form.clone())
    }

    fn ability(&self) -> Ability {
        if self.can_log_in { Ability::Login } else { Ability::Never }
    }

    fn code_source(&self) -> CodeSource<'_> {
        match &self.code {
            Code::None => CodeSource::None,
            Code::Given(code) => CodeSource::Given(code),
            Code::Totp(secret) => CodeSource::Totp(secret),
            Code::Asked(ask) => CodeSource::Asked(&**ask),
        }
    }
}
