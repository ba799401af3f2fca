-- Work that one replica at a time does.

CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,   -- a process, by a random name of its own
    until  BIGINT NOT NULL
);
