"""cdse-dl keeps its tokens in memory. Its address is a constant, which is replaced here."""
import importlib.metadata

import cdse_dl.auth
from cdse_dl.auth import CDSEAuthSession, Credentials

from service import PASSWORD, USER
from steps import Driven


class Peer(Driven):
    LEEWAY = 60

    def __init__(self, origin):
        cdse_dl.auth.AUTH_URL = f"{origin}/auth/realms/CDSE/protocol/openid-connect/token"
        self.resource = f"{origin}/odata/v1/Products(1)/$value"

    def version(self):
        return importlib.metadata.version("cdse-dl")

    def log_in(self, stored=False):
        self.session = CDSEAuthSession(Credentials.from_login(USER, PASSWORD))
        self.credentials = self.session._creds

    resume = log_in

    def header(self):
        """What its session does for each request."""
        if self.credentials.is_token_expired():
            self.session.refresh_token()
        return f"Bearer {self.session.auth.token}"

    def fetch(self):
        return self.session.get(self.resource).status_code == 200
