"""TASKS.json and REQUESTS.json, and the log: push, pull.

push         files -> log: what differs becomes events, all or nothing
pull         log -> files: what they say becomes what the log says
files        both files at once: which they are, what is done with them
list_file    a JSON file with a list in it, read and replaced whole
task_entry   one task as it stands in TASKS.json
task_plan    what pushing TASKS.json comes to; pure
tasks        tasks in the log, read and written
request_plan, requests    the same for REQUESTS.json
report       what is said about it
"""
