"""What the document says in words because JSON Schema and OpenAPI have no keyword for it."""

import base64
import re
from datetime import datetime, timezone

import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode

LARGEST_INTEGER = 2**53 - 1

# What src/domain/repository-name.ts takes for a name.
NAMES = {
    "github": re.compile(r"[a-z0-9][a-z0-9_-]{0,99}/(?!\.+$)(?!.*\.git$)[a-z0-9._-]{1,100}", re.IGNORECASE),
    "gitlab": re.compile(
        r"((?!\.+/)[a-z0-9_.]([a-z0-9_.-]{0,253}[a-z0-9_-])?/){1,20}(?!\.+$)(?!.*\.(git|atom)$)[a-z0-9_.][a-z0-9_.-]{0,254}",
        re.IGNORECASE,
    ),
}

times = st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(2999, 12, 31), timezones=st.just(timezone.utc)
)


def cursor(ids):
    """Positions as lists give them: base64url of the time and id of a row."""

    def encode(time, id):
        position = f"{time:%Y-%m-%dT%H:%M:%S.%f}Z {id}"
        return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")

    return st.builds(encode, times, ids)


schemathesis.openapi.format("date-time", times.map(lambda time: time.isoformat().replace("+00:00", "Z")))
schemathesis.openapi.format("cursor", cursor(st.uuids()))
schemathesis.openapi.format("audit-cursor", cursor(st.integers(1, 10**15 - 1)))
# No event leaves the machine: names under .invalid are never found.
schemathesis.openapi.format("uri", st.from_regex(r"\Ahttps://[a-z]{1,20}\.invalid/[a-z0-9/]{0,20}\Z"))


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what only words forbid, where what was generated is to be accepted."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return True
    return is_storable(case.body) and all(map(is_name, repositories_of(case)))


def is_storable(value):
    """Whether no number is changed by parsing (I-JSON, RFC 7493 section 2.2), and no key reaches for a prototype."""
    if isinstance(value, dict):
        return "__proto__" not in value and all(map(is_storable, value.values()))
    if isinstance(value, list):
        return all(map(is_storable, value))
    return not isinstance(value, int) or abs(value) <= LARGEST_INTEGER


def repositories_of(case):
    """Forges and repositories, from wherever a request may have them."""
    query, path = case.query or {}, case.path_parameters or {}
    body = case.body if isinstance(case.body, dict) else {}
    for forge, repository in (
        (query.get("forge"), query.get("repo")),
        (query.get("forge"), path.get("repository")),
        (body.get("forge"), body.get("repo")),
        (body.get("forge"), body.get("repository")),
    ):
        if repository is not None:
            yield forge or "github", repository


def is_name(named):
    forge, repository = named
    return NAMES[forge].fullmatch(repository) is not None
