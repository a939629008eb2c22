"""`elruso`, also as `python -m ops`: a look at what would be imported, then the command line."""

import sys

from ops.config import environment_language, set_libpq_variables_aside
from ops.environment_transfer import receive_environment
from ops.errors import OperatorError
from ops.messages import translate
from ops.private_process import become_private
from ops.standard_streams import prepare_standard_streams
from ops.strangers import refuse_strangers
from ops.text_encoding import require_utf8


def main() -> None:
    """Run the command line and end the process with its exit status."""
    prepare_standard_streams()
    require_utf8()
    become_private()
    receive_environment()
    set_libpq_variables_aside()
    try:
        refuse_strangers()
    except OperatorError as error:
        sys.exit(translate(error.key, environment_language(), **error.facts))
    from ops.cli import main as command_line  # not earlier: it imports what a stranger would hide

    command_line()


if __name__ == "__main__":
    main()
