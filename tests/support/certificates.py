"""Certificates of an authority of the test's own, made by openssl."""

import shutil
from pathlib import Path

from ops.postgres.account import choose_account

PROGRAM = shutil.which("openssl")
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


def make_authority(folder: Path, name: str) -> Path:
    """An authority's certificate, name.crt, beside its key, in a folder that belongs to the servers' account."""
    return _request(folder, name, "-subj", f"/CN={name}")


def make_certificate(folder: Path, authority: str, name: str, *hosts: str) -> Path:
    """A server's certificate by that authority, name.crt, for these hosts ("DNS:…", "IP:…"), beside its key."""
    signed = ("-CA", f"{authority}.crt", "-CAkey", f"{authority}.key")
    return _request(folder, name, *signed, "-subj", f"/CN={name}", "-addext", f"subjectAltName={','.join(hosts)}")


def _request(folder: Path, name: str, *options: str) -> Path:
    assert PROGRAM is not None
    outcome = choose_account().run(
        [PROGRAM, "req", "-x509", *NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.crt", *options], folder
    )
    assert outcome.returncode == 0, outcome.stdout
    return folder / f"{name}.crt"
