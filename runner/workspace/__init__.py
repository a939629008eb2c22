"""Where a run works, and how what it made becomes part of the operator's repository.

workspaces.py        opens and closes one workspace per run
scratch.py           without a repository: an empty directory
git_workspace.py     with one:
  repository.py        the operator's repository: read, and written by compare-and-swap only
  branch_claim.py      one run at a time on a branch; the log decides when it moves
  working_copy.py      the files of a run, and the git directory of ours that records them
  step_repository.py   the `.git` that the steps see
  copy_pool.py         working copies that wait for their next run
  snapshot.py          what a run changed, as a commit; survey.py, submodules.py: what to look out for
  changes.py           the same as a list, a patch and a diffstat
run_directory.py     a locked directory per run; aside.py: what is kept; trash.py: what is removed
"""

from runner.workspace.workspaces import Workspace, WorkspacePolicy, Workspaces

__all__ = ["Workspace", "WorkspacePolicy", "Workspaces"]
