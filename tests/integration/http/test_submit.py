"""Submitting jobs: the 202, form fields, media checks, price and idempotency."""

import asyncio
import io
from collections.abc import AsyncIterator

import av
import httpx
import pytest

from serve_app.http.app import create_app
from serve_app.model_pool.status import RosterEntry
from serve_app.services import Services, build_services
from serve_app.settings import Settings
from tests.support.calls import JOBS, error, submit
from tests.support.fakes import RecordedNotifications
from tests.support.world import SAMPLE, Customer, new_customer, tone


async def test_a_submit_answers_202_as_the_reference_says(client: httpx.AsyncClient, customer: Customer) -> None:
    """The 202 has exactly the documented fields."""
    response = await submit(client, customer, seconds=61)
    body = response.json()
    assert response.status_code == 202
    job_id = body["job_id"]
    assert len(job_id) == 24
    assert body == {
        "job_id": job_id,
        "status": "queued",
        "credits_charged": 2,
        "credits_remaining": 98,
        "status_url": f"/v1/jobs/{job_id}",
        "events_url": f"/v1/jobs/{job_id}/events",
    }


async def test_an_accepted_job_is_dispatched_to_the_executor(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """The dispatcher is notified once, after the commit."""
    await submit(client, customer)
    assert services.dispatcher.notifications == 1  # type: ignore[attr-defined]


async def test_an_empty_balance_gets_the_402_of_the_reference(client: httpx.AsyncClient, services: Services) -> None:
    """The body holds the price and the pricing page, and nothing is charged."""
    poor = await new_customer(services.database, credits_=0)
    response = await submit(client, poor, seconds=61)
    detail = response.json()["detail"]
    assert response.status_code == 402
    assert detail["error"] == "insufficient_credits"
    assert detail["credits_needed"] == 2
    assert detail["message"] == "Credit balance exhausted. Subscribe to continue."
    assert detail["credits_remaining"] == 0
    assert detail["upgrade_url"].endswith("/pricing")
    assert (await client.get("/v1/credits/ledger", headers=poor.headers)).json()["data"] == []


@pytest.mark.parametrize(("left", "told"), [(1, "1 credit is left"), (2, "2 credits are left")])
async def test_a_402_with_credits_left_says_how_many(
    client: httpx.AsyncClient, services: Services, left: int, told: str
) -> None:
    """The message and the fields hold what is needed and what is left. A job that fits is still accepted."""
    poor = await new_customer(services.database, credits_=left)
    detail = (await submit(client, poor, seconds=121)).json()["detail"]
    assert detail["message"] == f"The job costs 3 credits and {told}. Subscribe to continue."
    assert (detail["credits_needed"], detail["credits_remaining"]) == (3, left)
    assert (await submit(client, poor)).json()["credits_remaining"] == left - 1


@pytest.mark.parametrize(
    ("fields", "files", "field"),
    [
        ({"role_title": "x"}, {"other": b"1"}, "file"),
        ({}, {"file": b"1"}, "role_title"),
        ({"role_title": "   "}, {"file": b"1"}, "role_title"),
        ({"role_title": "x" * 201}, {"file": b"1"}, "role_title"),
        ({"role_title": "x", "num_speakers": "many"}, {"file": b"1"}, "num_speakers"),
        ({"role_title": "x", "duration_s": "-1"}, {"file": b"1"}, "duration_s"),
        ({"role_title": "x", "file": "not a file"}, {"other": b"1"}, "file"),
    ],
)
async def test_a_bad_form_gets_422_naming_the_field(
    client: httpx.AsyncClient, customer: Customer, fields: dict[str, str], files: dict[str, bytes], field: str
) -> None:
    """The error names the missing or wrong field."""
    response = await client.post(JOBS, data=fields, files=files, headers=customer.headers)
    assert (response.status_code, error(response)) == (422, "invalid_field")
    assert response.json()["detail"]["field"] == field


async def test_a_body_that_is_not_a_form_gets_422(client: httpx.AsyncClient, customer: Customer) -> None:
    """JSON, an empty body and broken multipart get 422."""
    for headers, body in (
        ({"Content-Type": "application/json"}, b"{}"),
        ({}, b""),
        ({"Content-Type": "multipart/form-data"}, b"x"),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b\r\nbroken"),
    ):
        response = await client.post(JOBS, content=body, headers=customer.headers | headers)
        assert response.status_code == 422, (headers, response.text)
        error(response)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(b"", "media_unreadable", id="nothing"),
        pytest.param(b"\0" * 5000, "media_unreadable", id="zeros"),
        pytest.param(b"RIFF....WAVE", "media_unreadable", id="a bare head"),
        pytest.param(b"<html>not found</html>" * 100, "media_unreadable", id="a page"),
        pytest.param(tone(0), "media_unreadable", id="a WAV without a sample"),
        pytest.param(tone(0.2), "media_too_short", id="a blink"),
    ],
)
async def test_a_file_that_is_no_recording_is_refused_before_charging(
    client: httpx.AsyncClient, customer: Customer, content: bytes, code: str
) -> None:
    """The error code says what is wrong with the file, and no credit is charged."""
    response = await client.post(
        JOBS, data={"role_title": "x"}, files={"file": ("a.mp3", content)}, headers=customer.headers
    )
    assert (response.status_code, error(response)) == (422, code)
    assert (await submit(client, customer)).json()["credits_remaining"] == 99


async def test_the_same_idempotency_key_gets_the_same_answer(client: httpx.AsyncClient, customer: Customer) -> None:
    """A repeat gets the same response, one job and one charge; another body gets 422."""
    headers = {"Idempotency-Key": "upload-1"}
    first, second = [await submit(client, customer, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert (await submit(client, customer)).json()["credits_remaining"] == 98
    third = await submit(client, customer, seconds=3, headers=headers)
    assert third.status_code == 422


async def test_metadata_comes_back_as_it_was_sent(client: httpx.AsyncClient, customer: Customer) -> None:
    """A JSON object is returned unchanged; other JSON gets 422."""
    job_id = (await submit(client, customer, metadata='{"candidate": 17, "tags": ["a"]}')).json()["job_id"]
    job = (await client.get(f"/v1/jobs/{job_id}", headers=customer.headers)).json()
    assert job["metadata"] == {"candidate": 17, "tags": ["a"]}
    refused = await submit(client, customer, metadata="[1]")
    assert (refused.status_code, refused.json()["detail"]["field"]) == (422, "metadata")


async def test_models_are_prefetched_while_the_recording_is_uploaded(
    client: httpx.AsyncClient, services: Services, customer: Customer
) -> None:
    """Prefetching starts after the key check and before the body arrives."""
    dispatcher = services.dispatcher
    assert isinstance(dispatcher, RecordedNotifications)
    seen: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        yield b"--x\r\n"
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(dispatcher.prefetches)
            yield b'Content-Disposition: form-data; name="role_title"\r\n\r\nEngineer\r\n--x\r\n'

    headers = {"content-type": "multipart/form-data; boundary=x"}
    await client.post("/v1/recruitscreen/jobs", headers=headers, content=body())
    assert (dispatcher.prefetches, seen) == (0, [])
    await client.post("/v1/recruitscreen/jobs", headers=headers | customer.headers, content=body())
    assert seen == [1, 1, 1]


@pytest.mark.parametrize("hint", ["1", "86400"])
async def test_the_recording_decides_over_the_callers_duration(
    client: httpx.AsyncClient, customer: Customer, hint: str
) -> None:
    """`duration_s` is a hint: price and length are those of the file."""
    accepted = (await submit(client, customer, seconds=61, duration_s=hint)).json()
    assert accepted["credits_charged"] == 2
    job = (await client.get(accepted["status_url"], headers=customer.headers)).json()
    assert job["duration_s"] == 61.0


async def test_a_picture_is_refused_as_unreadable_media(client: httpx.AsyncClient, customer: Customer) -> None:
    """A PNG gets 422 before anything is charged, and the message names audio formats."""
    pixel = bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301"
        "0100c9fe92ef0000000049454e44ae426082"
    )
    files = {"file": ("frame.png", pixel)}
    response = await client.post(JOBS, data={"role_title": "x"}, files=files, headers=customer.headers)
    assert response.status_code == 422
    assert error(response) == "media_unreadable"
    assert "audio" in response.json()["detail"]["message"]
    assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 100


async def test_a_video_without_sound_is_refused_as_having_no_audio_track(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """A silent MP4 gets 422 before anything is charged."""
    response = await client.post(
        JOBS, data={"role_title": "x"}, files={"file": ("mute.mp4", mute_video())}, headers=customer.headers
    )
    assert (response.status_code, error(response)) == (422, "no_audio_track")
    assert "audio" in response.json()["detail"]["message"]
    assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 100


def mute_video() -> bytes:
    """Two seconds of black video without an audio track."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(20):
            out.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        out.mux(stream.encode())
    return file.getvalue()


async def test_a_real_recording_is_charged_by_its_measured_length(
    client: httpx.AsyncClient, customer: Customer
) -> None:
    """The bundled sample lasts 1:49, which is two started minutes."""
    files = {"file": ("a.ogg", SAMPLE.read_bytes())}
    response = await client.post(JOBS, data={"role_title": "x"}, files=files, headers=customer.headers)
    assert response.json()["credits_charged"] == 2


async def test_a_language_that_the_models_do_not_know_is_refused(settings: Settings) -> None:
    """The 422 names the languages of the deployment; nothing is stored or charged, also in a demo."""
    roster = [RosterEntry("asr", "fake-asr", 1, ("en", "nl"))]
    services = build_services(settings, RecordedNotifications(), roster)
    customer = await new_customer(services.database)
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for language in ("de", "yue"):
            refused = [
                await submit(client, customer, language=language),
                await client.post(
                    "/v1/demo/recruitscreen/jobs",
                    data={"role_title": "Engineer", "language": language},
                    files={"file": ("call.wav", tone(2))},
                ),
            ]
            for response in refused:
                assert (response.status_code, error(response)) == (422, "invalid_field")
                assert response.json()["detail"]["field"] == "language"
                assert "en, nl" in response.json()["detail"]["message"]
        assert (await client.get("/v1/credits", headers=customer.headers)).json()["balance"] == 100
        assert await services.blobs.older_than(0) == []
        assert (await submit(client, customer, language="nl")).status_code == 202
    await services.close()
