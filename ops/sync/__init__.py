"""TASKS.json and REQUESTS.json, and the log: push, pull.

push         files -> log: what differs becomes events, all or nothing
pull         log -> files: what they say becomes what the log says
task_plan    what a push comes to; pure
task_entry   one task as it stands in the file
tasks        tasks in the log, read and written
list_file    a JSON file with a list in it, read and replaced whole
report       what is said about it
"""
