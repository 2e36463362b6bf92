"""What model servers answer and clients ask, and what must come of it: the vectors of both kinds of tests, by name."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field, replace

LF = b"\n"
SSE = "text/event-stream; charset=utf-8"
JSON = "application/json; charset=utf-8"

Counts = tuple[int, int, int]


def event(data: str) -> bytes:
    return b"data: " + data.encode() + b"\n\n"


def chunk(usage: str | None = None, content: str = "hi") -> bytes:
    tail = "" if usage is None else f',"usage":{usage}'
    return event(f'{{"id":"x","choices":[{{"index":0,"delta":{{"content":"{content}"}}}}]{tail}}}')


def usage(prompt: int, completion: int, total: int) -> str:
    return f'{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{total}}}'


U = event('{"id":"x","choices":[],"usage":' + usage(5, 7, 12) + "}")
D = chunk()
DN = chunk("null")
F = event("[DONE]")
STREAM = D + U + F
COUNTED = (5, 7, 12)


@dataclass(frozen=True)
class Answer:
    """An answer as the model server writes it, piece by piece, and what is counted."""

    name: str
    pieces: tuple[bytes, ...]
    counts: Counts | None = COUNTED
    parse_errors: int = 0
    missing_usage: bool = False
    aborted: bool = False
    """The client leaves after the last piece."""
    content_type: str = SSE
    status: int = 200
    encoding: str = ""
    reported: dict[str, str] = field(default_factory=dict)
    """The exact text of reported values, where it matters."""

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


def bytewise(text: bytes) -> tuple[bytes, ...]:
    return tuple(text[at : at + 1] for at in range(len(text)))


def cuts(text: bytes) -> list[tuple[bytes, bytes]]:
    """Every way to cut a text in two."""
    return [(text[:at], text[at:]) for at in range(1, len(text))]


def crlf(text: bytes) -> bytes:
    return text.replace(LF, b"\r\n")


def cr(text: bytes) -> bytes:
    return text.replace(LF, b"\r")


def pieces_of(text: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(text[at : at + size] for at in range(0, len(text), size))


BOM = b"\xef\xbb\xbf"
TWO_LINES = b'data: {"choices":[],\ndata: "usage":' + usage(5, 7, 12).encode() + b"}\n\n"
EMOJI = chunk(content="é😀")
E_ACUTE, FACE = EMOJI.index("é".encode()), EMOJI.index("😀".encode())
CUT_EMOJI = (EMOJI[: E_ACUTE + 1], EMOJI[E_ACUTE + 1 : FACE + 2], EMOJI[FACE + 2 :])
LONG_LINE = chunk(content="x" * 2_000_000)
RESPONSE_COMPLETED = b"event: response.completed\n" + event(
    '{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":7,"total_tokens":12}}}'
)
MESSAGE_START = event('{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}')
MESSAGE_DELTA = event('{"type":"message_delta","delta":{},"usage":{"output_tokens":7}}')
CUMULATIVE = (chunk(usage(5, 1, 6)), chunk(usage(5, 2, 7)))

STREAMS = [
    Answer("S1 delta, usage, done", (D, U, F)),
    Answer("S1 all in one piece", (STREAM,)),
    Answer("S2 byte by byte", bytewise(STREAM)),
    Answer("S3 CRLF", (crlf(STREAM),)),
    Answer("S3 CRLF byte by byte", bytewise(crlf(STREAM))),
    Answer("S3 bare CR", (cr(STREAM),)),
    Answer("S3 bare CR byte by byte", bytewise(cr(STREAM))),
    Answer("S4 comments", (b": ping\n\n" + D, b": c\n" + U, F)),
    Answer("S5 no space after the colon", (STREAM.replace(b"data: ", b"data:"),)),
    Answer("S5 leading byte order mark", (BOM + STREAM,)),
    Answer("S5 leading byte order mark byte by byte", bytewise(BOM + STREAM)),
    Answer("S5 done without space", (D, U, b"data:[DONE]\n\n")),
    Answer("S5 done with trailing space", (D, U, b"data: [DONE] \n\n")),
    Answer("S6 null usage before", (DN, DN, U, F)),
    Answer("S6 null usage after", (U, DN, F)),
    Answer("S7 cumulative usage", (*CUMULATIVE, chunk(usage(5, 7, 12)), F)),
    Answer("S8 client leaves", CUMULATIVE, counts=(5, 2, 7), aborted=True),
    Answer("S9 no usage", (D, D, D, F), counts=None, missing_usage=True),
    Answer("S10 two data lines in an event", (TWO_LINES, F)),
    Answer("S11 last line feed missing", (D, U[:-1])),
    Answer("S11 both last line feeds missing", (D, U[:-2])),
    Answer("S12 characters cut", (*CUT_EMOJI, U, F)),
    Answer("S13 an event that is no JSON", (D, b"data: {oops\n\n", U, F), parse_errors=1),
    Answer("S14 a very long line", (*pieces_of(LONG_LINE, 8192), U, F)),
    Answer("S15 error event", (event('{"error":{"message":"no"}}'), F), counts=None, missing_usage=True),
    Answer("S15 events without data", (b"event: a\n\nid: 1\n\nretry: 5\n\n", U)),
    Answer("S16 responses API", (RESPONSE_COMPLETED,)),
    Answer("S17 messages API", (MESSAGE_START, MESSAGE_DELTA)),
    Answer("S18 usage in the last piece", (D + U,)),
    Answer("an event cut inside an escape", (b'data: {"a":["\\\n\n', event('[""]'), U), parse_errors=1),
    Answer("a last event cut short", (D, U, b'data: {"x'), parse_errors=1),
]


def completion(usage_object: str, content: str = "hi") -> bytes:
    message = json.dumps({"role": "assistant", "content": content})
    return f'{{"id":"x","choices":[{{"index":0,"message":{message}}}],"usage":{usage_object}}}'.encode()


def body(name: str, text: bytes, counts: Counts | None = COUNTED, **changes: object) -> Answer:
    answer = Answer(name, (text,), counts, content_type=JSON, missing_usage=counts is None)
    return replace(answer, **changes)  # type: ignore[arg-type]


WHOLE = completion(usage(5, 7, 12))
VECTOR = b'"data":[{"embedding":[' + b"0.0123456789," * 240_000 + b"0]}]"
EMBEDDING_USAGE = b'"usage":{"prompt_tokens":9,"total_tokens":9}'
QUIET = {"missing_usage": False}

BODIES = [
    body("J1 chat completion", WHOLE),
    replace(body("J1 byte by byte", WHOLE), pieces=bytewise(WHOLE)),
    body("J1 content type in capitals", WHOLE, content_type="Application/JSON;charset=UTF-8"),
    body("J2 embeddings", b'{"data":[],' + EMBEDDING_USAGE + b"}", (9, 0, 9)),
    body("J3 usage after 3 MiB", b"{" + VECTOR + b"," + EMBEDDING_USAGE + b"}", (9, 0, 9)),
    body("J3 usage before 3 MiB", b"{" + EMBEDDING_USAGE + b"," + VECTOR + b"}", (9, 0, 9)),
    body("J4 usage inside the content", completion(usage(5, 7, 12), content='{"usage":{"total_tokens":999}}')),
    body("J5 no total", completion('{"prompt_tokens":5,"completion_tokens":7}')),
    body(
        "J6 odd numbers",
        completion('{"prompt_tokens":"5","completion_tokens":-1,"total_tokens":12.0}'),
        (0, 0, 12),
    ),
    body("J7 usage null", completion("null"), None),
    body("J7 no usage", b'{"choices":[]}', None),
    body("J7 an array", b"[]", None),
    body("J7 true", b"true", None),
    body("J7 empty", b"", None),
    body("J7 no content", b"", None, status=204, **QUIET),
    body("J8 bad request", WHOLE, None, status=400, **QUIET),
    body("J8 server error", WHOLE, None, status=500, **QUIET),
    body("J8 HTML", b"<html></html>", None, content_type="text/html"),
    body("J8 gzip", gzip.compress(WHOLE), None, encoding="gzip"),
    body(
        "J9 a large total",
        completion('{"total_tokens":1e15}'),
        (0, 0, 10**15),
        reported={"total_tokens": "1000000000000000"},
    ),
]

# Found on the real gateway: values that backend refuses, and nesting that breaks a JSON library.
ODD_BODIES = [
    body("a fraction of a token", completion('{"prompt_tokens":5,"completion_tokens":7.9}'), (5, 7, 12)),
    body("an infinite count", completion('{"prompt_tokens":5,"completion_tokens":7,"total_tokens":1e999}'), COUNTED),
    body("a count beyond all doubt", completion('{"prompt_tokens":5,"completion_tokens":1e300}'), (5, 0, 5)),
    body("a lone surrogate", completion(usage(5, 7, 12)).replace(b"hi", rb"\ud800"), COUNTED),
    body("a hundred thousand levels", b'{"x":' + b"[" * 10**5 + b"]" * 10**5 + b"," + WHOLE[1:], COUNTED),
    body("a name of 100 KB", b'{"' + b"n" * 10**5 + b'":1,' + WHOLE[1:], COUNTED),
    body("cut after the usage", WHOLE[:-1], COUNTED, parse_errors=1),
    body("a later usage object", WHOLE[:-1] + b',"usage":{"completion_tokens":8}}', (5, 8, 13)),
    body("NaN among the numbers", b'{"logprobs":NaN,' + WHOLE[1:], COUNTED),
    body("half a byte order mark", BOM[:2] + WHOLE, None, parse_errors=1),
    body("a byte order mark", BOM + WHOLE, COUNTED),
]


@dataclass(frozen=True)
class Request:
    """A request body and what the model server gets of it."""

    name: str
    sent: bytes
    received: bytes
    asked: bool = False
    """The client itself asked for usage."""
    content_type: str = "application/json"


def escaped(text: str) -> bytes:
    """Spell every letter of a JSON string as an escape."""
    return "".join(f"\\u{ord(letter):04x}" for letter in text).encode()


def same(name: str, sent: bytes, *, asked: bool = False, content_type: str = "application/json") -> Request:
    return Request(name, sent, sent, asked, content_type)


OPTIONS = b'"stream_options":{"include_usage":true},'
PROMPT = b"p" * 70 * 1024
MULTIPART = b'--b\r\nContent-Disposition: form-data; name="stream"\r\n\r\n{"stream":true}\r\n--b--\r\n'

REQUESTS = [
    Request("R1 stream", b'{"stream":true}', b"{" + OPTIONS + b'"stream":true}'),
    Request(
        "R2 empty options",
        b'{"stream":true,"stream_options":{}}',
        b'{"stream":true,"stream_options":{"include_usage":true}}',
    ),
    Request(
        "R2 null options",
        b'{"stream":true,"stream_options": null }',
        b'{"stream":true,"stream_options": {"include_usage":true} }',
    ),
    Request(
        "R2 include_usage false",
        b'{"stream_options":{"a":1,"include_usage":false,"b":[{}]},"stream":true}',
        b'{"stream_options":{"a":1,"include_usage":true,"b":[{}]},"stream":true}',
    ),
    Request(
        "R2 include_usage null",
        b'{"stream_options":{"include_usage":null},"stream":true}',
        b'{"stream_options":{"include_usage":true},"stream":true}',
    ),
    Request(
        "R2 other options kept",
        b'{"stream_options":{ "continuous_usage_stats":false},"stream":true}',
        b'{"stream_options":{"include_usage":true, "continuous_usage_stats":false},"stream":true}',
    ),
    same("R2 already asked", b'{"stream":true,"stream_options":{"include_usage":true}}', asked=True),
    Request(
        "R3 texts that a JSON library would change",
        b'{"tools":[],"seed":9007199254740993,"t":0.10,"m":"a/b","stream":true}',
        b"{" + OPTIONS + b'"tools":[],"seed":9007199254740993,"t":0.10,"m":"a/b","stream":true}',
    ),
    same("R4 stream false", b'{"stream":false,"stream_options":null}'),
    same("R4 stream absent", b'{"model":"m"}'),
    same("R4 nested stream", b'{"metadata":{"stream":true}}'),
    same("R4 stream inside a string", rb'{"prompt":"\"stream\":true,"}'),
    same("R4 invalid JSON", b'{"stream":true'),
    same("R4 cut after the stream", b'{"stream":true,'),
    same("R4 more after the end", b'{"stream":true}}'),
    same("R4 not JSON at all", b"stream=true"),
    same("R4 multipart", MULTIPART, content_type="multipart/form-data; boundary=b"),
    Request(
        "R5 prompt of 70 KiB",
        b'{"prompt":"' + PROMPT + b'","stream":true}',
        b"{" + OPTIONS + b'"prompt":"' + PROMPT + b'","stream":true}',
    ),
    Request(
        "R5 prompt of 1 MB before the options",
        b'{"prompt":"' + PROMPT * 15 + b'","stream_options":{"include_usage":false},"stream":true}',
        b'{"prompt":"' + PROMPT * 15 + b'","stream_options":{"include_usage":true},"stream":true}',
    ),
    Request("R6 white space after the end", b'{"stream":true} \r\n', b"{" + OPTIONS + b'"stream":true} \r\n'),
    Request("R6 white space inside", b' { "stream" : true }', b" {" + OPTIONS + b' "stream" : true }'),
    same("R7 the last stream is false", b'{"stream":true,"stream":false}'),
    Request(
        "R7 the last stream is true",
        b'{"stream":false,"stream":true}',
        b"{" + OPTIONS + b'"stream":false,"stream":true}',
    ),
    Request("a name spelled with escapes", rb'{"str\u0065am":true}', b"{" + OPTIONS + rb'"str\u0065am":true}'),
    Request(
        "options spelled with escapes",
        b'{"stream":true,"' + escaped("stream_options") + b'":{"' + escaped("include_usage") + b'":false}}',
        b'{"stream":true,"' + escaped("stream_options") + b'":{"' + escaped("include_usage") + b'":true}}',
    ),
    Request(
        "a true spelled with escapes",
        b'{"stream":"' + escaped("true") + b'"}',
        b"{" + OPTIONS + b'"stream":"' + escaped("true") + b'"}',
    ),
    Request("a one that an engine takes for true", b'{"stream":1}', b"{" + OPTIONS + b'"stream":1}'),
    Request("a string that an engine takes for true", b'{"stream":"True"}', b"{" + OPTIONS + b'"stream":"True"}'),
    Request("a byte order mark", BOM + b'{"stream":true}', BOM + b"{" + OPTIONS + b'"stream":true}'),
    Request("a number too large", b'{"stream":true,"x":1E400}', b"{" + OPTIONS + b'"stream":true,"x":1E400}'),
    Request("a lone surrogate", rb'{"stream":true,"x":"\ud800"}', b"{" + OPTIONS + rb'"stream":true,"x":"\ud800"}'),
    same("UTF-16", '{"stream":true}'.encode("utf-16")),
    Request(
        "two thousand levels",
        b'{"x":' + b"[" * 2000 + b"]" * 2000 + b',"stream":true}',
        b"{" + OPTIONS + b'"x":' + b"[" * 2000 + b"]" * 2000 + b',"stream":true}',
    ),
    same("options of a wrong type", b'{"stream":true,"stream_options":[]}'),
    same("empty", b""),
]
