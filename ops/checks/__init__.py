"""What `elruso doctor` examines, one module per subject. Each check yields findings; CHECKS lists them in order.

finding      one result: fine, a note, or something to mend
settings     misspelt and unknown variables
workspace    git, and the folder that tasks work in
vault        does it open, which credentials have no value
steps        what holds the processes of a step on this system
database     server, schema, forgotten transactions
work         runners, agent, blocked tasks
"""

from collections.abc import AsyncIterator, Callable

from ops.checks.database import check_database
from ops.checks.finding import Finding
from ops.checks.settings import check_settings
from ops.checks.steps import check_steps
from ops.checks.vault import check_vault
from ops.checks.work import check_agent, check_work
from ops.checks.workspace import check_git, check_workspace
from ops.config import Config

Check = Callable[[Config], AsyncIterator[Finding]]

CHECKS: tuple[Check, ...] = (
    *(check_settings, check_git, check_workspace, check_agent),
    *(check_vault, check_steps, check_database, check_work),
)
