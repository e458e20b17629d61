"""What the document says in words because JSON Schema and OpenAPI have no keyword for it."""

import base64
import re
from datetime import datetime, timezone

import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode

LARGEST_INTEGER = 2**53 - 1

# https://docs.github.com/en/repositories; what is nested is of GitLab.
GITHUB_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}/(?!\.+$)(?!.*\.git$)[a-z0-9._-]{1,100}", re.IGNORECASE)

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
    return is_exact(case.body) and all(map(is_name, repositories_of(case)))


def is_exact(value):
    """Whether parsing changes no number: I-JSON (RFC 7493), section 2.2."""
    if isinstance(value, dict):
        return all(map(is_exact, value.values()))
    if isinstance(value, list):
        return all(map(is_exact, value))
    return not isinstance(value, int) or abs(value) <= LARGEST_INTEGER


def repositories_of(case):
    """Pairs of the forge and the repository, of all places of a request where they may be."""
    query = case.query or {}
    path = case.path_parameters or {}
    body = case.body if isinstance(case.body, dict) else {}
    for forge_of, source, name in ((query, query, "repo"), (query, path, "repository"), (body, body, "repo"), (body, body, "repository")):
        if isinstance(source.get(name), str):
            yield forge_of.get("forge", "github"), source[name]


def is_name(repository):
    forge, name = repository
    return forge != "github" or GITHUB_NAME.fullmatch(name) is not None
