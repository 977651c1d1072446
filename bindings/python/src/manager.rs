//! What stands behind a `TokenManager` of Python.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cdse_auth::{AuthProvider as _, Error, ErrorKind, HeaderValue, StoredSession, TokenManager};
use pyo3::exceptions::{PyUserWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::errors::{make, of_credentials, raise};
use crate::fork;
use crate::form::Provider;
use crate::http_client::PythonClient;
use crate::inside::Inside;
use crate::lock;
use crate::login::selection;
use crate::pending::Pending;
use crate::store::{file_of, seconds, store_of};
use crate::texts::{self, Texts};
use crate::wait::wait;

/// How long a thread waits before it looks again whether another one has read the provider.
const BRIEF: Duration = Duration::from_millis(5);

/// A manager of the library, made at the first use in this process.
pub(crate) struct Made {
    id: u64,
    epoch: u64,
    manager: Option<TokenManager>,
    texts: Texts,
    can_log_in: bool,
    /// Whether a caller has gone before it had its answer.
    gave_up: AtomicBool,
    warnings: Arc<Mutex<Vec<String>>>,
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Made {
    fn new(manager: TokenManager, can_log_in: bool, warnings: Arc<Mutex<Vec<String>>>) -> Arc<Self> {
        let (id, texts) = (next_id(), Texts::default());
        Arc::new(Self {
            id,
            epoch: fork::epoch(),
            manager: Some(manager),
            texts,
            can_log_in,
            gave_up: AtomicBool::new(false),
            warnings,
        })
    }

    pub(crate) fn manager(&self) -> &TokenManager {
        self.manager.as_ref().unwrap_or_else(|| unreachable!("it is only taken when this is dropped"))
    }

    pub(crate) fn is_of_this_process(&self) -> bool {
        self.epoch == fork::epoch()
    }

    pub(crate) fn gives_up(&self) {
        self.gave_up.store(true, Ordering::Relaxed);
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
        let warnings = std::mem::take(&mut *lock(&self.warnings));
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
        let Some(manager) = self.manager.take() else { return };
        if self.is_of_this_process() {
            fork::leave(manager, self.gave_up.load(Ordering::Relaxed));
        } else {
            // Its locks may be held for ever here.
            std::mem::forget(manager);
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
    inside: Inside,
    /// Where it was made.
    epoch: u64,
    made: Mutex<Option<Arc<Made>>>,
    /// The epoch in which somebody is making it.
    making: AtomicU64,
}

/// In no epoch.
const NOBODY: u64 = u64::MAX;

/// Ends the making, however it ends.
struct Making<'a>(&'a AtomicU64);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.0.store(NOBODY, Ordering::Relaxed);
    }
}

impl Core {
    /// Locked with the interpreter held, and never waited for.
    fn slot(&self) -> MutexGuard<'_, Option<Arc<Made>>> {
        lock(&self.made)
    }

    fn forget(&self) {
        let before = self.slot().take();
        // Not under the lock: what it was made of may run Python code when it goes.
        drop(before);
    }

    #[inline]
    fn present(&self) -> Option<Arc<Made>> {
        self.slot().as_ref().filter(|made| made.is_of_this_process()).cloned()
    }

    fn new(source: Source) -> Self {
        let (inside, epoch) = (Inside(next_id()), fork::epoch());
        Self { source, inside, epoch, made: Mutex::default(), making: AtomicU64::new(NOBODY) }
    }

    /// The manager, made at the first use: a provider is read then, once, and not before.
    fn made(&self, py: Python<'_>) -> PyResult<Arc<Made>> {
        self.inside.check()?;
        if let Some(made) = self.present() {
            return Ok(made);
        }
        // Changed with the interpreter held. A thread that began it in the process which forked this one is not here.
        while self.making.load(Ordering::Relaxed) == fork::epoch() {
            py.detach(|| std::thread::park_timeout(BRIEF));
            py.check_signals()?;
        }
        if let Some(made) = self.present() {
            return Ok(made);
        }
        self.making.store(fork::epoch(), Ordering::Relaxed);
        let _making = Making(&self.making);
        let made = self.inside.run(|| self.make(py))?;
        let before = self.slot().replace(Arc::clone(&made));
        drop(before);
        fork::remember(Arc::downgrade(&made));
        py.import("cdse_auth._lifetime")?.call_method0("settle_in_worker")?;
        Ok(made)
    }

    fn make(&self, py: Python<'_>) -> PyResult<Arc<Made>> {
        // The library knows what the process that forked this one may have sent.
        let before = self.slot().clone();
        if let Some(before) = before {
            let manager = py.detach(|| before.manager().in_this_process());
            return Ok(Made::new(manager, before.can_log_in, Arc::clone(&before.warnings)));
        }
        match &self.source {
            Source::Given { provider, http, token_url, store, expiry_skew } => {
                let forked = self.epoch != fork::epoch();
                let http = http.as_ref().map(|http| PythonClient(http.clone_ref(py), self.inside));
                given(provider.bind(py), http, token_url, (store.bind(py), *expiry_skew), self.inside, forked)
            }
            Source::Default { profile } => by_default(py, profile.as_deref()),
        }
    }

    /// Nothing is sent where it is known that nothing helps.
    fn check_session(&self, py: Python<'_>, made: &Made) -> PyResult<()> {
        let Source::Given { store, .. } = &self.source else { return Ok(()) };
        if made.can_log_in {
            return Ok(());
        }
        let tokens = self.inside.run(|| store.bind(py).call_method0("load"))?;
        // A token that is due and cannot be renewed is served until its end.
        let is_over = |valid: &str| -> PyResult<bool> { Ok(!tokens.call_method0(valid)?.is_truthy()?) };
        if tokens.is_none() || !is_over("access_valid")? || !is_over("refresh_valid")? {
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
        let answer = wait(py, obtain(made.manager().clone(), want)).inspect_err(|_| made.gives_up())?;
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
    http: Option<PythonClient>,
    token_url: &str,
    (store, expiry_skew): (&Bound<'_, PyAny>, f64),
    inside: Inside,
    forked: bool,
) -> PyResult<Arc<Made>> {
    let py = store.py();
    let provider = Provider::of(provider, inside)?;
    let can_log_in = provider.can_log_in();
    // A refresh token alone is how a stored session is resumed, whoever opened it.
    let stored = match file_of(store).filter(|_| provider.only_resumes()) {
        Some(file) => py.detach(|| file.slot()).ok().flatten(),
        None => None,
    };
    let stored = stored.filter(|slot| slot.client_id == provider.client_id() && slot.token_url == token_url);
    if let Some(what) = provider.works_once().filter(|_| forked && file_of(store).is_none()) {
        let why = format!(
            "the given {what} belongs to the process that forked this one, for it may work only once; keep the session in a \
             file, which processes share"
        );
        return Err(make(py, "ReauthRequiredError", &why, ErrorKind::ReauthRequired.code(), false));
    }
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
        .store(store_of(store, inside, forked, &warnings)?);
    if let Some(http) = http {
        builder = builder.http(http);
    }
    let manager = builder.build().map_err(|error| raise(py, &error))?;
    Ok(Made::new(manager, can_log_in, warnings))
}

fn by_default(py: Python<'_>, profile: Option<&str>) -> PyResult<Arc<Made>> {
    use cdse_credentials::{Environment, Mode, Session};
    let selection = selection(profile)?;
    let session = py.detach(|| {
        let environment = Environment::read()?;
        Session::open(&selection, &environment, Mode::Program)
    });
    let session = session.map_err(|error| of_credentials(py, &error))?;
    for text in session.warnings() {
        let text = std::ffi::CString::new(text.as_str()).unwrap_or_default();
        PyErr::warn(py, &py.get_type::<PyUserWarning>(), &text, 2)?;
    }
    Ok(Made::new(session.manager().as_async().clone(), session.source().can_log_in(), Arc::default()))
}

#[pymethods]
impl Core {
    #[new]
    fn of(provider: Py<PyAny>, http: Option<Py<PyAny>>, token_url: String, store: Py<PyAny>, expiry_skew: f64) -> Self {
        let source = Source::Given { provider, http, token_url, store, expiry_skew };
        Self::new(source)
    }

    /// Of the login of the command line, or what the environment says.
    #[staticmethod]
    fn default(py: Python<'_>, profile: Option<String>) -> PyResult<Self> {
        let core = Self::new(Source::Default { profile });
        core.made(py)?;
        Ok(core)
    }

    fn header<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(text) = self.fresh(py)? {
            return Ok(text.into_any());
        }
        let made = self.ready(py)?;
        self.wait(py, &made, Want::Header)
    }

    /// The header if the token is fresh, else nothing.
    fn fresh<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyString>>> {
        // The lock is given back before the context is changed, which may run any Python code.
        let text = match &*self.slot() {
            // Also of the process that forked this one: until it is due, it is as good here.
            Some(made) => made.manager().fresh_header().map(|header| (made.id, made.texts.of(py, header))),
            None => None,
        };
        let Some((id, text)) = text else { return Ok(None) };
        texts::remember(py, id, &text)?;
        Ok(Some(text))
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
        self.forget();
        Ok(())
    }

    fn logout(&self, py: Python<'_>) -> PyResult<()> {
        let done = self.wait(py, &*self.made(py)?, Want::Logout);
        self.forget();
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
