"""The VLM of a checkpoint behind OpenAI's chat completions, asked in this process."""

import asyncio
import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import uamsim.models
from uamsim.serving.chat import ChatServer
from uamsim.serving.chat_model import ChatModel
from uamsim.serving.chat_requests import ChatLimits, ChatRequest
from uamsim.serving.policy import VLMAnswerer

SHIPPED = Path(uamsim.models.__file__).parent / "shipped"
QUESTIONS = ("what colour is the cube?", "how many things are there?", "红色的是什么？")


def checkpoint():
    return next(SHIPPED.glob("vlm-*")) / "model.safetensors"


@pytest.fixture(scope="module")
def model():
    return ChatModel(checkpoint())


@pytest.fixture(scope="module")
def client(model):
    limits = ChatLimits(max_body_bytes=200_000, max_pixels=100_000, max_pictures=2)
    return TestClient(ChatServer(model, limits, batch_size=2).app)


@pytest.fixture(scope="module")
def pictures(model):
    height, width = model.image_size
    return np.random.default_rng(0).integers(0, 255, (3, height, width, 3), np.uint8)


def data_uri(picture, kind="png"):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def asking(text, *uris, **fields):
    parts = [{"type": "image_url", "image_url": {"url": uri}} for uri in uris]
    content = [*parts, {"type": "text", "text": text}]
    return {"model": "uamsim", "messages": [{"role": "user", "content": content}], **fields}


def ask(client, text, *uris, **fields):
    answer = client.post("/v1/chat/completions", json=asking(text, *uris, **fields))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_answers_are_those_that_retention_hears(client, pictures):
    expected = VLMAnswerer(checkpoint()).answer(pictures, QUESTIONS)
    for picture, question, answer in zip(pictures, QUESTIONS, expected, strict=True):
        got = ask(client, question, data_uri(picture), temperature=0)
        assert got["choices"][0]["message"] == {"role": "assistant", "content": answer}
        assert got["usage"]["completion_tokens"] > 0


def test_requests_that_wait_share_a_call(model, pictures, monkeypatch):
    sizes = []
    reply = model.reply
    monkeypatch.setattr(model, "reply", lambda rows: sizes.append(len(rows)) or reply(rows))
    requests = [ChatRequest(text=QUESTIONS[0], pictures=[picture]) for picture in pictures]
    alone = [reply([request])[0].text for request in requests]

    async def together():
        server = ChatServer(model, batch_size=4)
        return await asyncio.gather(*(server.ask(r, model.key(r)) for r in requests))

    assert [found.text for found in asyncio.run(together())] == alone
    assert sizes == [4]


def test_several_pictures_and_none(client, pictures):
    alone = ask(client, QUESTIONS[0])
    two = ask(client, QUESTIONS[0], *(data_uri(p) for p in pictures[:2]))
    assert two["usage"]["prompt_tokens"] > alone["usage"]["prompt_tokens"]


def test_a_harness_request_is_understood(client, pictures):
    """The form of lmms-eval 0.7.3's ``openai`` model, and a system message as VLMEvalKit sends."""
    payload = asking("Answer with one word.\nwhat colour is it?", data_uri(pictures[0]))
    payload["messages"].insert(0, {"role": "system", "content": "You look at pictures."})
    payload |= {"max_tokens": 16, "temperature": 0, "stop": None, "n": None}
    answer = client.post("/v1/chat/completions", json=payload)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"]


def test_length_stop_and_temperature(client, pictures):
    uri = data_uri(pictures[0])
    whole = ask(client, QUESTIONS[0], uri)["choices"][0]["message"]["content"]
    short = ask(client, QUESTIONS[0], uri, max_tokens=1)
    assert short["choices"][0]["finish_reason"] == "length"
    assert short["usage"]["completion_tokens"] == 1
    stopped = ask(client, QUESTIONS[0], uri, stop=whole[1:])["choices"][0]
    assert stopped["message"]["content"] == whole[:1]
    hot = [
        ask(client, QUESTIONS[0], uri, temperature=2, seed=seed)["choices"][0]["message"]
        for seed in (1, 1, 2)
    ]
    assert hot[0] == hot[1] != hot[2]


def bomb():
    """A small file that says that it is a huge picture."""
    file = io.BytesIO()
    Image.new("1", (6000, 6000)).save(file, "png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


PIXEL = data_uri(np.zeros((1, 1, 3), np.uint8))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"3", "JSON object"),
        ({}, "messages"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, "assistant"),
        ({"messages": [{"role": "user", "content": [{"type": "audio"}]}]}, "audio"),
        ({"messages": [{"role": "user", "content": ["text"]}]}, "parts"),
        (asking(" "), "a question"),
        (asking("\ud800"), "Unicode"),
        (asking("a" * 5000), "4096 bytes"),
        (asking("a", "https://example.com/a.png"), "fetches nothing"),
        (asking("a", 3), "fetches nothing"),
        (asking("a", "data:image/svg+xml;base64,AAAA"), "image/svg"),
        (asking("a", "data:image/png;base64,!!!!"), "no image/png"),
        (asking("a", "data:image/png;base64,AAAA"), "no image/png"),
        (asking("a", PIXEL.replace("png", "jpeg", 1)), "no image/jpeg"),
        (asking("a", PIXEL[:-40]), "no image/png"),
        (asking("a", bomb()), "at most 100000 pixels"),
        (asking("a", PIXEL, PIXEL, PIXEL), "at most 2 pictures"),
        (asking("a", stream=True), "stream"),
        (asking("a", n=2), "n=2"),
        (asking("a", max_tokens=0), "max_tokens"),
        (asking("a", temperature="hot"), "temperature"),
        (asking("a", temperature=1, top_p=0.5), "top_p"),
        (asking("a", stop=[""]), "stop"),
        (asking("a", seed=2**70), "seed"),
    ],
)
def test_what_is_wrong_is_said(client, body, told):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    answer = client.post("/v1/chat/completions", content=content, headers=headers)
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["error"]["message"]


def test_who_is_let_in(model, client):
    assert client.get("/v1/models").json()["data"][0]["id"] == model.name
    assert client.get("/v1/models", headers={"origin": "https://a.example"}).status_code == 403
    assert client.get("/v1/chat/completions").status_code == 405
    assert client.post("/v1/chat/completions", content=b"{}").status_code == 415
    assert client.post("/v1/chat/completions", json={"a": "b" * 200_000}).status_code == 413
    guarded = TestClient(ChatServer(model, token="secret").app)
    assert guarded.get("/healthz").text == "OK\n"
    assert guarded.get("/v1/models").status_code == 401
    told = {"authorization": "Bearer secret"}
    assert guarded.get("/v1/models", headers=told).status_code == 200
