#!/usr/bin/env bash
# A runner as the first El Ruso's scripts/runner_daemon.sh was: curl and jq, one task a round, no heartbeat while it works.
# Usage: API_BASE_URL=… runner.sh WORKER [FOLLOW_UP]
# FOLLOW_UP: what it says of the task after a failed run: retry (default), requeue, failed, blocked; or a word of these
# before the run, as in failed-first. Prints the task as it was answered last.
set -euo pipefail
worker=$1 follow_up=${2:-retry}
now() { date -u +%Y-%m-%dT%H:%M:%S.%3NZ; }
call() {  # METHOD PATH BODY: the answer; an answer that is no success ends the script
    local answer
    answer=$(curl -s -X "$1" "$API_BASE_URL$2" -d "$3")
    if [[ $(jq -r .ok <<<"$answer") != true ]]; then echo "$1 $2: $answer" >&2; exit 1; fi
    printf '%s' "$answer"
}
report_task() {  # the same end once more, by the task
    local last
    last=$(jq -n --arg at "$(now)" --arg worker "$worker" --argjson attempts "$attempt" \
        '{last_error: "boom", attempts: $attempts, finished_at: $at, claimed_by: null, claimed_at: null}')
    case ${follow_up%-first} in
        requeue) call POST "/ops/tasks/$task/requeue" '{"backoff_seconds": 0, "last_error": "boom"}' ;;
        retry) call PATCH "/ops/tasks/$task" "$(jq '. + {status: "ready", finished_at: null, attempts: 0}' <<<"$last")" ;;
        *) call PATCH "/ops/tasks/$task" "$(jq --arg status "${follow_up%-first}" '. + {status: $status}' <<<"$last")" ;;
    esac
}
end_run() { call PATCH "/runs/$run" "{\"status\": \"failed\", \"summary\": \"boom\", \"finished_at\": \"$(now)\"}" >/dev/null; }

call POST /ops/runner/heartbeat "{\"runner_id\": \"$worker\", \"status\": \"online\", \"meta\": {\"hostname\": \"vm\"}}" >/dev/null
claimed=$(call POST /ops/tasks/claim "{\"runner_id\": \"$worker\"}")
task=$(jq -r '.data.id // empty' <<<"$claimed")
[[ -n $task ]] || { echo null; exit; }
attempt=$(jq .data.attempts <<<"$claimed")
run=$(call POST /runs "$(jq -n --arg task "$task" '{task_id: $task, branch: "main", commit_hash: "0123abc"}')" | jq -r .data.id)
failed=0
while read -r step; do
    name=$(jq -r .name <<<"$step") cmd=$(jq -r .cmd <<<"$step")
    began=$(now) code=0
    output=$(bash -c "$cmd" 2>&1) || code=$?
    call POST "/runs/$run/steps" "$(jq -n --arg name "$name" --arg cmd "$cmd" --arg output "$output" --arg began "$began" \
        --arg ended "$(now)" --argjson code "$code" '{step_name: $name, cmd: $cmd, exit_code: $code, output_excerpt: $output,
        status: (if $code == 0 then "success" else "failed" end), started_at: $began, finished_at: $ended}')" >/dev/null
    [[ $code == 0 ]] || { failed=1; break; }
done < <(jq -c '.data.steps[]' <<<"$claimed")
if ((failed)); then
    [[ $follow_up == *-first ]] && { report_task >/dev/null; end_run; } || { end_run; report_task >/dev/null; }
else
    call PATCH "/runs/$run" "$(jq -n --arg at "$(now)" '{status: "done", summary: "ok", finished_at: $at,
        file_changes: [{path: "README.md", change_type: "modified", diffstat: "1 +"}]}')" >/dev/null
    call PATCH "/ops/tasks/$task" "{\"status\": \"done\", \"finished_at\": \"$(now)\", \"worker_id\": \"$worker\"}" >/dev/null
fi
call GET "/ops/tasks/$task" ''
