-- An index over what happens seldom, so that it is found at once among what happens often.
CREATE INDEX events_seldom ON log.events (type, seq)
    WHERE type <> ALL ('{task.created,task.claimed,task.started,task.step,task.done,runner.heartbeat}');
