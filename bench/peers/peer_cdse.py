"""The Python package cdse: the library keeps its tokens in memory, its command line in a file, and no password."""
import importlib.metadata
import os

from cdse import Client, PasswordAuth
from cdse.cli._common import require_login, token_store
from cdse.config import Settings

from service import PASSWORD, USER
from steps import Driven


class Peer(Driven):
    def __init__(self, origin):
        os.environ["CDSE_TOKEN_URL"] = f"{origin}/auth/realms/CDSE/protocol/openid-connect/token"
        self.LEEWAY = Settings().expiry_skew
        self.resource = f"{origin}/odata/v1/Products(1)/$value"

    def version(self):
        return importlib.metadata.version("cdse")

    def log_in(self, stored=False):
        self.client = Client(PasswordAuth(USER, PASSWORD), store=token_store() if stored else None)
        self.client.auth.authorization_header()

    def resume(self):
        self.client = require_login()

    def header(self):
        return self.client.auth.authorization_header()

    def renew(self):
        self.client.auth.force_refresh()

    def log_out(self):
        self.client.auth.clear()

    def fetch(self):
        return self.client.transport.request("GET", self.resource).status_code == 200
