"""Secrets of Values never reach the file of a RunStore: not by its journal, the logs of attempts, nor errors."""

from pathlib import Path

from heddle.extensions.tasks.run_stores.runs import open_runs
from heddle.extensions.tasks.status import RunStatus
from heddle.runtime.runtime import Runtime
from heddle.specs.model.mask import MASK
from tests.extensions.tasks import durable_tasks
from tests.extensions.tasks.test_durable import node_of, story, until, until_status
from tests.support import stored

SECRET = "hunter2-of-the-bank"
HERE = "tests.extensions.tasks.durable_tasks"

FLOW = f"""\
- kind: workflow
  name: part
  params: {{P: {{type: string}}}}
  tasks:
    - {{name: inner, run: '{HERE}:shout_quietly', inputs: {{text: {{value: '{{{{ P }}}}'}}}}}}
- {{name: key, secret: true, data: {SECRET}}}
- {{kind: run-store, name: main, url: 'URL'}}
- {{kind: workflow, name: filled, durable: main, uses: part, with: {{P: '{{{{ KEY }}}}'}}, env: {{KEY: {{name: key}}}}}}
- kind: workflow
  name: report
  durable: main
  env: {{KEY: {{name: key}}}}
  inputs: {{day: {{type: string}}}}
  tasks:
    - {{name: used, inputs: {{day: in.day}}, do: {{kind: snippet, language: cel, code: "'{{{{ KEY }}}}' != self.day"}}}}
    - {{name: printed, run: '{HERE}:shout_quietly', inputs: {{text: {{value: '{{{{ KEY }}}}'}}, after: used}}}}
    - {{name: slow, run: '{HERE}:wait', inputs: {{name: {{value: slow}}, value: printed}}}}
    - {{name: made, after: [printed], do: {{kind: workflow, uses: part, with: {{P: '{{{{ KEY }}}}'}}}}}}
    - {{name: failed, retry: {{attempts: 2, delay: 1ms}}, run: '{HERE}:fail_with', inputs: {{text: {{value: '{{{{ KEY }}}}'}}, after: slow}}}}
"""


def everything_in(folder: Path) -> bytes:
    """Return all bytes of all files of a RunStore."""
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


def test_secrets_of_values_never_reach_the_file_of_a_run_store(tmp_path: Path) -> None:
    """While a run goes on, after a restart in the midst of it, and once it has failed."""

    async def work() -> None:
        path = tmp_path / "runs.sqlite"
        text = FLOW.replace("URL", str(path))
        async with Runtime(store=stored(text), drain=1.0) as runtime:
            await runtime.send("filled", {})
            await node_of(runtime).durable.begin({"day": "monday"})
            await until(lambda: durable_tasks.done.count("slow") == 1)
            assert SECRET.encode() not in everything_in(tmp_path)
        assert SECRET.encode() not in everything_in(tmp_path)
        async with Runtime(store=stored(text), drain=1.0) as runtime:
            await until(lambda: durable_tasks.done.count("slow") == 2)
            durable_tasks.gates["slow"].set()
            async with open_runs(str(path)) as runs:
                failed = await until_status(runs, RunStatus.FAILED)
                printed = [text for *_, text in await runs.logs(failed.id)]
                assert printed == [f"the text is {MASK}\n"] * 2
                assert failed.error is not None
                assert failed.error.message == f"cannot log in with {MASK}"
        assert SECRET.encode() not in everything_in(tmp_path)

    story(work())
