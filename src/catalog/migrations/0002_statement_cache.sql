-- What was kept of an equal statement before: nothing, its plan, or its rows. No statement before this step had any of it.
ALTER TABLE statement ADD COLUMN cache TEXT NOT NULL DEFAULT 'none' CHECK (cache IN ('none', 'plan', 'result'));
