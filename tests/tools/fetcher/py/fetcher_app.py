"""The world `fetcher` in Python, as componentize-py builds it: files by the standard library, which
reaches them through WASI, and requests by the generated bindings of `wasi:http`."""

import json
import os
import re
from urllib.parse import urlsplit

from componentize_py_types import Err, Ok
from wit_world import Style, WitWorld as Fetcher
from wit_world.imports.outgoing_handler import handle
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (
    Fields,
    OutgoingRequest,
    Scheme_Http,
    Scheme_Https,
)

CHUNK = 64 * 1024
SCHEMES = {"http": Scheme_Http, "https": Scheme_Https}


class WitWorld(Fetcher):
    def fetch_json(self, url: str) -> str:
        status, body = _get(url)
        if status != 200:
            raise Err(f"status {status} from {url}")
        try:
            return json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False)
        except ValueError as error:
            raise Err(f"not JSON: {error}")

    def list_folder(self, path: str) -> list[str]:
        try:
            with os.scandir(path) as entries:
                names = [
                    f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                    for entry in entries
                ]
                return sorted(names)
        except OSError as error:
            raise Err(f"{path}: {error.strerror}")

    def read_text(self, path: str) -> str:
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except OSError as error:
            raise Err(f"{path}: {error.strerror}")
        except UnicodeDecodeError:
            raise Err(f"{path}: not UTF-8 text")

    def transform(self, text: str, style: Style) -> str:
        match style:
            case Style.UPPER:
                return text.upper()
            case Style.TITLE:
                return re.sub(r"\S+", lambda word: word[0].capitalize(), text)
            case Style.SLUG:
                return "-".join(re.findall(r"[a-z0-9]+", text.lower()))


def _get(url: str) -> tuple[int, bytes]:
    """Sends one GET request; gives the status and the whole body."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise Err(f"{url}: not an http or https URL")
    request = OutgoingRequest(Fields.from_list([("accept", b"application/json")]))
    request.set_scheme(SCHEMES[parts.scheme]())
    request.set_authority(parts.netloc)
    query = f"?{parts.query}" if parts.query else ""
    request.set_path_with_query(f"{parts.path or '/'}{query}")
    try:
        pending = handle(request, None)
        with pending.subscribe() as ready:
            ready.block()
        answer = pending.get()
    except Err as error:
        raise Err(f"no answer from {url}: {type(error.value).__name__}")
    match answer:
        case Ok(Ok(response)):
            with response:
                return response.status(), _read(response)
        case Ok(Err(error)):
            raise Err(f"no answer from {url}: {type(error).__name__}")
        case _:
            raise Err(f"no answer from {url}")


def _read(response) -> bytes:
    body = bytearray()
    with response.consume() as incoming, incoming.stream() as stream:
        while True:
            try:
                body += stream.blocking_read(CHUNK)
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return bytes(body)
                raise Err("the answer broke off")
