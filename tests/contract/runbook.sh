#!/usr/bin/env bash
# The curl and jq lines of the first El Ruso's runbook, as they stand there, on $API_BASE_URL. $1 a run, $2 a task that failed.
# Each line is printed before what it answers; the first that fails ends the script.
set -eo pipefail
run_id=$1 task_id=$2
say() { printf '== %s\n' "$1"; }
say metrics; curl -s "$API_BASE_URL/ops/metrics" | jq .
say runners; curl -s "$API_BASE_URL/ops/runner/status" | jq .
say statuses; curl -s "$API_BASE_URL/ops/tasks" | jq -c '.data | group_by(.status) | map({status:.[0].status, count:length})'
say ready; curl -s "$API_BASE_URL/ops/tasks?status=ready" | jq '.data | length'
say running; curl -s "$API_BASE_URL/ops/tasks?status=running" | jq '.data[]'
say runs; curl -s "$API_BASE_URL/runs" | jq -c '.data[:5] | .[] | {id,task_id,status,started_at}'
say run; curl -s "$API_BASE_URL/runs/$run_id" | jq .
say directives; curl -s "$API_BASE_URL/ops/directives" | jq -c '.data[] | {id,title,status}'
say pending; curl -s "$API_BASE_URL/ops/directives" | jq '.data[] | select(.status=="PENDING")'
say numbers; curl -s "$API_BASE_URL/ops/metrics" | jq -c "{tasks:.data.tasks, runners:.data.runners}"
say first; curl -s "$API_BASE_URL/runs" | jq '.data[0:3]'
say failed; curl "$API_BASE_URL/runs" 2>/dev/null | jq '.data[] | select(.status=="failed")'
say steps; curl -s "$API_BASE_URL/runs/$run_id" | jq -c .data.steps
say errors; curl -s "$API_BASE_URL/ops/tasks" | jq -r '.data[] | select(.last_error != null) | .last_error'
say requeue; curl -s -X POST "$API_BASE_URL/ops/tasks/$task_id/requeue" -d '{"backoff_seconds":10}' | jq -c '[.data.status, .data.attempts]'
say request; curl -s "$API_BASE_URL/ops/requests" | jq -r '.data[] | select(.id=="REQ-009") | .status'
say health; curl -s "$API_BASE_URL/health" && echo " ✓ API healthy"
say last; curl -s "$API_BASE_URL/runs" | jq -c '.data[0] | {id,task_id,status,started_at}'
say online; curl -s "$API_BASE_URL/ops/runner/status" | jq -r '.data[] | select(.status=="online") | .runner_id'
# What a panel does with times: seconds since 1970, of every run.
say seconds; curl -s "$API_BASE_URL/runs" | jq '[.data[] | (.started_at, .finished_at) | sub("\\.[0-9]{3}Z$"; "Z") | fromdate] | length'
