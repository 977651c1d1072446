//! Python's stores as the library's, and the library's as Python's.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use cdse_auth::store::TokenStore;
use cdse_auth::{ErrorKind, FileTokenStore, MemoryTokenStore, TokenSet};
use pyo3::exceptions::{PyAttributeError, PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::errors::{ending, of_python};
use crate::inside::Inside;
use crate::lock;

/// Access token, its end, refresh token, its end: as Python's `TokenSet` has them, in seconds since 1970.
pub(crate) type Fields = (String, f64, Option<String>, Option<f64>);

/// How long the service's access tokens live: a `TokenSet` of Python does not say when it was obtained.
const USUAL_LIFE: Duration = Duration::from_secs(600);

fn moment(seconds: f64) -> SystemTime {
    let since = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::from_secs(1 << 40));
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

pub(crate) fn seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn fields_of(tokens: &TokenSet) -> Fields {
    (
        tokens.access_token().to_owned(),
        seconds(tokens.access_expires_at()),
        tokens.refresh_token().map(str::to_owned),
        tokens.refresh_expires_at().map(seconds),
    )
}

#[expect(clippy::disallowed_methods, reason = "the moment at which a token is first seen")]
pub(crate) fn tokens_of((access, end, refresh, refresh_end): &Fields) -> cdse_auth::Result<TokenSet> {
    let end = moment(*end);
    // Not just now, for then it would count as renewed.
    let obtained = (SystemTime::now() - Duration::from_secs(1)).min(end - USUAL_LIFE);
    let life = |end: SystemTime| end.duration_since(obtained).unwrap_or_default();
    let tokens = TokenSet::new(access.as_str(), life(end))?.obtained_at(obtained);
    Ok(match refresh {
        Some(refresh) => tokens.with_refresh_token(refresh.as_str(), refresh_end.map(|end| life(moment(end)))),
        None => tokens,
    })
}

fn read(tokens: &Bound<'_, PyAny>) -> PyResult<Fields> {
    fields(tokens).map_err(|error| {
        let py = tokens.py();
        if !error.is_instance_of::<PyAttributeError>(py) && !error.is_instance_of::<PyTypeError>(py) {
            return error;
        }
        let name = tokens.get_type().name().map_or_else(|_| "another object".to_owned(), |name| name.to_string());
        let why = format!("the token store's load() must return a TokenSet or None, not {name}");
        let exception = PyTypeError::new_err(why);
        exception.set_cause(py, Some(error));
        exception
    })
}

fn fields(tokens: &Bound<'_, PyAny>) -> PyResult<Fields> {
    let time = |name: &str| -> PyResult<Option<f64>> {
        let value = tokens.getattr(name)?;
        if value.is_none() { Ok(None) } else { value.call_method0("timestamp")?.extract().map(Some) }
    };
    Ok((
        tokens.getattr("access_token")?.extract()?,
        time("access_expiry")?.unwrap_or(0.0),
        tokens.getattr("refresh_token")?.extract()?,
        time("refresh_expiry")?,
    ))
}

fn raise(error: &cdse_auth::Error) -> PyErr {
    match error.kind() {
        ErrorKind::MalformedAnswer => PyValueError::new_err(error.to_string()),
        _ => PyOSError::new_err(error.to_string()),
    }
}

/// What both native stores do for Python.
trait Native {
    fn store(&self) -> &dyn TokenStore;

    fn load_fields(&self, py: Python<'_>) -> PyResult<Option<Fields>> {
        let store = self.store();
        match py.detach(|| store.load()) {
            Ok(tokens) => Ok(tokens.as_ref().map(fields_of)),
            Err(error) => Err(raise(&error)),
        }
    }

    fn save_fields(&self, py: Python<'_>, fields: &Fields) -> PyResult<()> {
        let store = self.store();
        py.detach(|| store.save(&tokens_of(fields)?)).map_err(|error| raise(&error))
    }

    fn clear_tokens(&self, py: Python<'_>) -> PyResult<()> {
        let store = self.store();
        py.detach(|| store.clear()).map_err(|error| raise(&error))
    }
}

/// The session file that the command line and every other process can share.
#[pyclass(frozen, module = "cdse_auth._native")]
pub(crate) struct FileStore(FileTokenStore);

impl Native for FileStore {
    fn store(&self) -> &dyn TokenStore {
        &self.0
    }
}

#[pymethods]
impl FileStore {
    #[new]
    fn new(path: PathBuf) -> Self {
        Self(FileTokenStore::new(path))
    }

    fn load(&self, py: Python<'_>) -> PyResult<Option<Fields>> {
        self.load_fields(py)
    }

    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands it over")]
    fn save(&self, py: Python<'_>, fields: Fields) -> PyResult<()> {
        self.save_fields(py, &fields)
    }

    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.clear_tokens(py)
    }
}

/// The session of this process alone.
#[pyclass(frozen, module = "cdse_auth._native")]
pub(crate) struct MemoryStore(Mutex<(u64, Arc<MemoryTokenStore>)>);

impl MemoryStore {
    /// A forked process begins with an empty one: what it has inherited is its parent's to renew.
    fn current(&self) -> Arc<MemoryTokenStore> {
        let mut store = lock(&self.0);
        if store.0 != crate::fork::epoch() {
            *store = (crate::fork::epoch(), Arc::default());
        }
        Arc::clone(&store.1)
    }
}

#[pymethods]
impl MemoryStore {
    #[new]
    fn new() -> Self {
        Self(Mutex::new((crate::fork::epoch(), Arc::default())))
    }

    fn load(&self, py: Python<'_>) -> PyResult<Option<Fields>> {
        self.current().load_fields(py)
    }

    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands it over")]
    fn save(&self, py: Python<'_>, fields: Fields) -> PyResult<()> {
        self.current().save_fields(py, &fields)
    }

    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.current().clear_tokens(py)
    }
}

impl Native for MemoryTokenStore {
    fn store(&self) -> &dyn TokenStore {
        self
    }
}

/// A store in Python.
pub(crate) struct PythonStore {
    object: Py<PyAny>,
    inside: Inside,
    /// What was read or saved last. The library takes another `TokenSet` than the one it saved for somebody else's.
    last: Mutex<Option<(Fields, TokenSet)>>,
    /// The refresh token that the process which forked this one has too: it is its to send.
    parents: Option<String>,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl fmt::Debug for PythonStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PythonStore")
    }
}

/// The store of a manager, in the library's form.
pub(crate) fn store_of(
    object: &Bound<'_, PyAny>,
    inside: Inside,
    forked: bool,
    warnings: &Arc<Mutex<Vec<String>>>,
) -> PyResult<Arc<dyn TokenStore>> {
    // The package's own stores are handed over as they are, unless a subclass overrides what they do.
    let native = native_of(object);
    if let Some(native) = &native {
        if let Ok(file) = native.cast::<FileStore>() {
            return Ok(Arc::new(file.get().0.clone()));
        }
        if let Ok(memory) = native.cast::<MemoryStore>() {
            return Ok(memory.get().current());
        }
    }
    let parents = if forked {
        let tokens = object.call_method0("load")?;
        if tokens.is_none() { None } else { read(&tokens)?.2 }
    } else {
        None
    };
    let (object, last) = (object.clone().unbind(), Mutex::default());
    Ok(Arc::new(PythonStore { object, inside, last, parents, warnings: Arc::clone(warnings) }))
}

/// Of its class: an object that stands for another one may hand out the other's.
fn native_of<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    if object.get_type().hasattr("_native_store").ok()? { object.getattr("_native_store").ok() } else { None }
}

/// The session file of a manager's store, if it has one.
pub(crate) fn file_of(object: &Bound<'_, PyAny>) -> Option<FileTokenStore> {
    native_of(object)?.cast::<FileStore>().ok().map(|file| file.get().0.clone())
}

impl PythonStore {
    fn with<T>(&self, what: &str, work: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> cdse_auth::Result<T> {
        let result = Python::try_attach(|py| {
            self.inside.run(|| work(self.object.bind(py))).map_err(|error| {
                let why = format!("the token store's {what}() failed");
                of_python(ErrorKind::StoreUnusable, &why, error)
            })
        });
        result.unwrap_or_else(|| Err(ending()))
    }
}

impl PythonStore {
    /// The library's tokens for what was read: the same ones for the same fields.
    fn tokens_of(&self, fields: Fields) -> cdse_auth::Result<TokenSet> {
        let mut last = lock(&self.last);
        if let Some((known, tokens)) = &*last
            && *known == fields
        {
            return Ok(tokens.clone());
        }
        let tokens = tokens_of(&fields)?;
        *last = Some((fields, tokens.clone()));
        Ok(tokens)
    }
}

// Its locks are taken with the interpreter held, as a fork is made, and so never inherited locked.
impl TokenStore for PythonStore {
    fn load(&self) -> cdse_auth::Result<Option<TokenSet>> {
        self.with("load", |store| {
            let tokens = store.call_method0("load")?;
            if tokens.is_none() {
                return Ok(Ok(None));
            }
            let mut fields = read(&tokens)?;
            if self.parents.is_some() && fields.2 == self.parents {
                (fields.2, fields.3) = (None, None);
            }
            Ok(self.tokens_of(fields).map(Some))
        })?
    }

    fn save(&self, tokens: &TokenSet) -> cdse_auth::Result<()> {
        let saved = self.with("save", |store| {
            let object = store.py().import("cdse_auth.store")?.call_method1("_tokens", (fields_of(tokens),))?;
            store.call_method1("save", (&object,))?;
            *lock(&self.last) = Some((read(&object)?, tokens.clone()));
            Ok(())
        });
        saved.inspect_err(|error| {
            let text = format!("{error}; the token is used, and lost when this process ends");
            let _ = Python::try_attach(|_| lock(&self.warnings).push(text));
        })
    }

    fn clear(&self) -> cdse_auth::Result<()> {
        self.with("clear", |store| store.call_method0("clear").map(drop))
    }
}
