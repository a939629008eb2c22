"""The workspace of a run, and how its result reaches the operator's repository.

workspaces.py        opens and closes one workspace per run
fitness.py           whether this machine is fit for runs
scratch.py           a run without a repository: an empty directory
git_workspace.py     a run in a repository:
  repository.py        the operator's repository: read, and written by compare-and-swap only
  branch_claim.py      one run at a time on a branch; the log decides when it moves
  working_copy.py      the files of a run, and the git directory that records them
  step_repository.py   the `.git` that the steps see
  copy_pool.py         idle working copies, for reuse
  snapshot.py          a run's changes as a commit; survey.py, submodules.py: what git would refuse
  changes.py           the changes as a list, a patch and a diffstat
run_directory.py     a locked directory per run
aside.py             work that no commit holds; trash.py: files to be removed
"""

from runner.workspace.workspaces import Workspace, WorkspacePolicy, Workspaces

__all__ = ["Workspace", "WorkspacePolicy", "Workspaces"]
