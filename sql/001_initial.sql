-- The first schema. Migrations are forward-only: never edit a released one, add the next number.
-- Projects, clients and memberships are disabled, never deleted. The tables written by every upload hold no foreign key
-- to them on purpose: such a key locks the one project row for every insert and makes all uploads of a project meet there.
CREATE SCHEMA IF NOT EXISTS fhir_binary;

CREATE TABLE fhir_binary.schema_version (
    version integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE fhir_binary.project (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name <> '' AND length(name) <= 200),
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);

CREATE TABLE fhir_binary.client (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES fhir_binary.project,
    name text NOT NULL CHECK (name <> '' AND length(name) <= 200),
    secret_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);
CREATE INDEX client_by_project ON fhir_binary.client (project_id, created_at);

-- kind: 1 client (subject is the client id), 2 user of an outside issuer, 3 user of an httpd authentication module.
CREATE TABLE fhir_binary.membership (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES fhir_binary.project,
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 3),
    issuer text COLLATE "C" NOT NULL CHECK ((kind = 2) = (issuer <> '')),
    subject text COLLATE "C" NOT NULL CHECK (subject <> ''),
    client_id uuid UNIQUE REFERENCES fhir_binary.client CHECK ((kind = 1) = (client_id IS NOT NULL)),
    profile text,
    admin boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    active boolean NOT NULL DEFAULT true,
    UNIQUE (subject, kind, issuer)
);
CREATE INDEX membership_by_project ON fhir_binary.membership (project_id, created_at);

-- `active`: neither the membership nor its project nor its client is disabled. Every request asks for it, so it is
-- computed when one of the three changes. The locks make a change that runs at the same time wait.
CREATE FUNCTION fhir_binary.set_membership_active() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM fhir_binary.project p WHERE p.id = NEW.project_id FOR SHARE;
    PERFORM FROM fhir_binary.client c WHERE c.id = NEW.client_id FOR SHARE;
    NEW.active := NEW.disabled_at IS NULL
        AND EXISTS (SELECT FROM fhir_binary.project p WHERE p.id = NEW.project_id AND p.disabled_at IS NULL)
        AND NOT EXISTS (SELECT FROM fhir_binary.client c WHERE c.id = NEW.client_id AND c.disabled_at IS NOT NULL);
    RETURN NEW;
END
$$;
CREATE TRIGGER membership_active BEFORE INSERT OR UPDATE ON fhir_binary.membership
    FOR EACH ROW EXECUTE FUNCTION fhir_binary.set_membership_active();

CREATE FUNCTION fhir_binary.refresh_memberships() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'project' THEN
        UPDATE fhir_binary.membership SET disabled_at = disabled_at WHERE project_id = NEW.id;
    ELSE
        UPDATE fhir_binary.membership SET disabled_at = disabled_at WHERE client_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER project_memberships AFTER UPDATE OF disabled_at ON fhir_binary.project
    FOR EACH ROW EXECUTE FUNCTION fhir_binary.refresh_memberships();
CREATE TRIGGER client_memberships AFTER UPDATE OF disabled_at ON fhir_binary.client
    FOR EACH ROW EXECUTE FUNCTION fhir_binary.refresh_memberships();

-- purpose: 1 token, 2 URL. One key per purpose is in use (not retired); a retired one still verifies, a revoked one does
-- not.
CREATE TABLE fhir_binary.signing_key (
    id text COLLATE "C" PRIMARY KEY,
    purpose smallint NOT NULL CHECK (purpose IN (1, 2)),
    algorithm text NOT NULL,
    material text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at timestamptz,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX signing_key_in_use ON fhir_binary.signing_key (purpose) WHERE retired_at IS NULL;

-- Stored bytes. A row is there before the first byte is (pending: committed_at is null), so no object is unknown.
CREATE TABLE fhir_binary.object (
    object_key uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    store text COLLATE "C" NOT NULL,
    locator text COLLATE "C" NOT NULL CHECK (octet_length(locator) BETWEEN 1 AND 512),
    size bigint CHECK (size >= 0),
    sha256 bytea CHECK (octet_length(sha256) = 32),
    sha1 bytea CHECK (octet_length(sha1) = 20),
    created_at timestamptz NOT NULL DEFAULT now(),
    committed_at timestamptz,
    UNIQUE (locator, store),
    CHECK (committed_at IS NULL OR (size IS NOT NULL AND sha256 IS NOT NULL AND sha1 IS NOT NULL))
);
CREATE INDEX object_pending ON fhir_binary.object (store, created_at) WHERE committed_at IS NULL;

-- The head of a Binary: its current version, and the row that writers lock. Ids are per project.
CREATE TABLE fhir_binary.binary (
    project_id uuid NOT NULL,
    id text COLLATE "C" NOT NULL CHECK (octet_length(id) BETWEEN 1 AND 64),
    version_id uuid NOT NULL,
    sequence bigint NOT NULL,
    deleted boolean NOT NULL,
    last_updated timestamptz NOT NULL,
    PRIMARY KEY (project_id, id)
) WITH (fillfactor = 80);

-- change: 1 create, 2 update, 3 delete (a tombstone). Rows never change.
CREATE TABLE fhir_binary.binary_version (
    version_id uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    binary_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    change smallint NOT NULL CHECK (change BETWEEN 1 AND 3),
    last_updated timestamptz NOT NULL,
    author_id uuid NOT NULL,
    content_type text,
    security_context text,
    filename text,
    elements text,
    object_key uuid REFERENCES fhir_binary.object,
    UNIQUE (project_id, binary_id, sequence),
    FOREIGN KEY (project_id, binary_id) REFERENCES fhir_binary.binary,
    CHECK ((change = 3) = (content_type IS NULL)),
    CHECK (change <> 3 OR object_key IS NULL)
);
CREATE INDEX binary_version_by_object ON fhir_binary.binary_version (object_key) WHERE object_key IS NOT NULL;

CREATE FUNCTION fhir_binary.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of a Binary never changes';
END
$$;
CREATE TRIGGER binary_version_immutable BEFORE UPDATE ON fhir_binary.binary_version
    FOR EACH STATEMENT EXECUTE FUNCTION fhir_binary.refuse_change();

-- Makes one version current. `status`: 0 done, 1 not found, 2 exists, 3 precondition failed; then nothing was written.
-- What is refused after the first write is raised, so that everything is rolled back: ZB002 exists, ZB004 the pending
-- object is gone. `expected` = `new_version` asks that there is no such Binary yet. `keep` has bits: 1 security context,
-- 2 file name, 4 elements, 8 content.
CREATE FUNCTION fhir_binary.commit_version(
    new_change smallint, in_project uuid, in_author uuid, in_id text, new_version uuid, expected uuid,
    may_create boolean, keep integer, new_content_type text, new_security_context text, new_filename text,
    new_elements text, new_object uuid, new_size bigint, new_sha256 bytea, new_sha1 bytea,
    OUT status integer, OUT version_id uuid, OUT sequence bigint, OUT last_updated timestamptz, OUT change smallint,
    OUT content_type text, OUT security_context text, OUT filename text, OUT elements text, OUT object_key uuid,
    OUT store text, OUT locator text, OUT size bigint, OUT sha256 bytea, OUT sha1 bytea)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    head fhir_binary.binary%ROWTYPE;
    old fhir_binary.binary_version%ROWTYPE;
    made fhir_binary.binary_version%ROWTYPE;
    held fhir_binary.object%ROWTYPE;
    known boolean;
BEGIN
    made.last_updated := date_trunc('milliseconds', clock_timestamp());
    LOOP
        -- The lock first and the version in a statement of its own: a join would see the version of before the wait.
        SELECT b.* INTO head FROM fhir_binary.binary b WHERE b.project_id = in_project AND b.id = in_id FOR UPDATE;
        known := FOUND;
        IF known THEN
            SELECT v.* INTO STRICT old FROM fhir_binary.binary_version v WHERE v.version_id = head.version_id;
        END IF;
        status := CASE
            WHEN known AND new_change = 3 AND head.deleted AND (expected IS NULL OR expected = head.version_id) THEN 0
            WHEN EXISTS (SELECT FROM fhir_binary.binary_version v WHERE v.version_id = new_version) THEN 2
            WHEN known AND new_change = 1 THEN 2
            WHEN NOT known AND new_change <> 1 AND NOT (new_change = 2 AND may_create) THEN 1
            WHEN expected <> coalesce(head.version_id, new_version) THEN 3
            ELSE 0 END;
        IF status <> 0 THEN
            RETURN;
        END IF;
        EXIT WHEN known;
        INSERT INTO fhir_binary.binary (project_id, id, version_id, sequence, deleted, last_updated)
            VALUES (in_project, in_id, new_version, 1, false, made.last_updated) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;

    IF known AND new_change = 3 AND head.deleted THEN
        made := old;
    ELSE
        made.version_id := new_version;
        made.sequence := coalesce(head.sequence, 0) + 1;
        made.change := new_change;
        made.last_updated := greatest(date_trunc('milliseconds', clock_timestamp()),
                                      head.last_updated + interval '1 millisecond', made.last_updated);
        made.security_context := CASE WHEN keep & 1 <> 0 THEN old.security_context ELSE new_security_context END;
        IF new_change <> 3 THEN
            made.content_type := new_content_type;
            made.filename := CASE WHEN keep & 2 <> 0 THEN old.filename ELSE new_filename END;
            made.elements := CASE WHEN keep & 4 <> 0 THEN old.elements ELSE new_elements END;
            made.object_key := CASE WHEN new_object IS NULL AND keep & 8 <> 0 THEN old.object_key ELSE new_object END;
        END IF;
        IF new_object IS NOT NULL THEN
            UPDATE fhir_binary.object o
                SET size = new_size, sha256 = new_sha256, sha1 = new_sha1, committed_at = clock_timestamp()
                WHERE o.object_key = new_object AND o.project_id = in_project AND o.committed_at IS NULL;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the pending object is gone' USING ERRCODE = 'ZB004';
            END IF;
        END IF;
        INSERT INTO fhir_binary.binary_version (version_id, project_id, binary_id, sequence, change, last_updated,
                author_id, content_type, security_context, filename, elements, object_key)
            VALUES (made.version_id, in_project, in_id, made.sequence, made.change, made.last_updated,
                in_author, made.content_type, made.security_context, made.filename, made.elements, made.object_key)
            ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the version id is taken' USING ERRCODE = 'ZB002';
        END IF;
        UPDATE fhir_binary.binary b
            SET version_id = made.version_id, sequence = made.sequence, deleted = (new_change = 3),
                last_updated = made.last_updated
            WHERE b.project_id = in_project AND b.id = in_id;
    END IF;

    IF made.object_key IS NOT NULL THEN
        SELECT o.* INTO STRICT held FROM fhir_binary.object o WHERE o.object_key = made.object_key;
    END IF;
    version_id := made.version_id;
    sequence := made.sequence;
    last_updated := made.last_updated;
    change := made.change;
    content_type := made.content_type;
    security_context := made.security_context;
    filename := made.filename;
    elements := made.elements;
    object_key := made.object_key;
    store := held.store;
    locator := held.locator;
    size := held.size;
    sha256 := held.sha256;
    sha1 := held.sha1;
END
$$;

-- Adds a key and retires the one in use, one caller at a time.
CREATE FUNCTION fhir_binary.add_signing_key(new_id text, new_purpose smallint, new_algorithm text, new_material text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE fhir_binary.signing_key IN SHARE ROW EXCLUSIVE MODE;
    UPDATE fhir_binary.signing_key SET retired_at = clock_timestamp()
        WHERE purpose = new_purpose AND retired_at IS NULL;
    INSERT INTO fhir_binary.signing_key (id, purpose, algorithm, material)
        VALUES (new_id, new_purpose, new_algorithm, new_material);
END
$$;
