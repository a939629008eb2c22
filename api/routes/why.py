"""Why is a task not running?"""

from starlette.responses import Response

from api.call import Call
from api.envelope import answer_value
from api.wire.field import TaskId
from events.errors import NotFound


async def explain_task(call: Call, task_id: TaskId) -> Response:
    """Why a task is not running: reasons with a code, facts and a sentence, the decisive one first."""
    found = await call.live.board.why(task_id)
    if found is None:
        raise NotFound(f"there is no task {task_id}")
    return answer_value(found)
