"""The environment becomes a Config, or an error that says what to change."""

from pathlib import Path

import pytest

from ops.config import SETTINGS, Config, read_config, unknown_settings
from ops.errors import OperatorError


def test_empty_environment_gives_the_defaults() -> None:
    """Nothing set: the embedded server, loopback, port 8787, English."""
    config = read_config({"HOME": "/home/ana"})
    assert Config(home=Path("/home/ana/.elruso"), lang="en") == config
    assert "http://127.0.0.1:8787" == config.api_url


def test_values_are_read_by_type() -> None:
    """Numbers, truth values, choices and paths are understood as such."""
    config = read_config(
        {
            "HOME": "/home/ana",
            "ELRUSO_PORT": " 9000 ",
            "ELRUSO_POOLER": "yes",
            "ELRUSO_LEASE_SECONDS": "30.5",
            "ELRUSO_POSTGRES_MAJOR": "16",
            "ELRUSO_LOG_LEVEL": "DEBUG",
            "ELRUSO_WORKSPACE": "~/work",
            "ELRUSO_GRANT": "A, B,,C",
        }
    )
    assert (9000, True, 30.5, 16, "debug") == (
        config.port,
        config.pooler,
        config.lease_seconds,
        config.postgres_major,
        config.log_level,
    )
    assert Path("/home/ana/work") == config.workspace
    assert ("A", "B", "C") == config.granted_names


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("ELRUSO_PORT", "http", "whole number from 0 up to 65535"),
        ("ELRUSO_PORT", "65536", "whole number from 0 up to 65535"),
        ("ELRUSO_CONCURRENCY", "2.5", "whole number from 1"),
        ("ELRUSO_LEASE_SECONDS", "-1", "number above 0"),
        ("ELRUSO_LEASE_SECONDS", "nan", "number above 0"),
        ("ELRUSO_POOLER", "perhaps", "true or false"),
        ("ELRUSO_POSTGRES_MAJOR", "17", "16, 18"),
        ("ELRUSO_LANG", "fr", "es, en"),
        ("DATABASE_URL", "mysql://there/db", "postgresql://… address"),
        ("API_BASE_URL", "there:80", "http://… or https://… address"),
    ],
)
def test_wrong_value_names_variable_value_and_what_is_allowed(name: str, value: str, allowed: str) -> None:
    """A value that will not do is refused with the variable's name, the value, and what is allowed."""
    with pytest.raises(OperatorError) as refusal:
        read_config({name: value})
    assert f"{name}={value!r}" in str(refusal.value)
    assert allowed in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["mysql://ana:s3cr3t@there/db", "mysql://ana:s3:cr3t@there/db", "x://h/db?password=s3cr3t"]
)
def test_refusal_never_shows_a_password(url: str) -> None:
    """The refused value of an address is shown without its password."""
    with pytest.raises(OperatorError) as refusal:
        read_config({"DATABASE_URL": url})
    assert "cr3t" not in str(refusal.value)
    assert "***" in str(refusal.value)


def test_database_address_is_passed_on_whole() -> None:
    """TLS and other options of the address reach the driver untouched."""
    url = "postgresql://ana:p@there:6543/db?sslmode=verify-full&sslrootcert=/ca.pem"
    assert url == read_config({"DATABASE_URL": url}).database_url


def test_empty_variable_counts_as_unset() -> None:
    """A variable set to nothing gives the default."""
    assert 8787 == read_config({"ELRUSO_PORT": ""}).port


def test_older_name_of_the_api_is_understood() -> None:
    """API_BASE_URL is the runbook's name; ELRUSO_API wins over it."""
    assert "https://a.example" == read_config({"API_BASE_URL": "https://a.example/"}).api_url
    both = {"API_BASE_URL": "https://a.example", "ELRUSO_API": "https://b.example"}
    assert "https://b.example" == read_config(both).api_url


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "es_AR.UTF-8"}, "es"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "es_AR.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "ELRUSO_LANG": "es"}, "es"),
    ],
)
def test_language_follows_the_locale_unless_chosen(environment: dict[str, str], language: str) -> None:
    """ELRUSO_LANG decides; without it, LC_ALL before LANG."""
    assert language == read_config(environment).language


def test_pooler_has_no_direct_address_of_its_own() -> None:
    """Behind a pooler, LISTEN needs ELRUSO_LISTEN_URL; otherwise DATABASE_URL serves."""
    url, direct = "postgresql://pool/db", "postgresql://direct/db"
    assert url == read_config({"DATABASE_URL": url}).direct_url
    assert None is read_config({"DATABASE_URL": url, "ELRUSO_POOLER": "1"}).direct_url
    assert direct == read_config({"DATABASE_URL": url, "ELRUSO_POOLER": "1", "ELRUSO_LISTEN_URL": direct}).direct_url


def test_lease_must_outlast_two_heartbeats() -> None:
    """A lease that one lost heartbeat would break is refused."""
    with pytest.raises(OperatorError, match="ELRUSO_LEASE_SECONDS=5 must be at least twice"):
        read_config({"ELRUSO_LEASE_SECONDS": "5", "ELRUSO_HEARTBEAT_SECONDS": "3"})


def test_misspelt_settings_are_found() -> None:
    """Variables that look like settings and are none are reported with what they may have meant."""
    environment = {"ELRUSO_PROT": "1", "ELRUSO_QQQ": "1", "ELRUSO_PORT": "1", "ELRUSO_TASK_ID": "t", "HOME": "/"}
    assert {"ELRUSO_PROT": "ELRUSO_PORT", "ELRUSO_QQQ": None} == unknown_settings(environment)


def test_every_default_is_allowed() -> None:
    """Each default, written as a variable, is accepted and gives itself."""
    for setting in SETTINGS:
        if setting.default is not None and setting.field != "home":
            assert setting.default == getattr(read_config({setting.name: str(setting.default)}), setting.field)
