"""The panel: the operator's window. Server-rendered pages, one stylesheet, one script, nothing from elsewhere.

pages       every page on one screen
page        one row of that table, and how a request becomes the call of its handler
visit       one request, as a handler sees it
door        who is there: the cookie of a signed-in browser, and forms of this site only
paper       templates -> responses, with the headers that all of them have
harmless    text of strangers, shown so that it does nothing
moments     times, durations, numbers, in words
charts      bars and sparklines, as numbers for SVG
dag         where the boxes and arrows of a picture of tasks stand
ansi        terminal output -> HTML
patch       a patch -> files, hunks, lines
live        the event stream, made small
texts/      what the panel says, in Spanish and English
templates/  one file per page, and what they share
static/     the stylesheet, the script, the icon

The handlers: home, tasks, bulk, runs, run, traces, runners, directives, planner, requests, log, session, static_files.
"""
