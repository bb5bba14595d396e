"""The API's description for people: one HTML page without scripts, from the OpenAPI document."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any, Final

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;
color:#222;background:#fff}
h2{border-bottom:1px solid #ccc;margin-top:2.5rem}code,pre{font:14px/1.4 ui-monospace,monospace}
pre{background:#f4f4f4;padding:.6rem;overflow:auto}table{border-collapse:collapse;width:100%}
td,th{border:1px solid #ddd;padding:.3rem .5rem;text-align:left;vertical-align:top}
.method{display:inline-block;min-width:4.5rem;font-weight:700}details{margin:.6rem 0}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}pre{background:#222}
td,th{border-color:#444}a{color:#8ab4f8}}
"""


def page(document: dict[str, Any]) -> bytes:
    """The whole page."""
    info = document["info"]
    title = f"{escape(info['title'])} {escape(info['version'])}"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width,initial-scale=1'>",
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>",
        f"<p>{_text(info['description'])} <a href='/openapi.json'>openapi.json</a></p>",
        *_operations(document),
        "<h2 id=problems>Problems</h2>",
        _table(
            ("code", "name", "status", "title"),
            [tuple(str(kind[key]) for key in kind) for kind in document["x-problems"]],
        ),
        "<h2 id=schemas>Schemas</h2>",
        *_schemas(document["components"]["schemas"]),
        "</html>",
    ]
    return "\n".join(parts).encode()


def _operations(document: dict[str, Any]) -> Iterator[str]:
    tag = None
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation["tags"][0] != tag:
                tag = operation["tags"][0]
                yield f"<h2>{escape(tag)}</h2>"
            yield f"<details id='{escape(operation['operationId'])}'><summary>"
            yield f"<code><span class=method>{method.upper()}</span>{escape(path)}</code> "
            yield f"{escape(operation['summary'])}</summary>"
            yield from _details(operation)
            yield "</details>"


def _details(operation: dict[str, Any]) -> Iterator[str]:
    if operation["parameters"]:
        rows: list[tuple[str, ...]] = [
            (p["name"], p["in"], "yes" if p["required"] else "", p.get("description", ""))
            for p in operation["parameters"]
        ]
        yield _table(("parameter", "in", "required", ""), rows)
    if "requestBody" in operation:
        yield f"<p>Body: {_link(operation['requestBody'])}</p>"
    replies: list[tuple[str, ...]] = [
        (status, reply["description"], ", ".join(_names(reply)))
        for status, reply in operation["responses"].items()
    ]
    yield _table(("status", "", "body"), replies)


def _names(holder: dict[str, Any]) -> list[str]:
    media = holder.get("content", {}).values()
    return [entry["schema"].get("$ref", "").rpartition("/")[2] for entry in media]


def _link(holder: dict[str, Any]) -> str:
    return ", ".join(f"<a href='#schema-{name}'>{name}</a>" for name in map(escape, _names(holder)))


def _schemas(schemas: dict[str, Any]) -> Iterator[str]:
    for name, schema in sorted(schemas.items()):
        yield f"<details id='schema-{escape(name)}'><summary><code>{escape(name)}</code> "
        yield f"{_text(schema.get('description', ''))}</summary>"
        yield f"<pre>{escape(json.dumps(schema, indent=2))}</pre></details>"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"


def _text(text: str) -> str:
    """Plain text with `code` in backticks."""
    pieces = escape(text).split("`")
    return "".join(
        f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces)
    )
