"""Tries the gateway with the client libraries that its users have.

    check.py ROUTELAB

starts the emulated providers of upstreams.toml and the gateway of gateway.toml in front of them,
both on free ports, and talks to it through the official `anthropic` and `openai` packages: answers,
streams, refusals, many at once, clients that leave. The examples of docs/live.md are run, too. Then
`/metrics` is read by the Prometheus project's own parser, and must tell of exactly what was done
here.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import anthropic
import openai
from prometheus_client.parser import text_string_to_metric_families

HERE = Path(__file__).parent
CLIENT_KEY = "key-of-the-client"
PROVIDER_KEY = "key-of-the-accounts"
QUESTION = [{"role": "user", "content": "Say something, please."}]


class Program:
    """A routelab command that runs until it is told to stop."""

    def __init__(self, binary, *arguments):
        environment = os.environ | {"CHECK_KEY": CLIENT_KEY, "CHECK_PROVIDER_KEY": PROVIDER_KEY}
        self.process = subprocess.Popen(
            [binary, *arguments, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.errors = []
        # A pipe that nobody empties would hold the program up.
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        line = self.process.stdout.readline()
        assert line, f"{arguments} did not start:\n{''.join(self.errors)}"
        self.started = json.loads(line)

    def _read(self):
        for line in self.process.stderr:
            self.errors.append(line)

    def wait_for(self, text):
        """Waits until a line on stderr has this text."""
        for _ in range(500):
            if any(text in line for line in self.errors):
                return
            time.sleep(0.02)
        raise AssertionError(f"no {text!r} in {self.errors}")

    def stop(self):
        """Stops it as an init system does, and returns its exit code and what it wrote."""
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=30)
        self.reader.join()
        return self.process.returncode, output


@contextmanager
def running(program):
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()


def raises(kind, call):
    """The error of this kind that a call raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


class Check:
    """What is tried, and how many requests of each end there were."""

    def __init__(self, base):
        self.base = base
        settings = {"api_key": CLIENT_KEY, "max_retries": 0, "timeout": 30}
        self.anthropic = anthropic.Anthropic(base_url=base, **settings)
        self.openai = openai.OpenAI(base_url=f"{base}/v1", **settings)
        self.settings = settings
        self.succeeded = 0
        self.failed = 0
        self.rejected = 0

    def anthropics_answers(self):
        for model in ["sonnet", "flash", "either"]:
            answer = self.anthropic.messages.create(
                model=model,
                max_tokens=30,
                system="Be brief.",
                messages=[
                    *QUESTION,
                    {"role": "assistant", "content": [{"type": "text", "text": "Something."}]},
                    {"role": "user", "content": [{"type": "text", "text": "More."}]},
                ],
            )
            assert answer.role == "assistant" and answer.model == model, answer
            assert answer.content[0].type == "text" and answer.content[0].text, answer
            assert answer.stop_reason in ("end_turn", "max_tokens"), answer
            assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, answer
            self.succeeded += 1

    def anthropics_streams(self):
        for model in ["sonnet", "flash"]:
            with self.anthropic.messages.stream(
                model=model, max_tokens=30, messages=QUESTION
            ) as stream:
                text = "".join(stream.text_stream)
                final = stream.get_final_message()
            assert text and text == final.content[0].text, (text, final)
            assert final.usage.output_tokens > 0, final
            self.succeeded += 1

    def openais_answers(self):
        for model in ["sonnet", "flash", "either"]:
            answer = self.openai.chat.completions.create(
                model=model,
                max_tokens=30,
                messages=[{"role": "system", "content": "Be brief."}, *QUESTION],
            )
            choice = answer.choices[0]
            assert answer.model == model and choice.message.content, answer
            assert choice.finish_reason in ("stop", "length"), answer
            usage = answer.usage
            assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0, usage
            self.succeeded += 1

    def openais_streams(self):
        for model in ["sonnet", "flash"]:
            chunks = list(
                self.openai.chat.completions.create(
                    model=model,
                    max_tokens=30,
                    messages=QUESTION,
                    stream=True,
                    stream_options={"include_usage": True},
                )
            )
            choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
            assert "".join(choice.delta.content or "" for choice in choices), chunks
            assert choices[-1].finish_reason in ("stop", "length"), chunks
            assert not chunks[-1].choices and chunks[-1].usage.completion_tokens > 0, chunks[-1]
            self.succeeded += 1

    def models_are_listed(self):
        expected = ["busy", "crowded", "either", "flash", "rare", "scarce", "sonnet"]
        assert sorted(model.id for model in self.openai.models.list()) == expected
        assert sorted(model.id for model in self.anthropic.models.list()) == expected

    def refusals(self):
        def ask(client=self.anthropic, model="sonnet", **more):
            return client.messages.create(
                model=model, max_tokens=30, messages=QUESTION, **more
            )

        def complete(client=self.openai, model="sonnet", **more):
            return client.chat.completions.create(model=model, messages=QUESTION, **more)

        stranger = self.settings | {"api_key": "key-of-nobody"}
        unknown = anthropic.Anthropic(base_url=self.base, **stranger)
        raises(anthropic.AuthenticationError, lambda: ask(unknown))
        unknown = openai.OpenAI(base_url=f"{self.base}/v1", **stranger)
        raises(openai.AuthenticationError, lambda: complete(unknown))
        error = raises(anthropic.NotFoundError, lambda: ask(model="opus"))
        assert "sonnet" in error.message, error
        raises(openai.NotFoundError, lambda: complete(model="opus"))
        raises(anthropic.BadRequestError, lambda: ask(extra_body={"temperature": 7}))
        error = raises(openai.BadRequestError, lambda: complete(logit_bias={"1": 1}))
        assert error.param == "logit_bias", error

    def overload(self):
        # Anthropic's 529; OpenAI has no status of its own for it, and says 503.
        error = raises(
            anthropic.APIStatusError,
            lambda: self.anthropic.messages.create(
                model="crowded", max_tokens=5, messages=QUESTION
            ),
        )
        assert error.status_code == 529, error
        assert error.body["error"]["type"] == "overloaded_error", error.body
        self.failed += 1
        error = raises(
            openai.InternalServerError,
            lambda: self.openai.chat.completions.create(model="crowded", messages=QUESTION),
        )
        assert error.status_code == 503, error
        self.failed += 1

    def rate_limits(self):
        def ask(model):
            return self.anthropic.messages.create(model=model, max_tokens=5, messages=QUESTION)

        def complete(model):
            return self.openai.chat.completions.create(model=model, messages=QUESTION)

        for model, call, kind in [
            ("scarce", ask, anthropic.RateLimitError),
            ("rare", complete, openai.RateLimitError),
        ]:
            call(model)
            self.succeeded += 1
            limited = raises(kind, lambda: call(model))
            self.failed += 1
            # The account is left alone until then, and nobody else serves the model.
            refused = raises(kind.__base__, lambda: call(model))
            assert refused.status_code == 503, refused
            self.rejected += 1
            for error in [limited, refused]:
                assert 1 <= int(error.response.headers["retry-after"]) <= 60, error.response.headers

    def many_at_once(self):
        async def all_of_them():
            ours = anthropic.AsyncAnthropic(base_url=self.base, **self.settings)
            theirs = openai.AsyncOpenAI(base_url=f"{self.base}/v1", **self.settings)
            asked = [
                ours.messages.create(model="either", max_tokens=20, messages=QUESTION)
                for _ in range(50)
            ] + [
                theirs.chat.completions.create(model="either", messages=QUESTION)
                for _ in range(50)
            ]
            return await asyncio.gather(*asked)

        assert len(asyncio.run(all_of_them())) == 100
        self.succeeded += 100

    def who_leaves_is_let_go(self):
        with self.anthropic.messages.stream(
            model="sonnet", max_tokens=4_000, messages=QUESTION
        ) as stream:
            next(iter(stream.text_stream))
        self.failed += 1
        for _ in range(250):
            if value(self.metrics(), "routelab_requests_in_flight") == 0:
                return
            time.sleep(0.02)
        raise AssertionError("still in flight")

    def metrics(self):
        with urllib.request.urlopen(f"{self.base}/metrics", timeout=10) as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            text = answer.read().decode()
        families = list(text_string_to_metric_families(text))
        assert len({family.name for family in families}) == len(families), "a family twice"
        for family in families:
            assert family.documentation, f"{family.name} has no HELP"
            assert family.type in ("counter", "gauge", "histogram"), family
            seen = {(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples}
            assert len(seen) == len(family.samples), f"{family.name}: a sample twice"
            if family.type == "histogram":
                buckets_rise(family)
        return families

    def metrics_agree(self):
        families = self.metrics()
        ended = Counter()
        for sample in samples(families, "routelab_requests_total"):
            ended[sample.labels["outcome"]] += sample.value
        assert ended == self.ends(), (ended, self.ends())

    def ends(self):
        return Counter(success=self.succeeded, failure=self.failed, rejection=self.rejected)


def samples(families, name):
    found = [sample for family in families for sample in family.samples if sample.name == name]
    assert found, f"no {name} among {[family.name for family in families]}"
    return found


def value(families, name):
    (sample,) = samples(families, name)
    return sample.value


def buckets_rise(family):
    """Buckets of each series are cumulative, and the last is the count."""
    series = {}
    for sample in family.samples:
        labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        kind = sample.name.removeprefix(family.name)
        if kind == "_bucket":
            bound = float(sample.labels["le"])
            series.setdefault(labels, {}).setdefault("buckets", []).append((bound, sample.value))
        else:
            series.setdefault(labels, {})[kind] = sample.value
    for labels, parts in series.items():
        buckets = parts["buckets"]
        assert buckets == sorted(buckets), (family.name, labels, buckets)
        assert [count for _, count in buckets] == sorted(count for _, count in buckets)
        assert buckets[-1][0] == float("inf") and buckets[-1][1] == parts["_count"], labels
        assert "_sum" in parts, labels


def documented(section, replaced):
    """Runs the curl commands of a section of docs/live.md, and yields what they print."""
    page = (HERE / "../../docs/live.md").read_text()
    (text,) = re.findall(rf"^## {section}$(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    for block in re.findall(r"```(?:sh)?\n(curl.*?)```", text, re.DOTALL):
        for command in block.split("\n\n"):
            for old, new in replaced.items():
                assert section != "The gateway" or old in page, old
                command = command.replace(old, new)
            command = command.replace("curl", "curl --silent --show-error", 1)
            done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30)
            assert done.returncode == 0, (command, done.stderr)
            yield command, done.stdout


def docs_are_true(check, providers):
    gateway = {"http://127.0.0.1:8080": check.base, "x-api-key: mine": f"x-api-key: {CLIENT_KEY}"}
    gateway["Bearer mine"] = f"Bearer {CLIENT_KEY}"
    shown = list(documented("The gateway", gateway))
    assert len(shown) == 5, len(shown)
    for command, output in shown:
        if "busy" in command:
            assert "529" in output and "overloaded_error" in output, output
            check.failed += 1
            continue
        assert '"error"' not in output and "tokens" in output or "[DONE]" in output, output
        assert output.startswith(("event:", "data:")) == ('"stream": true' in command), output
        check.succeeded += 1
    replaced = {
        "http://127.0.0.1:7070/claude-us-1": f"{providers}/claude",
        "http://127.0.0.1:7070/gemini-us-1": f"{providers}/gemini",
        '"large"': '"sonnet"',
        "models/small": "models/flash",
    }
    shown = list(documented("Emulated providers", replaced))
    assert len(shown) == 3, len(shown)
    for command, output in shown:
        assert '"error"' not in output and "usage" in output, (command, output)


def reloads(gateway, check, file):
    """SIGHUP takes a new list of accounts over; a broken file changes nothing."""
    text = file.read_text()
    file.write_text(text.replace('models = ["flash", "either"]', 'models = ["flash"]'))
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for("reloaded")
    check.anthropics_answers()
    file.write_text(text + "\n[wrong]\n")
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for("not reloaded")
    check.anthropics_answers()


def log_is_sound(gateway, requests):
    """Every request has a line of JSON, and no line has a key."""
    text = "".join(gateway.errors)
    for secret in [CLIENT_KEY, PROVIDER_KEY, "key-of-nobody", QUESTION[0]["content"]]:
        assert secret not in text, "a secret is in the log"
    lines = [json.loads(line) for line in gateway.errors if line.startswith("{")]
    logged = [line for line in lines if line["event"] == "request"]
    assert len(logged) == requests, (len(logged), requests)
    assert all(line["client"] == "check" for line in logged)


def main():
    binary = sys.argv[1]
    upstreams = str(HERE / "upstreams.toml")
    providers = Program(binary, "emulate", upstreams, "--listen", "127.0.0.1:0")
    with running(providers), tempfile.TemporaryDirectory() as folder:
        address = f"http://{providers.started['address']}"
        file = Path(folder) / "gateway.toml"
        file.write_text((HERE / "gateway.toml").read_text().replace("PROVIDERS", address))
        gateway = Program(binary, "serve", str(file))
        with running(gateway):
            check = Check(f"http://{gateway.started['listening']}")
            for step in [
                check.anthropics_answers,
                check.anthropics_streams,
                check.openais_answers,
                check.openais_streams,
                check.models_are_listed,
                check.refusals,
                check.overload,
                check.rate_limits,
                check.many_at_once,
                check.who_leaves_is_let_go,
            ]:
                print(f"  {step.__name__.replace('_', ' ')}", flush=True)
                step()
            print("  docs", flush=True)
            docs_are_true(check, address)
            print("  reload", flush=True)
            reloads(gateway, check, file)
            print("  metrics, log, end", flush=True)
            check.metrics_agree()
            code, _ = gateway.stop()
            assert code == 0, (code, gateway.errors[-5:])
            log_is_sound(gateway, sum(check.ends().values()))
        code, output = providers.stop()
        assert code in (0, 130), code
        assert re.search(r'"strangers":\s*\d+', output), output
    versions = f"anthropic {anthropic.__version__}, openai {openai.__version__}"
    ends = ", ".join(f"{count} {end}" for end, count in check.ends().items())
    print(f"clients: all as it should be: {ends} ({versions})")


if __name__ == "__main__":
    main()
