-- Limits that a stranger cannot turn into a lock-out: known devices, and the site's budget of wrong codes.

CREATE TABLE devices (
    hash    BYTEA PRIMARY KEY,                             -- SHA-256 of the value that the browser has for this account
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    epoch   BIGINT NOT NULL,
    made_at BIGINT NOT NULL                                -- by a completed sign-in; each makes a new value
);
CREATE INDEX devices_user ON devices (user_id);
CREATE INDEX devices_made ON devices (made_at);

CREATE TABLE wrong_codes (
    slot  BIGINT NOT NULL,                                 -- ten minutes of Unix time: the window slides by one of them
    shard BIGINT NOT NULL,                                 -- by chance, so that guesses at once do not queue for one row
    wrong BIGINT NOT NULL,
    PRIMARY KEY (slot, shard)
);

