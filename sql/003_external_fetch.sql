-- Attachments of other servers that are to be fetched (see core/app/external_fetch.c): one row per resource and URL.
-- state: 1 waiting, 2 done, 3 failed. While a worker has a row, `lease` names the worker's turn and `next_attempt` is
-- the end of its lease: a worker that died loses it by itself. `error` is for people and names no address.
CREATE TABLE fhir_binary.external_fetch (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL CHECK (octet_length(type) BETWEEN 1 AND 64),
    resource_id text COLLATE "C" NOT NULL CHECK (octet_length(resource_id) BETWEEN 1 AND 64),
    url text COLLATE "C" NOT NULL CHECK (octet_length(url) BETWEEN 1 AND 2048),
    path text NOT NULL,
    author_id uuid NOT NULL,
    state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 3),
    attempts smallint NOT NULL DEFAULT 0,
    next_attempt timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease uuid,
    error text,
    binary_id text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    UNIQUE (project_id, type, resource_id, url),
    CHECK ((state = 1) = (finished_at IS NULL)),
    CHECK (state <> 3 OR error IS NOT NULL),
    CHECK (binary_id IS NULL OR state = 2)
);
CREATE INDEX external_fetch_due ON fhir_binary.external_fetch (next_attempt) WHERE state = 1;
CREATE INDEX external_fetch_done ON fhir_binary.external_fetch (finished_at) WHERE state = 2;
CREATE INDEX external_fetch_listed ON fhir_binary.external_fetch (created_at);
