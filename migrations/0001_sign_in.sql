-- The sign-in, end to end. Portable between SQLite and PostgreSQL: see README.md in this folder.

CREATE TABLE users (
    id                             UUID PRIMARY KEY,
    subject                        TEXT NOT NULL UNIQUE,   -- 128 random bits: `sub` for first-party clients
    pairwise_seed                  TEXT NOT NULL,          -- 128 random bits: input of `sub` for all other clients
    email                          TEXT NOT NULL,          -- stored spelling: mail goes here
    email_canonical                TEXT NOT NULL UNIQUE,   -- what is looked up
    email_verified                 BOOLEAN NOT NULL,
    name                           TEXT NOT NULL,
    claims                         TEXT NOT NULL,          -- JSON of further standard claims (OpenID Connect Core, 5.1)
    epoch                          BIGINT NOT NULL,        -- what was made under another epoch is dead
    tokens_invalid_before          BIGINT,                 -- for people to read; `epoch` decides
    password_change_required_since BIGINT,
    last_active_day                BIGINT,
    created_at                     BIGINT NOT NULL,
    updated_at                     BIGINT NOT NULL
);

CREATE TABLE passwords (
    user_id UUID PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    phc     TEXT NOT NULL,
    version BIGINT NOT NULL,
    set_at  BIGINT NOT NULL
);

CREATE TABLE clients (
    id                        TEXT PRIMARY KEY,
    name                      TEXT NOT NULL,
    secret                    BYTEA,                       -- SHA-256 of a random 256-bit secret
    auth_method               TEXT NOT NULL CHECK (auth_method IN ('client_secret_basic', 'client_secret_post', 'none')),
    redirect_uris             TEXT NOT NULL,               -- JSON array
    post_logout_redirect_uris TEXT NOT NULL,               -- JSON array
    pkce_required             BOOLEAN NOT NULL,
    first_party               BOOLEAN NOT NULL,
    native                    BOOLEAN NOT NULL,            -- RFC 8252: loopback ports are free
    subject_type              TEXT NOT NULL CHECK (subject_type IN ('public', 'pairwise')),
    sector                    TEXT NOT NULL,               -- OpenID Connect Core, 8.1
    id_token_alg              TEXT NOT NULL CHECK (id_token_alg IN ('RS256', 'ES256')),
    created_at                BIGINT NOT NULL,
    CHECK ((auth_method = 'none') = (secret IS NULL)),
    CHECK (auth_method <> 'none' OR pkce_required)
);

CREATE TABLE attempts (
    id               UUID PRIMARY KEY,
    browser          BYTEA NOT NULL,                       -- SHA-256 of the browser cookie that owns it
    previous_browser BYTEA,                                -- the value that completed it, for a repeated post
    client_id        TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    request          TEXT NOT NULL,
    state            TEXT NOT NULL,
    version          BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    completed_at     BIGINT
);
CREATE INDEX attempts_browser ON attempts (browser);
CREATE INDEX attempts_created ON attempts (created_at);

CREATE TABLE email_challenges (
    id                UUID PRIMARY KEY,
    user_id           UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    browser           BYTEA NOT NULL,
    epoch             BIGINT NOT NULL,
    address           TEXT NOT NULL,
    key_id            TEXT NOT NULL,                       -- root key that the code is derived from
    nonce             BYTEA NOT NULL,
    reference         TEXT NOT NULL,                       -- shown on the page and in the mail, so that they can be matched
    first_issued_at   BIGINT NOT NULL,
    last_requested_at BIGINT NOT NULL,
    last_accepted_at  BIGINT,                              -- by the mail server: the window counts from here
    sends             BIGINT NOT NULL,
    tries             BIGINT NOT NULL,
    tried             TEXT NOT NULL,                       -- keyed tags of judged guesses, so that the same one costs once
    completed_at      BIGINT,
    superseded_at     BIGINT
);
CREATE UNIQUE INDEX email_challenges_open ON email_challenges (user_id, browser)
    WHERE completed_at IS NULL AND superseded_at IS NULL;
CREATE INDEX email_challenges_user ON email_challenges (user_id, first_issued_at);
CREATE INDEX email_challenges_browser ON email_challenges (browser);

-- A fact: never updated. The CHECK spells NULL out, because an unknown condition would pass.
CREATE TABLE sign_ins (
    id              UUID PRIMARY KEY,
    user_id         UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    epoch           BIGINT NOT NULL,
    first           TEXT NOT NULL,
    first_at        BIGINT NOT NULL,
    second          TEXT,
    second_at       BIGINT,
    remembered_from UUID REFERENCES sign_ins (id),
    mailbox_only    BOOLEAN NOT NULL,
    CONSTRAINT two_steps CHECK (
        (first = 'passkey_uv' AND second IS NULL AND second_at IS NULL AND remembered_from IS NULL)
        OR (first = 'password' AND second IS NOT NULL AND second_at IS NOT NULL AND remembered_from IS NULL
            AND second IN ('email_code', 'totp', 'recovery_code', 'passkey'))
        OR (first = 'password' AND second IS NOT NULL AND second_at IS NOT NULL AND remembered_from IS NOT NULL
            AND second = 'remembered')
    )
);
CREATE INDEX sign_ins_user ON sign_ins (user_id);

CREATE TABLE sessions (
    id         UUID PRIMARY KEY,
    sid        TEXT NOT NULL UNIQUE,
    secret     BYTEA NOT NULL UNIQUE,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sign_in_id UUID NOT NULL REFERENCES sign_ins (id),
    epoch      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE consents (
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scopes     TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

CREATE TABLE grants (
    id         UUID PRIMARY KEY,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    session_id UUID NOT NULL REFERENCES sessions (id),
    sign_in_id UUID NOT NULL REFERENCES sign_ins (id),
    epoch      BIGINT NOT NULL,
    scopes     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_user ON grants (user_id);

CREATE TABLE auth_codes (
    hash           BYTEA PRIMARY KEY,
    grant_id       UUID NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    attempt_id     UUID,                                   -- so that a repeated completion can void it
    redirect_uri   TEXT NOT NULL,
    code_challenge TEXT,
    nonce          TEXT,
    created_at     BIGINT NOT NULL,
    used_at        BIGINT,
    voided_at      BIGINT
);
CREATE INDEX auth_codes_grant ON auth_codes (grant_id);
CREATE INDEX auth_codes_attempt ON auth_codes (attempt_id) WHERE attempt_id IS NOT NULL;

-- Counters of a person, or of the site, that must not be lost: keyed by an HMAC of the address, known or unknown alike.
CREATE TABLE throttles (
    key     BYTEA NOT NULL,
    kind    TEXT NOT NULL,
    spent   BIGINT NOT NULL,
    since   BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    PRIMARY KEY (key, kind)
);

CREATE TABLE signing_keys (
    id         TEXT PRIMARY KEY,                           -- `kid`
    algorithm  TEXT NOT NULL CHECK (algorithm IN ('RS256', 'ES256')),
    sealed     BYTEA NOT NULL,                             -- PKCS #8, sealed with the root key
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL
);

CREATE TABLE settings (
    name    TEXT NOT NULL,
    version BIGINT NOT NULL,
    value   TEXT NOT NULL,
    before  TEXT NOT NULL,
    actor   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    undoes  BIGINT,
    at      BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

-- One number per thing that replicas keep in memory: it moves with every change, and a replica that sees it move reads again.
CREATE TABLE revisions (
    topic   TEXT PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO revisions (topic, version) VALUES ('settings', 0), ('clients', 0), ('signing_keys', 0);

CREATE TABLE audit (
    id        UUID PRIMARY KEY,
    at        BIGINT NOT NULL,
    event     TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    actor     TEXT NOT NULL,
    user_id   UUID,
    client_id TEXT,
    network   TEXT,
    reference TEXT NOT NULL,
    detail    TEXT NOT NULL
);
CREATE INDEX audit_user ON audit (user_id, id);
CREATE INDEX audit_reference ON audit (reference);

CREATE TABLE jobs (
    id           UUID PRIMARY KEY,
    lane         TEXT NOT NULL CHECK (lane IN ('code', 'notice')),
    kind         TEXT NOT NULL,
    payload      TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    run_at       BIGINT NOT NULL,
    tries        BIGINT NOT NULL,
    locked_until BIGINT,
    done_at      BIGINT,
    failed_at    BIGINT,
    last_error   TEXT
);
CREATE INDEX jobs_open ON jobs (lane, run_at) WHERE done_at IS NULL AND failed_at IS NULL;
CREATE INDEX jobs_closed ON jobs (done_at) WHERE done_at IS NOT NULL;
