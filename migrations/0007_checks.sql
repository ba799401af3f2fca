-- What was found when the data was last compared with what must always hold; each replica shows it.

CREATE TABLE checks (
    name       TEXT PRIMARY KEY,
    checked_at BIGINT NOT NULL,
    found      BIGINT NOT NULL   -- rows that must not exist
);
