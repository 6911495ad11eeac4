"""FastAPI as its own pages write it: the floor of the row `checked`."""

import sys
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from benchmarks.servers.asgi import serve

app = FastAPI()


class Owner(BaseModel):
    """Whose task it is."""

    model_config = ConfigDict(extra="forbid")

    name: str
    age: Annotated[int, Field(ge=0)]


class Note(BaseModel):
    """A note on a task."""

    text: str


class TaskModel(BaseModel):
    """A task that fits."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=200)]
    done: bool = False
    priority: Annotated[int, Field(ge=0, le=9)] = 5
    tags: Annotated[list[str], Field(max_length=10)]
    owner: Owner
    notes: list[Note]


@app.post("/lists/{list_id}/tasks")
async def create(list_id: int, task: TaskModel) -> Any:
    """Answer the task with its defaults."""
    del list_id
    return task


if __name__ == "__main__":
    serve(app, int(sys.argv[1]))
