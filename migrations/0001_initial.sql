-- The whole schema, from people to tokens. SQLite and PostgreSQL run this same text: README.md in this folder has the rules.
--
-- Time is Unix milliseconds. An id is a UUIDv7 that the program makes. Lists and documents are JSON in TEXT. A random secret
-- is here as its SHA-256, a value that must be read back is sealed with the root key, which is never in the database.
-- `epoch` counts the forced resets of a person: whatever was made under another epoch than the person's is dead.

-- People.

CREATE TABLE users (
    id                             UUID PRIMARY KEY,       -- stays inside
    subject                        TEXT NOT NULL UNIQUE,   -- 128 random bits: `sub` for clients with public subjects
    pairwise_seed                  TEXT NOT NULL,          -- 128 random bits: input of `sub` for all other clients
    user_handle                    UUID NOT NULL UNIQUE,   -- random (UUIDv4): user handle of passkeys (WebAuthn, 5.4.3)
    external_id                    TEXT,                   -- of the system that the account comes from
    status                         TEXT NOT NULL DEFAULT 'active', -- only an active person signs in or keeps what was issued
    email                          TEXT,                   -- stored spelling: mail goes here; NULL: no mail, no look-up
    email_canonical                TEXT UNIQUE,            -- what is looked up
    email_verified                 BOOLEAN NOT NULL,
    name                           TEXT NOT NULL,
    claims                         TEXT NOT NULL,          -- JSON of further standard claims (OpenID Connect Core, 5.1)
    language                       TEXT,                   -- BCP 47; in which the person last signed in
    epoch                          BIGINT NOT NULL,
    tokens_invalid_before          BIGINT,                 -- for people to read; `epoch` decides
    password_change_required_since BIGINT,
    last_active_day                BIGINT,                 -- days since 1970
    created_at                     BIGINT NOT NULL,
    updated_at                     BIGINT NOT NULL,
    CHECK ((email IS NULL) = (email_canonical IS NULL))
);
CREATE UNIQUE INDEX users_external_id ON users (external_id) WHERE external_id IS NOT NULL;

CREATE TABLE passwords (
    user_id UUID PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    phc     TEXT NOT NULL,                                 -- Argon2id in PHC form, keyed with the root key
    version BIGINT NOT NULL,                               -- counts changes
    set_at  BIGINT NOT NULL
);

-- Browsers that completed a sign-in of an account before. They prove nothing; they have tries of their own.
CREATE TABLE devices (
    hash    BYTEA PRIMARY KEY,                             -- SHA-256 of the value that the browser has for this account
    user_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    epoch   BIGINT NOT NULL,
    made_at BIGINT NOT NULL                                -- by a completed sign-in; each makes a new value
);
CREATE INDEX devices_user ON devices (user_id);
CREATE INDEX devices_made ON devices (made_at);

-- Clients (relying parties), and what people allowed them.

-- The documents have a member for each property, so that a new one needs no column. They are two, because a client that
-- registers or changes itself writes the first one as a whole, and must not reach what the operator decided.
CREATE TABLE clients (
    id         TEXT PRIMARY KEY,                           -- `client_id`
    profile    TEXT NOT NULL,                              -- kind of program: decides defaults and what is refused
    metadata   TEXT NOT NULL,                              -- JSON object of the client: RFC 7591, section 2, and OpenID Connect
    operator   TEXT NOT NULL,                              -- JSON object of the operator: first-party, PKCE, sector
    secret_1   BYTEA,                                      -- SHA-256 of a random 256-bit secret; NULL: it has none
    secret_2   BYTEA,                                      -- the one before, for a rotation in which both work
    created_at BIGINT NOT NULL
);

CREATE TABLE consents (
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    scopes     TEXT NOT NULL,                              -- separated by spaces
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

-- The sign-in: an attempt, its mailed codes, and the fact that both steps were completed.

CREATE TABLE attempts (
    id               UUID PRIMARY KEY,                     -- a name, not a secret
    browser          BYTEA NOT NULL,                       -- SHA-256 of the browser cookie that owns it
    previous_browser BYTEA,                                -- the value that completed it, for a repeated post
    goal             TEXT NOT NULL,                        -- where it ends: at a client, or at a page of ours by its name
    client_id        TEXT REFERENCES clients (id) ON DELETE CASCADE, -- NULL when it ends at a page of ours
    request          TEXT NOT NULL,                        -- the checked authorization request
    state            TEXT NOT NULL,                        -- of the sign-in machine
    version          BIGINT NOT NULL,                      -- counts changes of the state
    created_at       BIGINT NOT NULL,
    completed_at     BIGINT
);
CREATE INDEX attempts_browser ON attempts (browser);
CREATE INDEX attempts_created ON attempts (created_at);

-- A mailed code of one person in one browser. The code itself is derived from id, nonce and address with a root key.
CREATE TABLE email_challenges (
    id                UUID PRIMARY KEY,
    user_id           UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    browser           BYTEA NOT NULL,                      -- SHA-256 of the browser cookie
    purpose           TEXT NOT NULL,                       -- what its code is good for, and for nothing else
    epoch             BIGINT NOT NULL,
    address           TEXT NOT NULL,                       -- where it is mailed to
    key_id            TEXT NOT NULL,                       -- root key that the code is derived from
    nonce             BYTEA NOT NULL,
    reference         TEXT NOT NULL,                       -- shown on the page and in the mail, so that they can be matched
    first_issued_at   BIGINT NOT NULL,
    last_requested_at BIGINT NOT NULL,
    last_accepted_at  BIGINT,                              -- by the mail server: the window counts from here
    refused_at        BIGINT,                              -- by the mail server, for good; the last time
    sends             BIGINT NOT NULL,
    tries             BIGINT NOT NULL,
    tried             TEXT NOT NULL,                       -- keyed tags of judged guesses, so that the same one costs once
    language          TEXT,                                -- BCP 47; of the page that asked last
    asked_with        TEXT,                                -- browser and system by names of ours, such as Firefox/Windows
    completed_at      BIGINT,
    superseded_at     BIGINT
);
CREATE UNIQUE INDEX email_challenges_open ON email_challenges (user_id, browser, purpose)
    WHERE completed_at IS NULL AND superseded_at IS NULL;
CREATE INDEX email_challenges_user ON email_challenges (user_id, first_issued_at);
CREATE INDEX email_challenges_browser ON email_challenges (browser);

-- A fact: never updated. The CHECK is the invariant that no token leaves without a completed second step, and the only one
-- here that lists values. It spells NULL out, because an unknown condition would pass.
CREATE TABLE sign_ins (
    id                 UUID PRIMARY KEY,
    user_id            UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    epoch              BIGINT NOT NULL,
    first              TEXT NOT NULL,
    first_at           BIGINT NOT NULL,
    second             TEXT,
    second_at          BIGINT,
    remembered_from    UUID REFERENCES sign_ins (id),      -- the sign-in whose second step is remembered
    mailbox_only       BOOLEAN NOT NULL,                   -- one mailbox stood for both steps
    network            TEXT,                               -- of the person, as in the audit trail
    country            TEXT,                               -- ISO 3166-1 alpha-2, of the network
    asn                BIGINT,                             -- autonomous system of the network
    data_version       TEXT,                               -- network data that told country and autonomous system
    browser_and_system TEXT,                               -- by names of ours, such as Firefox/Windows
    CONSTRAINT two_steps CHECK (
        (first = 'passkey_uv' AND second IS NULL AND second_at IS NULL AND remembered_from IS NULL)
        OR (first = 'password' AND second IS NOT NULL AND second_at IS NOT NULL AND remembered_from IS NULL
            AND second IN ('email_code', 'totp', 'recovery_code', 'passkey'))
        OR (first = 'password' AND second IS NOT NULL AND second_at IS NOT NULL AND remembered_from IS NOT NULL
            AND second = 'remembered')
    )
);
CREATE INDEX sign_ins_user ON sign_ins (user_id);
CREATE INDEX sign_ins_remembered ON sign_ins (remembered_from) WHERE remembered_from IS NOT NULL;

-- A browser that is signed in.
CREATE TABLE sessions (
    id         UUID PRIMARY KEY,
    sid        TEXT NOT NULL UNIQUE,                       -- what clients see of it; stable over rotation and step-up
    secret     BYTEA NOT NULL UNIQUE,                      -- SHA-256 of the session cookie
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    sign_in_id UUID NOT NULL REFERENCES sign_ins (id),     -- the latest
    epoch      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,                            -- the absolute limit counts from here
    last_seen  BIGINT NOT NULL,                            -- to the minute; the idle limit counts from here
    ended_at   BIGINT
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_sign_in ON sessions (sign_in_id);

-- What was issued.

-- One issue to one client from one sign-in: parent of codes and tokens.
CREATE TABLE grants (
    id         UUID PRIMARY KEY,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    session_id UUID REFERENCES sessions (id) ON DELETE SET NULL, -- NULL once the session is gone
    sid        TEXT NOT NULL,                              -- of the session, for as long as the grant
    sign_in_id UUID NOT NULL REFERENCES sign_ins (id),
    epoch      BIGINT NOT NULL,
    scopes     TEXT NOT NULL,                              -- separated by spaces
    offline    BOOLEAN NOT NULL,                           -- outlives its session (OpenID Connect Core, 11)
    created_at BIGINT NOT NULL,
    expires_at BIGINT,                                     -- its own end, beside that of the session
    ended_at   BIGINT
);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_user ON grants (user_id);
CREATE INDEX grants_sign_in ON grants (sign_in_id);
-- What sweeping looks for, beside the many that outlive their session and are alive.
CREATE INDEX grants_with_session ON grants (id) WHERE NOT offline;
CREATE INDEX grants_ended ON grants (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX grants_expiring ON grants (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE auth_codes (
    hash           BYTEA PRIMARY KEY,                      -- SHA-256 of the code
    grant_id       UUID NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    attempt_id     UUID,                                   -- so that a repeated completion can void it
    redirect_uri   TEXT NOT NULL,
    code_challenge TEXT,                                   -- RFC 7636, S256
    nonce          TEXT,
    created_at     BIGINT NOT NULL,
    used_at        BIGINT,
    voided_at      BIGINT
);
CREATE INDEX auth_codes_grant ON auth_codes (grant_id);
CREATE INDEX auth_codes_attempt ON auth_codes (attempt_id) WHERE attempt_id IS NOT NULL;

-- Limits.

-- Counters of a person, or of the site, that must not be lost: keyed by an HMAC of the address, known or unknown alike.
CREATE TABLE throttles (
    key     BYTEA NOT NULL,
    kind    TEXT NOT NULL,
    spent   BIGINT NOT NULL,
    since   BIGINT NOT NULL,
    next_at BIGINT NOT NULL,                               -- the next one is judged from here
    PRIMARY KEY (key, kind)
);
CREATE INDEX throttles_since ON throttles (since);

-- Wrong codes of all people together.
CREATE TABLE wrong_codes (
    slot  BIGINT NOT NULL,                                 -- ten minutes of Unix time: the window slides by one of them
    shard BIGINT NOT NULL,                                 -- by chance, so that guesses at once do not queue for one row
    wrong BIGINT NOT NULL,
    PRIMARY KEY (slot, shard)
);

-- Keys.

CREATE TABLE signing_keys (
    id         TEXT PRIMARY KEY,                           -- `kid`
    algorithm  TEXT NOT NULL,                              -- JOSE
    sealed     BYTEA NOT NULL,                             -- PKCS #8, sealed with the root key
    created_at BIGINT NOT NULL,                            -- published from here
    signs_from BIGINT NOT NULL
);

-- A key is replaced once, and an algorithm has one first key: one row says so before a key is added.
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

-- Root keys that have been current, each with what must outlive its file: the key of password hashes and of a person's
-- counters, sealed with the current one.
CREATE TABLE root_keys (
    id     TEXT PRIMARY KEY,                               -- as in `keys.root_file`
    since  BIGINT NOT NULL,                                -- when a replica first had it as the first of the list
    sealed BYTEA NOT NULL
);

-- Settings, and what tells replicas that something in their memory has changed.

CREATE TABLE settings (
    name    TEXT NOT NULL,
    version BIGINT NOT NULL,
    value   TEXT NOT NULL,
    before  TEXT NOT NULL,
    actor   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    undoes  BIGINT,                                        -- version that this one takes back
    at      BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

-- One number for each thing that replicas keep in memory: it moves with every change, and then they read again.
CREATE TABLE revisions (
    topic   TEXT PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO revisions (topic, version) VALUES ('settings', 0), ('clients', 0), ('signing_keys', 0);

-- The audit trail, sealed into a chain.

CREATE TABLE audit (
    id        UUID PRIMARY KEY,
    at        BIGINT NOT NULL,
    event     TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    actor     TEXT NOT NULL,
    user_id   UUID,
    client_id TEXT,
    network   TEXT,
    reference TEXT NOT NULL,                               -- of the request, as the page and the log say it
    detail    TEXT NOT NULL,                               -- JSON object
    tag       BYTEA,                                       -- HMAC of the columns above, made with the row
    tag_key   TEXT,                                        -- root key that the tag is made with
    sealed_by BIGINT                                       -- sequence of the seal that has this row
);
CREATE INDEX audit_user ON audit (user_id, id);
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_reference ON audit (reference);
CREATE INDEX audit_unsealed ON audit (id) WHERE sealed_by IS NULL;
CREATE INDEX audit_sealed ON audit (sealed_by) WHERE sealed_by IS NOT NULL;

CREATE TABLE audit_seals (
    sequence      BIGINT PRIMARY KEY,                      -- 1, 2, 3 ..: a gap is a seal that was taken away
    sealed_at     BIGINT NOT NULL,
    complete_to   BIGINT NOT NULL,                         -- what is older was in sight when this was made
    row_count     BIGINT NOT NULL,
    manifest      BYTEA,                                   -- id and HMAC of each row, in the order of ids; NULL once swept
    manifest_hash BYTEA NOT NULL,
    previous      BYTEA NOT NULL,                          -- digest of the seal before; empty for the first
    digest        BYTEA NOT NULL,                          -- HMAC of all columns above
    key_id        TEXT NOT NULL,                           -- root key that the HMACs are made with
    swept_at      BIGINT,                                  -- when its rows had served their time
    swept_key     TEXT,
    swept_mark    BYTEA                                    -- HMAC: the program itself swept everything up to this seal
);
CREATE INDEX audit_seals_time ON audit_seals (sealed_at);
CREATE INDEX audit_seals_whole ON audit_seals (sequence) WHERE swept_at IS NULL;
CREATE INDEX audit_seals_marked ON audit_seals (sequence) WHERE swept_mark IS NOT NULL;

-- Work of the program itself.

-- Side effects that were decided in a transaction and happen after it. A job never waits behind one of another lane.
CREATE TABLE jobs (
    id           UUID PRIMARY KEY,
    lane         TEXT NOT NULL,
    kind         TEXT NOT NULL,
    payload      TEXT NOT NULL,                            -- JSON: which rows it is about
    created_at   BIGINT NOT NULL,
    run_at       BIGINT NOT NULL,
    tries        BIGINT NOT NULL,
    locked_until BIGINT,                                   -- a worker has it until then
    done_at      BIGINT,
    failed_at    BIGINT,
    last_error   TEXT
);
CREATE INDEX jobs_open ON jobs (lane, run_at) WHERE done_at IS NULL AND failed_at IS NULL;
CREATE INDEX jobs_closed ON jobs (done_at) WHERE done_at IS NOT NULL;

-- Work that one replica at a time does.
CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,                                  -- a process, by a random name of its own
    until  BIGINT NOT NULL
);

-- What was found when the data was last compared with what must always hold; each replica shows it.
CREATE TABLE checks (
    name       TEXT PRIMARY KEY,
    checked_at BIGINT NOT NULL,
    found      BIGINT NOT NULL                             -- rows that must not exist
);
