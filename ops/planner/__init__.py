"""The planner: shows a model the project and turns its answer into directives.

    material     what is known of the project, read from the views and the memory files
    prompt       material -> what the model is asked: pure, bounded, redacted
    sections     the parts of a prompt, each cut to its share
    schema       the Structs of an answer -> the JSON schema the model must keep to
    model        one question to an OpenAI-compatible server, through the official client
    judgement    answer -> drafts, refusals, and what the model should mend
    flight       one run at a time, visible while it is under way
    planner      a run from the beginning to the event that tells of it

A run writes nothing until its answer has been judged; then one transaction writes everything. Killed at any moment
before, it leaves nothing behind.
"""
