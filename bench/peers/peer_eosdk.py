"""eosdk, the SDK of CDSE's operator: its settings come from the environment, its tokens from one file for all processes."""
import importlib.metadata
import os
import pathlib
import tempfile

import eosdk
from eosdk.auth.keycloak import EXPIRY_LEEWAY
from eosdk.models import Product

from service import PASSWORD, USER
from steps import Driven, attempt


class Peer(Driven):
    LEEWAY = EXPIRY_LEEWAY

    def __init__(self, origin):
        os.environ["EOSDK_KEYCLOAK_URL"] = f"{origin}/auth"
        os.environ["EOSDK_KEYCLOAK_REALM"] = "CDSE"
        os.environ["EOSDK_KEYCLOAK_CLIENT_ID"] = "cdse-public"
        os.environ["EOSDK_EODATA_HTTP_URL"] = origin
        self.client = eosdk.Client()

    def version(self):
        return importlib.metadata.version("eosdk")

    def log_in(self, stored=True):
        self.client.auth.login(USER, PASSWORD)

    def resume(self):
        """The file is found by itself."""

    def header(self):
        return f"Bearer {self.client.auth.access_token()}"

    def renew(self):
        self.client.auth.force_refresh()

    def log_out(self):
        self.client.auth.logout()

    def fetch_all(self, tasks):
        products = [Product(id=str(nth), name=str(nth)) for nth in range(tasks)]
        with tempfile.TemporaryDirectory() as folder:
            _, error = attempt(lambda: self.client.download(products, folder, concurrency=tasks))
            return len(list(pathlib.Path(folder).glob("*.zip"))), error
