//! Headers as Python's strings: one string for a token, and which of them a context was given last.

use std::sync::Mutex;

use cdse_auth::HeaderValue;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use crate::lock;

/// How many managers a context remembers a header of.
const REMEMBERED: usize = 8;

/// The strings of the headers that a manager serves, which keeps each header in several copies.
#[derive(Default)]
pub(crate) struct Texts(Mutex<Vec<(HeaderValue, Py<PyString>)>>);

impl Texts {
    /// The string of a header. The same token has the same string.
    #[inline]
    pub(crate) fn of<'py>(&self, py: Python<'py>, header: HeaderValue) -> Bound<'py, PyString> {
        // With the interpreter held, and never waited for.
        let mut texts = lock(&self.0);
        let at = header.as_bytes().as_ptr();
        if let Some((_, text)) = texts.iter().find(|(known, _)| known.as_bytes().as_ptr() == at) {
            return text.bind(py).clone();
        }
        let text = match texts.first() {
            Some((known, text)) if *known == header => text.clone_ref(py),
            _ => {
                texts.clear();
                PyString::new(py, header.to_str().unwrap_or_default()).unbind()
            }
        };
        texts.push((header, text.clone_ref(py)));
        text.into_bound(py)
    }
}

/// What a context (PEP 567) was given: the last header of each manager, the latest first. Tasks of one thread differ in it.
#[pyclass(frozen, module = "cdse_auth._native")]
pub(crate) struct Given(Vec<(u64, Py<PyString>)>);

struct Variable {
    get: Py<PyAny>,
    set: Py<PyAny>,
}

fn variable(py: Python<'_>) -> PyResult<&Variable> {
    static VARIABLE: PyOnceLock<Variable> = PyOnceLock::new();
    VARIABLE.get_or_try_init(py, || {
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        let default = pyo3::types::PyDict::new(py);
        default.set_item("default", py.None())?;
        let variable = class.call(("cdse_auth.given",), Some(&default))?;
        Ok(Variable { get: variable.getattr("get")?.unbind(), set: variable.getattr("set")?.unbind() })
    })
}

/// From now on this context has that header of the manager `id`.
#[inline]
pub(crate) fn remember(py: Python<'_>, id: u64, text: &Bound<'_, PyString>) -> PyResult<()> {
    let variable = variable(py)?;
    let before = variable.get.bind(py).call0()?;
    let before = before.cast::<Given>().ok().map(Bound::get);
    if before.is_some_and(|given| given.0.first().is_some_and(|(_, last)| last.is(text))) {
        return Ok(());
    }
    let others = before.iter().flat_map(|given| &given.0).filter(|(of, _)| *of != id).take(REMEMBERED - 1);
    let mut given = vec![(id, text.clone().unbind())];
    given.extend(others.map(|(of, text)| (*of, text.clone_ref(py))));
    variable.set.bind(py).call1((Given(given),)).map(drop)
}

/// The header of the manager `id` that this context was given last.
pub(crate) fn given<'py>(py: Python<'py>, id: u64) -> PyResult<Option<Bound<'py, PyString>>> {
    let before = variable(py)?.get.bind(py).call0()?;
    let given = before.cast::<Given>().ok().map(Bound::get);
    let text = given.and_then(|given| given.0.iter().find(|(of, _)| *of == id));
    Ok(text.map(|(_, text)| text.bind(py).clone()))
}
