-- How long a statement waited for a place among those that run, before it started or gave up. No statement before this step says.
ALTER TABLE statement ADD COLUMN queued_ms INTEGER;
