//! One recipe: its blocks, and how they are run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use cdse_sandbox::{Action, Config, Endpoint, Fault, Lifetimes, Sandbox};

use crate::foreign::Foreign;

const LIFETIME: Duration = Duration::from_secs(5);
/// How long each request to the download host takes, so that a handful of them fills the time.
const PACE: Duration = Duration::from_millis(100);
/// A renewal comes before each end.
const LIFETIMES: u64 = 10;

pub(crate) const PRODUCT: &str = "7b0c1f52-3d64-4c0e-9a51-2f6d8e4b1a01";
const NAME: &str = "S1A_IW_GRDH_1SSV_20240607T050413_20240607T050438_054213_0697F4_5B1A.SAFE";
const IMAGE: &str = "s1a-iw-grd-vv-20240607t050413-20240607t050438-054213-0697f4-001.tiff";

/// A page of `docs/recipes`, and a service to try it on.
pub(crate) struct Recipe {
    text: String,
    folder: tempfile::TempDir,
    pub(crate) sandbox: Sandbox,
}

impl Recipe {
    /// With these programs of the machine and no others: a GDAL on the path says what the one of rasterio is taken for.
    pub(crate) fn new(page: &str, machines: &[&str]) -> Self {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recipes").join(page);
        let (text, folder) = (fs::read_to_string(page).unwrap(), tempfile::tempdir().unwrap());
        let lifetimes = Lifetimes { access: LIFETIME, ..Config::default().lifetimes };
        let sandbox = Sandbox::start(Config { lifetimes, ..Config::default() }).unwrap();
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).unwrap();
        symlink(env!("CARGO_BIN_EXE_cdse"), programs.join("cdse")).unwrap();
        for program in machines {
            symlink(on_the_path(program), programs.join(program)).unwrap();
        }
        let recipe = Self { text, folder, sandbox };
        if let Some(program) = recipe.block("python") {
            fs::write(recipe.folder().join("read.py"), program).unwrap();
        }
        recipe
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The block in this language, with the embedded service's addresses.
    fn block(&self, language: &str) -> Option<String> {
        let (_, rest) = self.text.split_once(&format!("```{language}\n"))?;
        let (block, _) = rest.split_once("```\n")?;
        let known = "https://download.dataspace.copernicus.eu";
        assert!(block.contains(known) || self.text.contains("```python\n"), "{block}");
        Some(block.replace(known, &self.sandbox.download_url()))
    }

    /// Runs it for so many products and files.
    pub(crate) fn run(&self, count: usize) -> Output {
        let file = format!("Products({PRODUCT})/Nodes({NAME})/Nodes(measurement)/Nodes({IMAGE})");
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &self.block("sh").unwrap()])
            .current_dir(self.folder())
            .env_clear()
            .env("HOME", self.folder())
            .env("PATH", format!("{}:{}", self.folder().join("bin").display(), prepared().display()))
            .envs(self.sandbox.environment())
            .env("CDSE_STATE_DIR", self.folder().join("state"))
            .env("PRODUCTS", [PRODUCT].repeat(count).join(" "))
            .env("FILES", [file.as_str()].repeat(count).join(" "))
            // GDAL asks again for what it has read already.
            .env("CPL_VSIL_CURL_NON_CACHED", "/vsicurl/")
            .stdin(Stdio::null());
        shell.output().unwrap()
    }

    /// Runs it for as many lifetimes of a token as are wanted: no request may be refused, and all output is returned.
    pub(crate) fn lasts(&self, count: usize) -> String {
        self.sandbox.script(Fault::new(Endpoint::Download, Action::Delay(PACE)).always());
        let done = self.run(count);
        assert!(done.status.success(), "{done:?}");
        let counters = self.sandbox.counters();
        assert!(counters.refreshes_ok >= LIFETIMES, "only {} renewals: let it read more", counters.refreshes_ok);
        assert_eq!(counters.logins_ok, 1);
        // GDAL asks by HEAD first, which the download host does not have.
        let failed = |request: &cdse_sandbox::Request| request.method == "GET" && request.status != Some(200);
        let requests = self.sandbox.requests();
        let failed: Vec<_> =
            requests.iter().filter(|request| request.endpoint == Endpoint::Download && failed(request)).collect();
        assert!(failed.is_empty(), "{failed:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// The download host redirects to a stranger: whether the program follows or not, the token does not come along.
    pub(crate) fn takes_no_token_to_a_stranger(&self, follows: bool) {
        let foreign = Foreign::new();
        let headers = vec![("location".to_owned(), foreign.address())];
        let answer = Action::Answer { status: 302, headers, body: Vec::new() };
        self.sandbox.script(Fault::new(Endpoint::Download, answer).always());
        let done = self.run(1);
        let heads = foreign.heads();
        assert_eq!(!heads.is_empty(), follows, "{done:?}");
        for head in heads {
            assert!(!head.to_lowercase().contains("authorization") && !head.contains("eyJ"), "{head}");
        }
        let sent = self.sandbox.requests();
        assert!(sent.iter().any(|request| request.endpoint == Endpoint::Download && request.authorization), "{done:?}");
    }
}

fn on_the_path(program: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{program} is not installed"))
}

/// The programs that `tests/programs/prepare` has made.
fn prepared() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("programs");
    assert!(folder.join("bin/python").exists(), "run tests/programs/prepare first");
    folder.join("bin")
}
