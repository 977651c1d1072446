//! What stands behind a `TokenManager` of Python.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cdse_auth::{AuthProvider as _, Error, ErrorKind, HeaderValue, StoredSession, TokenManager};
use pyo3::exceptions::{PyUserWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::errors::{make, raise};
use crate::fork;
use crate::form::Provider;
use crate::http_client::PythonClient;
use crate::pending::Pending;
use crate::store::{file_of, seconds, store_of};
use crate::texts::{self, Texts};
use crate::wait::wait;

/// A manager of the library, made at the first use in this process.
pub(crate) struct Made {
    id: u64,
    epoch: u64,
    manager: Option<TokenManager>,
    texts: Texts,
    can_log_in: bool,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Made {
    fn new(manager: TokenManager, can_log_in: bool, warnings: Arc<Mutex<Vec<String>>>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let texts = Texts::default();
        Arc::new(Self { id, epoch: fork::epoch(), manager: Some(manager), texts, can_log_in, warnings })
    }

    pub(crate) fn manager(&self) -> &TokenManager {
        self.manager.as_ref().unwrap_or_else(|| unreachable!("it is only taken when this is dropped"))
    }

    pub(crate) fn is_of_this_process(&self) -> bool {
        self.epoch == fork::epoch()
    }

    /// The header as a string, which this context has from now on.
    #[inline]
    fn give<'py>(&self, py: Python<'py>, header: HeaderValue) -> PyResult<Bound<'py, PyString>> {
        let text = self.texts.of(py, header);
        texts::remember(py, self.id, &text)?;
        Ok(text)
    }

    /// What the library's answer is to Python: a string, or nothing.
    pub(crate) fn conclude<'py>(
        &self,
        py: Python<'py>,
        answer: Result<Option<HeaderValue>, Error>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let warnings = std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner));
        for text in warnings {
            PyErr::warn(py, &py.get_type::<PyUserWarning>(), &std::ffi::CString::new(text).unwrap_or_default(), 2)?;
        }
        match answer {
            Ok(Some(header)) => Ok(self.give(py, header)?.into_any()),
            Ok(None) => Ok(py.None().into_bound(py)),
            Err(error) => Err(raise(py, &error)),
        }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.is_of_this_process() {
            // Its locks may be held for ever here.
            std::mem::forget(self.manager.take());
        }
    }
}

/// What a caller wants.
enum Want {
    Header,
    Validity(Duration),
    /// Another header than this one; or a renewal, where the context was given none.
    Renewal(Option<HeaderValue>),
    NotRefused(HeaderValue),
    Clear,
    Logout,
}

type Answer = Result<Option<HeaderValue>, Error>;

async fn obtain(manager: TokenManager, want: Want) -> Answer {
    match want {
        Want::Header => manager.authorization_header().await.map(Some),
        Want::Validity(length) => manager.header_for(length).await.map(Some),
        Want::Renewal(None) => manager.force_refresh().await.map(Some),
        Want::Renewal(Some(given)) => match manager.force_refresh_after(&given).await {
            // Whoever asks twice means it.
            Err(error) if error.kind() == ErrorKind::StillRefused => manager.force_refresh().await.map(Some),
            answer => answer.map(Some),
        },
        Want::NotRefused(refused) => manager.force_refresh_after(&refused).await.map(Some),
        Want::Clear => manager.clear().await.map(|()| None),
        Want::Logout => manager.logout().await.map(|()| None),
    }
}

/// Where the session comes from.
enum Source {
    Given {
        provider: Py<PyAny>,
        http: Option<Py<PyAny>>,
        token_url: String,
        store: Py<PyAny>,
        expiry_skew: f64,
    },
    /// What the command line would use.
    Default {
        profile: Option<String>,
    },
}

#[pyclass(frozen, module = "cdse_auth._native")]
pub(crate) struct Core {
    source: Source,
    made: Mutex<Option<Arc<Made>>>,
}

impl Core {
    /// Locked with the interpreter held, and never waited for.
    fn slot(&self) -> MutexGuard<'_, Option<Arc<Made>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn present(&self) -> Option<Arc<Made>> {
        self.slot().as_ref().filter(|made| made.is_of_this_process()).cloned()
    }

    /// The manager, made at the first use: a provider is read then, and not before.
    fn made(&self, py: Python<'_>) -> PyResult<Arc<Made>> {
        if let Some(made) = self.present() {
            return Ok(made);
        }
        let forked = self.slot().is_some();
        let made = match &self.source {
            Source::Given { provider, http, token_url, store, expiry_skew } => {
                let (provider, store) = (provider.bind(py), store.bind(py));
                given(provider, http.as_ref().map(|http| http.bind(py)), token_url, store, *expiry_skew, forked)?
            }
            Source::Default { profile } => by_default(py, profile.as_deref())?,
        };
        // Python code has run meanwhile: another thread may have been first.
        let mut slot = self.slot();
        if let Some(other) = slot.as_ref().filter(|made| made.is_of_this_process()) {
            return Ok(Arc::clone(other));
        }
        *slot = Some(Arc::clone(&made));
        fork::remember(Arc::downgrade(&made));
        Ok(made)
    }

    /// Nothing is sent where it is known that nothing helps.
    fn check_session(&self, py: Python<'_>, made: &Made) -> PyResult<()> {
        let Source::Given { store, expiry_skew, .. } = &self.source else { return Ok(()) };
        if made.can_log_in {
            return Ok(());
        }
        let tokens = store.bind(py).call_method0("load")?;
        let is_over =
            |valid: &str, skew: f64| -> PyResult<bool> { Ok(!tokens.call_method1(valid, (skew,))?.is_truthy()?) };
        if tokens.is_none() || !is_over("access_valid", *expiry_skew)? || !is_over("refresh_valid", 0.0)? {
            return Ok(());
        }
        let why = "the session has ended and cannot be renewed without new credentials; log in again";
        Err(make(py, "SessionEndedError", why, ErrorKind::ReauthRequired.code(), false))
    }

    fn ready(&self, py: Python<'_>) -> PyResult<Arc<Made>> {
        let made = self.made(py)?;
        self.check_session(py, &made)?;
        Ok(made)
    }

    fn wait<'py>(&self, py: Python<'py>, made: &Made, want: Want) -> PyResult<Bound<'py, PyAny>> {
        let answer = wait(py, obtain(made.manager().clone(), want))?;
        made.conclude(py, answer)
    }

    fn renewal(py: Python<'_>, made: &Made) -> PyResult<Want> {
        let given = texts::given(py, made.id)?;
        Ok(Want::Renewal(given.map(|text| header(&text.to_string_lossy())).transpose()?))
    }
}

fn header(text: &str) -> PyResult<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| PyValueError::new_err("this is not an Authorization header value"))
}

fn length(seconds: f64, name: &str) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("{name} must be a number of seconds that is not negative")))
}

fn given(
    provider: &Bound<'_, PyAny>,
    http: Option<&Bound<'_, PyAny>>,
    token_url: &str,
    store: &Bound<'_, PyAny>,
    expiry_skew: f64,
    forked: bool,
) -> PyResult<Arc<Made>> {
    let py = store.py();
    let provider = Provider::of(provider)?;
    let can_log_in = provider.can_log_in();
    // A refresh token alone is how a stored session is resumed, whoever opened it.
    let stored = match file_of(store).filter(|_| provider.only_resumes()) {
        Some(file) => py.detach(|| file.slot()).ok().flatten(),
        None => None,
    };
    let stored = stored.filter(|slot| slot.client_id == provider.client_id() && slot.token_url == token_url);
    let builder = match stored {
        Some(slot) => TokenManager::builder(StoredSession::new(slot, None)),
        None => TokenManager::builder(provider),
    };
    let warnings = Arc::default();
    let transport = cdse_auth::TransportConfig::new().with_ring();
    let mut builder = builder
        .token_url(token_url)
        .transport(transport)
        .expiry_skew(length(expiry_skew.max(0.0), "expiry_skew")?)
        .store(store_of(store, forked, &warnings)?);
    if let Some(http) = http {
        builder = builder.http(PythonClient(http.clone().unbind()));
    }
    let manager = builder.build().map_err(|error| raise(py, &error))?;
    Ok(Made::new(manager, can_log_in, warnings))
}

fn by_default(py: Python<'_>, profile: Option<&str>) -> PyResult<Arc<Made>> {
    use cdse_credentials::{Environment, Mode, Name, Selection, Session};
    let mut selection = Selection::default();
    if let Some(profile) = profile {
        selection.profile = Some(Name::parse(profile).map_err(PyValueError::new_err)?);
    }
    let session = py.detach(|| {
        let environment = Environment::read()?;
        Session::open(&selection, &environment, Mode::Program)
    });
    let session = session.map_err(|error| match &error {
        cdse_credentials::Error::Auth(error) => raise(py, error),
        cdse_credentials::Error::NotLoggedIn(_) | cdse_credentials::Error::OtherService(_) => {
            make(py, "NotLoggedInError", &error.to_string(), ErrorKind::ReauthRequired.code(), false)
        }
        _ => make(py, "AuthError", &error.to_string(), ErrorKind::Configuration.code(), false),
    })?;
    for text in session.warnings() {
        let text = std::ffi::CString::new(text.as_str()).unwrap_or_default();
        PyErr::warn(py, &py.get_type::<PyUserWarning>(), &text, 2)?;
    }
    Ok(Made::new(session.manager().as_async().clone(), session.source().can_log_in(), Arc::default()))
}

#[pymethods]
impl Core {
    #[new]
    fn new(
        provider: Py<PyAny>,
        http: Option<Py<PyAny>>,
        token_url: String,
        store: Py<PyAny>,
        expiry_skew: f64,
    ) -> Self {
        let source = Source::Given { provider, http, token_url, store, expiry_skew };
        Self { source, made: Mutex::default() }
    }

    /// Of the login of the command line, or what the environment says.
    #[staticmethod]
    fn default(py: Python<'_>, profile: Option<String>) -> PyResult<Self> {
        let core = Self { source: Source::Default { profile }, made: Mutex::default() };
        core.made(py)?;
        Ok(core)
    }

    fn header<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(made) = &*self.slot()
            && made.is_of_this_process()
            && let Some(header) = made.manager().fresh_header()
        {
            return Ok(made.give(py, header)?.into_any());
        }
        let made = self.ready(py)?;
        self.wait(py, &made, Want::Header)
    }

    /// The header if the token is fresh, else nothing.
    fn fresh<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyString>>> {
        match &*self.slot() {
            Some(made) if made.is_of_this_process() => {
                made.manager().fresh_header().map(|header| made.give(py, header)).transpose()
            }
            _ => Ok(None),
        }
    }

    fn header_for<'py>(&self, py: Python<'py>, min_validity: f64) -> PyResult<Bound<'py, PyAny>> {
        let want = Want::Validity(length(min_validity, "min_validity")?);
        self.wait(py, &*self.ready(py)?, want)
    }

    fn force_refresh<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let made = self.ready(py)?;
        let want = Self::renewal(py, &made)?;
        self.wait(py, &made, want)
    }

    fn refuse<'py>(&self, py: Python<'py>, refused: &str) -> PyResult<Bound<'py, PyAny>> {
        let want = Want::NotRefused(header(refused)?);
        self.wait(py, &*self.ready(py)?, want)
    }

    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, &*self.made(py)?, Want::Clear)?;
        // Whoever asks next gets a new session, of the provider as it is then.
        *self.slot() = None;
        Ok(())
    }

    fn logout(&self, py: Python<'_>) -> PyResult<()> {
        let done = self.wait(py, &*self.made(py)?, Want::Logout);
        *self.slot() = None;
        done.map(drop)
    }

    /// The same without blocking: for a task that polls it.
    fn start_header(&self, py: Python<'_>) -> PyResult<Pending> {
        self.start(py, |_, _| Ok(Want::Header))
    }

    fn start_header_for(&self, py: Python<'_>, min_validity: f64) -> PyResult<Pending> {
        self.start(py, |_, _| Ok(Want::Validity(length(min_validity, "min_validity")?)))
    }

    fn start_force_refresh(&self, py: Python<'_>) -> PyResult<Pending> {
        self.start(py, Self::renewal)
    }

    fn start_refuse(&self, py: Python<'_>, refused: &str) -> PyResult<Pending> {
        self.start(py, |_, _| Ok(Want::NotRefused(header(refused)?)))
    }

    /// A snapshot without secrets.
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let made = self.made(py)?;
        let status = py.detach(|| made.manager().status());
        let dict = PyDict::new(py);
        dict.set_item("username", status.username)?;
        dict.set_item("client_id", status.client_id)?;
        dict.set_item("grant", status.grant.name())?;
        dict.set_item("logged_in", status.logged_in)?;
        dict.set_item("refreshable", status.refreshable)?;
        dict.set_item("renewing", status.renewing)?;
        dict.set_item("access_expiry", status.access_expires_at.map(seconds))?;
        dict.set_item("session_expiry", status.session_expires_at.map(seconds))?;
        dict.set_item("last_error", status.last_error.map(|error| error.to_string()))?;
        let problems: Vec<_> = status.problems.iter().map(ToString::to_string).collect();
        dict.set_item("problems", problems)?;
        Ok(dict)
    }
}

impl Core {
    fn start(&self, py: Python<'_>, want: impl FnOnce(Python<'_>, &Made) -> PyResult<Want>) -> PyResult<Pending> {
        let made = self.ready(py)?;
        let want = want(py, &made)?;
        let future: Pin<Box<dyn Future<Output = Answer> + Send>> = Box::pin(obtain(made.manager().clone(), want));
        Ok(Pending::new(made, future))
    }
}
