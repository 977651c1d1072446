"""CDSETool keeps its tokens in memory. Its address is an argument; it wants signed tokens, which the front makes."""
import importlib.metadata
import pathlib
import tempfile
import threading

import cdsetool.credentials
import cdsetool.download

from service import PASSWORD, USER
from steps import Driven


class Peer(Driven):
    RETRIES_AT_ONCE = False

    def __init__(self, origin):
        self.discovery = f"{origin}/auth/realms/CDSE/.well-known/openid-configuration"
        self.resource = f"{origin}/odata/v1/Products(1)/$value"

    def version(self):
        return importlib.metadata.version("cdsetool")

    def log_in(self, stored=False):
        self.credentials = cdsetool.credentials.Credentials(USER, PASSWORD, self.discovery)

    resume = log_in

    def header(self):
        return self.credentials.get_session().headers["Authorization"]

    def before_refusal(self):
        # After a refusal it sleeps for a minute, then asks for the token that it has: what comes of it is the same
        # without the minute.
        cdsetool.download.time.sleep = lambda _: None
        self.folder = tempfile.TemporaryDirectory()

    def fetch(self):
        path = pathlib.Path(self.folder.name) / str(threading.get_ident())
        options = {"credentials": self.credentials, "download_attempts": 2}
        return cdsetool.download.download_file(self.resource, path, options)
