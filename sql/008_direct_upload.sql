-- Uploads that clients send to an object store themselves (core/app/direct_upload.c). The row is made together with the
-- pending row of `object`, before a URL is given to anybody. state: 1 awaited; 2 given up: the row of `object` is gone,
-- what was sent is removed, and once more when nobody can send any more; 3 left alone after too many failures. While
-- somebody has a row, `lease` names the turn and `due_at` is its end; else `due_at` is when to look next.
CREATE TABLE fhir_binary.direct_upload (
    version_id uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    binary_id text COLLATE "C" NOT NULL CHECK (octet_length(binary_id) BETWEEN 1 AND 64),
    content_type text NOT NULL,
    object_key uuid NOT NULL UNIQUE,
    store text COLLATE "C" NOT NULL,
    locator text COLLATE "C" NOT NULL CHECK (octet_length(locator) BETWEEN 1 AND 512),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 3),
    attempts smallint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    lease uuid
);
CREATE INDEX direct_upload_due ON fhir_binary.direct_upload (due_at) WHERE state <> 3;
