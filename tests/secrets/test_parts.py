"""The secrets inside a secret are hidden by themselves."""

import json

import pytest

from runner.redact import Redactor
from runner.redaction.parts import parts_of

LINES = [
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
    "MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3S",
    "AbCdEf0=",
]
PEM = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(LINES) + "\n-----END PRIVATE KEY-----\n"
SERVICE_ACCOUNT = json.dumps(
    {
        "type": "service_account",
        "project_id": "my-project-1234",
        "private_key_id": "0123456789abcdef",
        "private_key": PEM,
        "client_email": "robot@my-project-1234.iam.example.com",
        "token_uri": "https://oauth2.example.com/token",
        "nested": {"api_key": "nested-key-77", "port": 5432},
    },
    indent=2,
)


@pytest.mark.parametrize("value", [PEM, SERVICE_ACCOUNT], ids=["PEM", "service account"])
@pytest.mark.parametrize("line", LINES)
def test_a_single_line_of_a_key_is_hidden(value: str, line: str) -> None:
    """The last one is short."""
    redactor = Redactor([value])
    assert "1 [redacted]\n" == redactor.redact(f"1 {line}\n")
    assert redactor.find(line.encode().hex()) == {value}


def test_a_key_is_hidden_however_its_lines_are_broken() -> None:
    """As one line, or at another width."""
    body = "".join(LINES)
    redactor = Redactor([SERVICE_ACCOUNT])
    assert "x [redacted] y" == redactor.redact(f"x {body} y")
    folded = "\n".join(body[start : start + 40] for start in range(0, len(body), 40))
    assert "x [redacted] y" == redactor.redact(f"x {folded} y")


def test_what_is_public_in_a_secret_stays() -> None:
    """Names, addresses and the armour of a key stand in every documentation."""
    public = "service_account my-project-1234 https://oauth2.example.com/token -----BEGIN PRIVATE KEY----- 5432"
    assert public == Redactor([SERVICE_ACCOUNT]).redact(public)
    assert "key [redacted]" == Redactor([SERVICE_ACCOUNT]).redact("key nested-key-77")


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("postgres://me:s3cret%2Fpw@db/x", "s3cret%2Fpw"),
        ("postgres://me:s3cret%2Fpw@db/x", "s3cret/pw"),
        ("https://0123456789abcdefghij@host/repo.git", "0123456789abcdefghij"),
        ("https://host/hook?id=7&token=abcdef-123", "abcdef-123"),
        ("Server=db;User Id=me;Password=s3cret-pw;", "s3cret-pw"),
        ("host=db user=me password='s3cret pw' dbname=x", "s3cret pw"),
        ("USER=me\nexport API_KEY=abc-123-def\nPORT=8080\n", "abc-123-def"),
        ("USER=me\nDATABASE_URL=postgres://me:s3cret-pw@db/x\n", "s3cret-pw"),
        ("Bearer abcdef-0123456789", "abcdef-0123456789"),
        ('{"auths": {"host": {"auth": "bWU6czNjcmV0"}}}', "bWU6czNjcmV0"),
        ('{"password": 48151623}', "48151623"),
        ('["list-item-1", "list-item-2"]', "list-item-2"),
        ("line one is long enough\nline two is long enough", "line two is long enough"),
    ],
)
def test_a_part_is_hidden_by_itself(value: str, part: str) -> None:
    """It need not stand in the whole."""
    assert part in parts_of(value)
    assert "<[redacted]>" == Redactor([value]).redact(f"<{part}>")


@pytest.mark.parametrize(
    "value", ["{broken", "[" * 100_000, "http://[::1", "a=b", "://", "-----BEGIN X-----", "{}", "=" * 1000, '"x": "y"']
)
def test_odd_values_are_themselves(value: str) -> None:
    """What cannot be read is a value like any other."""
    assert all(part in (value, value.strip()) for part in parts_of(value))
