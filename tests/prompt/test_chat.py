"""A chat server writes the caption: what it is asked, and what becomes of every bad answer."""

import json
import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from worldreel.errors import RequestError
from worldreel.prompt import Chat
from worldreel.prompt.chat import KEY, MOST_BYTES

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPT = "a red ball on snow"
GOOD = "A red ball rolls to the left over the snow at sunset."
SECRET = "sk-very-secret-0123456789"


def answer(caption: str) -> bytes:
    """A chat completion that holds a caption."""
    return completion(json.dumps({"caption": caption}))


def completion(content: object) -> bytes:
    return json.dumps({"choices": [{"message": {"content": content}}]}).encode()


class Server(ThreadingHTTPServer):
    """Gives one answer after the other, the last one again: bytes, or what is to be done."""

    daemon_threads = True

    def __init__(self, answers) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = list(answers), []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        length = int(self.headers["Content-Length"])
        body = json.loads(self.rfile.read(length))
        server.asked.append((self.path, dict(self.headers), body))
        what = server.answers[min(len(server.asked), len(server.answers)) - 1]
        if callable(what):
            what(self)
        else:
            status, content = what if isinstance(what, tuple) else (200, what)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format, *args) -> None:
        """Nothing: the tests look at what was asked."""


@contextmanager
def serving(*answers):
    server = Server(answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked_of(marble, url, prompt=PROMPT, seconds=5.0):
    return Chat(url=url, model="some-model", seconds=seconds)(marble, prompt, seed=2**40 + 7)


def test_a_good_answer_is_the_caption(marble, monkeypatch):
    monkeypatch.delenv(KEY, raising=False)
    with serving(answer(f" {GOOD}\n")) as (server, url):
        told = asked_of(marble, url)
    assert (told.text, told.by, told.prompt, told.notes) == (GOOD, "some-model", PROMPT, ())
    ((path, headers, body),) = server.asked
    assert path == "/v1/chat/completions" and "Authorization" not in headers
    assert body["model"] == "some-model" and body["stream"] is False
    assert 0 <= body["seed"] < 2**31
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert json.loads(body["messages"][1]["content"]) == {"prompt": PROMPT}
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["caption"] and schema["additionalProperties"] is False


@pytest.mark.parametrize("tail", ["", "/", "/chat/completions"])
def test_an_address_may_end_in_several_ways(marble, tail):
    with serving(answer(GOOD)) as (server, url):
        assert asked_of(marble, url + tail).by
    assert server.asked[0][0] == "/v1/chat/completions"


@pytest.mark.parametrize(
    "content",
    [
        f'```json\n{{"caption": "{GOOD}"}}\n```',
        f'<think>a {{ball}}, hm</think>\n{{"caption": "{GOOD}"}}',
    ],
)
def test_an_answer_may_be_wrapped(marble, content):
    with serving(completion(content)) as (_, url):
        assert asked_of(marble, url).text == GOOD


def test_chinese_is_asked_for_and_taken(marble):
    caption = "日落时分，一个红色的球在雪地上向左滚动。"
    with serving(answer(caption)) as (_, url):
        assert asked_of(marble, url, "雪地上的红球").text == caption


BAD = {
    "a blue ball": answer("A blue ball rolls over the snow at sunset, near the sea."),
    "empty caption": answer(""),
    "no caption": completion('{"text": "hello"}'),
    "caption of numbers": completion('{"caption": [1, 2]}'),
    "prose": completion("Sure! Here is your caption: a red ball."),
    "no content": completion(None),
    "no choices": b'{"choices": []}',
    "a list": b"[1, 2, 3]",
    "deep": b"[" * 100_000,
    "not json": b"<html>hello</html>",
    "not text": b"\xff\xfe\x00\x01",
    "nothing": b"",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_answer_is_asked_for_once_more(marble, bad):
    with serving(bad, answer(GOOD)) as (server, url):
        assert asked_of(marble, url).text == GOOD
    assert len(server.asked) == 2


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_two_bad_answers_leave_the_prompt(marble, bad):
    with serving(bad) as (server, url):
        told = asked_of(marble, url)
    assert len(server.asked) == 2
    left(told)


def left(told, *words):
    """The prompt as it was, and one clear line."""
    assert told.text == told.prompt == PROMPT and not told.by
    (note,) = told.notes
    assert note.startswith("the prompt was left as it is: ") and "\n" not in note
    assert len(note) < 200 and all(word in note for word in words), note


def test_what_was_wrong_is_said_in_the_second_question(marble):
    with serving(BAD["a blue ball"], answer(GOOD)) as (server, url):
        asked_of(marble, url)
    *_, wrote, again = server.asked[1][2]["messages"]
    assert "blue ball" in wrote["content"] and "colour 'red' is missing" in again["content"]


def test_what_the_model_no_longer_reads_is_refused(marble):
    with serving(answer("A crimson and red ball in a landscape, on its own, snow-free.")) as (
        _,
        url,
    ):
        told = asked_of(marble, url, "a red ball in the desert")
    assert not told.by and told.text == "a red ball in the desert"


def test_a_server_that_knows_no_schema_is_asked_without(marble):
    with serving((400, b'{"error": "response_format"}'), answer(GOOD)) as (server, url):
        assert asked_of(marble, url).text == GOOD
    first, second = (body for _, _, body in server.asked)
    assert "response_format" in first and "response_format" not in second


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, ("another key (401)", KEY)),
        (403, ("another key (403)", KEY)),
        (404, ("no model 'some-model' (404)",)),
        (429, ("too many questions (429)",)),
        (500, ("status 500",)),
        (400, ("refused the question (400)",)),
        (204, ("status 204",)),
    ],
)
def test_a_status_is_one_clear_line(marble, status, words):
    content = b"" if status == 204 else b"x" * 5000
    with serving((status, content)) as (server, url):
        left(asked_of(marble, url), *words)
    assert len(server.asked) == (2 if status == 400 else 1)


def test_a_redirect_is_not_followed(marble, monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    with serving(answer(GOOD)) as (other, there):

        def elsewhere(handler):
            handler.send_response(307)
            handler.send_header("Location", f"{there}/chat/completions")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        with serving(elsewhere) as (_, url):
            left(asked_of(marble, url), "sends its visitors elsewhere (307)")
        assert not other.asked


def test_a_huge_answer_is_given_up(marble):
    with serving(answer("red ball snow " * (MOST_BYTES // 10))) as (_, url):
        left(asked_of(marble, url), "larger than 1 MiB")


def drip(handler):
    """One byte after the other, never too long after the last one."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    try:
        for _ in range(400):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.02)
    except OSError:
        return


def slow_head(handler):
    """A status line that never ends."""
    try:
        for _ in range(400):
            handler.wfile.write(b"H")
            handler.wfile.flush()
            time.sleep(0.02)
    except OSError:
        return


def silent(handler):
    time.sleep(1.0)


@pytest.mark.parametrize("slow", [drip, slow_head, silent])
def test_a_slow_answer_is_not_waited_for(marble, slow):
    with serving(slow) as (server, url):
        began = time.monotonic()
        left(asked_of(marble, url, seconds=0.3), "no whole answer in 0.3 s")
        assert time.monotonic() - began < 5
    assert len(server.asked) == 1


def hung_up(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')


def gone(handler):
    handler.close_connection = True


def no_http(handler):
    handler.wfile.write(b"220 mail.example.org ESMTP\r\n\r\n")


@pytest.mark.parametrize(
    ("rude", "words"),
    [(hung_up, "hung up"), (gone, "hung up"), (no_http, "does not speak HTTP")],
)
def test_a_rude_server_is_one_clear_line(marble, rude, words):
    with serving(rude) as (_, url):
        left(asked_of(marble, url), words)


def test_no_server_is_one_clear_line(marble):
    with serving() as (_, url):
        pass
    left(asked_of(marble, url), "nothing answers at http://127.0.0.1", "is the server running?")


def test_plain_http_behind_https_is_one_clear_line(marble):
    with serving(answer(GOOD)) as (_, url):
        left(asked_of(marble, url.replace("http:", "https:")), "HTTPS")


def test_the_key_is_sent_and_kept_nowhere(marble, monkeypatch, caplog, capfd):
    monkeypatch.setenv(KEY, f" {SECRET}\n")
    caplog.set_level(logging.DEBUG)
    for what in (answer(GOOD), (401, SECRET.encode()), answer(SECRET), b"not json"):
        with serving(what) as (server, url):
            chat = Chat(url=url, model="m", seconds=5)
            told = chat(marble, PROMPT)
        assert server.asked[0][1]["Authorization"] == f"Bearer {SECRET}"
        kept = f"{chat!r} {asdict(chat)} {told!r} {told.to_json()} {server.asked[0][2]}"
        assert SECRET not in kept
    assert SECRET not in caplog.text and SECRET not in "".join(capfd.readouterr())


def test_a_key_that_cannot_be_one_is_refused_unseen(marble, monkeypatch):
    monkeypatch.setenv(KEY, "sk-1\nX-Other: 2")
    with serving(answer(GOOD)) as (server, url):
        with pytest.raises(RequestError, match="holds characters that no key has") as refused:
            asked_of(marble, url)
    assert not server.asked and "sk-1" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["", "localhost:11434", "ftp://x/v1", "http://", "http://a b/v1", "http://h:99999/v1",
     "http://user:pw@h/v1", "http://h/v1?key=1", "http://h/v1#x", "http://[::1/v1", "http://ü/v1"],
)  # fmt: skip
def test_a_bad_address_is_refused_at_once(url):
    with pytest.raises(RequestError, match="the chat URL") as refused:
        Chat(url=url, model="m")
    assert "pw" not in str(refused.value)


def test_a_chat_needs_a_model_and_a_time():
    with pytest.raises(RequestError, match="the chat model has no name"):
        Chat(url="http://h/v1", model=" ")
    with pytest.raises(RequestError, match="3600 seconds"):
        Chat(url="http://h/v1", model="m", seconds=0)
