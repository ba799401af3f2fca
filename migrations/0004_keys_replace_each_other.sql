-- Signing keys of any algorithm, signing keys that replace each other, and root keys that do.
--
-- The program of the version before runs on all of this unnoticed. It reads every row of `signing_keys` and of `clients`,
-- knows RS256 and ES256 alone, and fails on a row that it cannot parse: such rows have homes of their own. Nor do the two
-- tables get a column: PostgreSQL refuses a prepared `SELECT *` of a running program once its table has another one.

-- Signing keys of the algorithms that the CHECK of `signing_keys` does not name: SQLite cannot change a CHECK. Here no
-- CHECK names any, so that a later release can move the others here. Until then RS256 and ES256 stay where replicas of the
-- version before find them, because those must publish what a replica of this version signs with.
CREATE TABLE token_keys (
    id         TEXT PRIMARY KEY,                           -- `kid`
    algorithm  TEXT NOT NULL,
    sealed     BYTEA NOT NULL,                             -- PKCS #8, sealed with the root key
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL
);

-- A key is replaced once, whoever asks, and an algorithm has one first key: one row says so before a key is added.
CREATE TABLE key_successions (
    algorithm TEXT NOT NULL,
    follows   TEXT NOT NULL,                               -- the `kid` that is replaced, '' before the first
    kid       TEXT NOT NULL,
    PRIMARY KEY (algorithm, follows)
);

-- What is left of a signing key that is no longer published: its public half, by which an old ID token is still known when
-- it comes back as a hint (OpenID Connect RP-Initiated Logout 1.0, section 2). The private half is gone with its row.
CREATE TABLE ended_keys (
    id        TEXT PRIMARY KEY,                            -- `kid`
    algorithm TEXT NOT NULL,
    public    BYTEA NOT NULL,
    ended_at  BIGINT NOT NULL
);

-- A client's choice that the CHECK of `clients.id_token_alg` does not name. `clients` is not made anew: attempts, grants
-- and consents would go with its rows.
CREATE TABLE client_algorithms (
    client_id                    TEXT PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    id_token_signed_response_alg TEXT NOT NULL
);

-- Root keys that have been current, each with what must outlive its file: the key of password hashes and of a person's
-- counters, sealed with the current one.
CREATE TABLE root_keys (
    id     TEXT PRIMARY KEY,                               -- as in `keys.root_file`
    since  BIGINT NOT NULL,                                -- when a replica first had it as the first of the list
    sealed BYTEA NOT NULL
);
