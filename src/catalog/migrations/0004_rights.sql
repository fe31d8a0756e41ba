-- What a token leaves of its login's rights; `{}` leaves all.
ALTER TABLE access_token ADD COLUMN scope TEXT NOT NULL DEFAULT '{}';

-- The token that a session was opened with: it carries no more than that, and ends with it.
ALTER TABLE session ADD COLUMN token TEXT REFERENCES access_token (id);

-- Who a login is at an OpenID provider, as issuer and subject. Such a login has no password here.
ALTER TABLE login ADD COLUMN subject TEXT;
CREATE UNIQUE INDEX login_of_subject ON login (subject) WHERE subject IS NOT NULL;

-- Somebody asked that it be stopped; the process that runs it looks.
ALTER TABLE statement ADD COLUMN stop_asked INTEGER NOT NULL DEFAULT 0 CHECK (stop_asked IN (0, 1));
