"""What a step may see of the runner's environment."""

from runner.environment import child_environment


def test_only_the_base_and_what_was_granted_is_passed_on() -> None:
    """A step sees PATH, HOME and their like, the granted variables, and its task and run; nothing else."""
    parent = {"PATH": "/bin", "HOME": "/home/me", "DATABASE_URL": "postgres://…", "GIT_DIR": "/elsewhere"}
    assert child_environment(parent, {"API_KEY": "granted"}, "T1", 7) == {
        "PATH": "/bin",
        "HOME": "/home/me",
        "API_KEY": "granted",
        "ELRUSO_TASK_ID": "T1",
        "ELRUSO_RUN_ID": "7",
    }


def test_a_grant_cannot_change_which_run_it_is() -> None:
    """The task and run ids win over a granted variable of the same name."""
    assert child_environment({}, {"ELRUSO_RUN_ID": "8"}, "T1", 7)["ELRUSO_RUN_ID"] == "7"


def test_a_step_always_has_a_path() -> None:
    """Even a runner without PATH gives its steps one."""
    assert "/usr/bin" in child_environment({}, {}, "T1", 7)["PATH"]
