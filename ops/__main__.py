"""`elruso`, also as `python -m ops`: a look at what would be imported, then the command line."""

import sys

from ops.config import environment_language
from ops.environment_transfer import receive_environment
from ops.errors import OperatorError
from ops.messages import translate
from ops.private_process import become_private
from ops.strangers import refuse_strangers


def main() -> None:
    """Run the command line and end the process with its exit status."""
    become_private()
    receive_environment()
    try:
        refuse_strangers()
    except OperatorError as error:
        sys.exit(translate(error.key, environment_language(), **error.facts))
    from ops.cli import main as command_line  # not earlier: it imports what a stranger would hide

    command_line()


if __name__ == "__main__":
    main()
