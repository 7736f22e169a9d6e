-- Resources other than Binary, their search index, and their links to Binaries. Rules of 001 hold: ids are per project,
-- no foreign key to project or membership.

-- What was applied, so that a build with other migrations under the same numbers is noticed: SHA-256 of the text.
ALTER TABLE fhir_binary.schema_version ADD COLUMN checksum bytea CHECK (octet_length(checksum) = 32);

-- The head of a resource: its current version, and the row that writers lock. `key` is its name in the index tables.
CREATE TABLE fhir_binary.resource (
    project_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL CHECK (octet_length(type) BETWEEN 1 AND 64),
    id text COLLATE "C" NOT NULL CHECK (octet_length(id) BETWEEN 1 AND 64),
    key bigint NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    version_id uuid NOT NULL,
    sequence bigint NOT NULL,
    deleted boolean NOT NULL,
    last_updated timestamptz NOT NULL,
    PRIMARY KEY (project_id, type, id)
) WITH (fillfactor = 80);
CREATE INDEX resource_by_date ON fhir_binary.resource (project_id, type, last_updated, key) WHERE NOT deleted;

-- change: 1 create, 2 update, 3 delete (a tombstone). Rows never change.
CREATE TABLE fhir_binary.resource_version (
    version_id uuid PRIMARY KEY,
    key bigint NOT NULL REFERENCES fhir_binary.resource (key),
    sequence bigint NOT NULL,
    change smallint NOT NULL CHECK (change BETWEEN 1 AND 3),
    last_updated timestamptz NOT NULL,
    author_id uuid NOT NULL,
    attachment_count integer NOT NULL CHECK (attachment_count >= 0),
    meta text,
    body text,
    UNIQUE (key, sequence),
    CHECK ((change = 3) = (body IS NULL) AND (change = 3) = (meta IS NULL))
);

-- lz4 reads and writes several times faster than the default; not every server was built with it.
DO $$
BEGIN
    EXECUTE 'ALTER TABLE fhir_binary.resource_version ALTER COLUMN body SET COMPRESSION lz4';
EXCEPTION WHEN feature_not_supported OR syntax_error OR invalid_parameter_value THEN
    NULL;
END
$$;

-- The Attachments of every version that name one of our Binaries. `pin` is binary_version_id if that is a UUID.
CREATE TABLE fhir_binary.attachment (
    version_id uuid NOT NULL,
    position integer NOT NULL,
    project_id uuid NOT NULL,
    key bigint NOT NULL,
    sequence bigint NOT NULL,
    path text NOT NULL,
    binary_id text COLLATE "C" NOT NULL CHECK (octet_length(binary_id) BETWEEN 1 AND 64),
    binary_version_id text,
    pin uuid,
    url_offset integer NOT NULL,
    url_length integer NOT NULL,
    end_offset integer NOT NULL,
    present smallint NOT NULL,
    PRIMARY KEY (version_id, position)
);
CREATE INDEX attachment_by_binary ON fhir_binary.attachment (project_id, binary_id, key, sequence);

CREATE FUNCTION fhir_binary.refuse_resource_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of a resource never changes';
END
$$;
CREATE TRIGGER resource_version_immutable BEFORE UPDATE ON fhir_binary.resource_version
    FOR EACH STATEMENT EXECUTE FUNCTION fhir_binary.refuse_resource_change();
CREATE TRIGGER attachment_immutable BEFORE UPDATE ON fhir_binary.attachment
    FOR EACH STATEMENT EXECUTE FUNCTION fhir_binary.refuse_resource_change();

-- The search index: values of the current version of each resource that is not deleted.
-- A term is a 64-bit digest of (project, type, parameter, value): it is short however long the value is, and rows of
-- other projects and types never lie between. What it finds is compared again with the value itself. A `parameter` is
-- the same without a value. Both are made here and in core/meta/search_term.c.
CREATE FUNCTION fhir_binary.search_term(project_id uuid, type text, name text, value text)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ('x' || pg_catalog.encode(pg_catalog.substr(pg_catalog.sha256(pg_catalog.convert_to(
        $1::text || E'\n' || $2 || E'\n' || $3 || coalesce(E'\n' || $4, ''), 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint
$$;

CREATE TABLE fhir_binary.resource_token (
    key bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    code_term bigint NOT NULL,
    system_term bigint NOT NULL,
    system text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    text text COLLATE "C"
);
CREATE INDEX resource_token_by_code ON fhir_binary.resource_token (code_term, key);
CREATE INDEX resource_token_by_system ON fhir_binary.resource_token (system_term, key);
CREATE INDEX resource_token_by_key ON fhir_binary.resource_token (key);

CREATE TABLE fhir_binary.resource_string (
    key bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    parameter bigint NOT NULL,
    text text COLLATE "C" NOT NULL,
    exact text COLLATE "C" NOT NULL
);
-- An index entry has a limit, so only the beginning is in it.
CREATE INDEX resource_string_by_text ON fhir_binary.resource_string (parameter, pg_catalog.left(text, 200));
CREATE INDEX resource_string_by_exact ON fhir_binary.resource_string (parameter, pg_catalog.left(exact, 200));
CREATE INDEX resource_string_by_key ON fhir_binary.resource_string (key);

CREATE TABLE fhir_binary.resource_reference (
    key bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    target_term bigint NOT NULL,
    identifier_term bigint,
    target_type text COLLATE "C" NOT NULL,
    target_id text COLLATE "C" NOT NULL,
    identifier_system text COLLATE "C",
    identifier_value text COLLATE "C"
);
CREATE INDEX resource_reference_by_target ON fhir_binary.resource_reference (target_term, key);
CREATE INDEX resource_reference_by_identifier ON fhir_binary.resource_reference (identifier_term, key)
    WHERE identifier_term IS NOT NULL;
CREATE INDEX resource_reference_by_key ON fhir_binary.resource_reference (key);

-- First and last microsecond since 1970 that the value covers.
CREATE TABLE fhir_binary.resource_date (
    key bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    parameter bigint NOT NULL,
    low bigint NOT NULL,
    high bigint NOT NULL
);
CREATE INDEX resource_date_by_low ON fhir_binary.resource_date (parameter, low, high, key);
CREATE INDEX resource_date_by_high ON fhir_binary.resource_date (parameter, high, low, key);
CREATE INDEX resource_date_by_key ON fhir_binary.resource_date (key);

CREATE TABLE fhir_binary.resource_uri (
    key bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    parameter bigint NOT NULL,
    uri text COLLATE "C" NOT NULL
);
CREATE INDEX resource_uri_by_uri ON fhir_binary.resource_uri (parameter, pg_catalog.left(uri, 200));
CREATE INDEX resource_uri_by_key ON fhir_binary.resource_uri (key);

-- Makes one version current: as commit_version of 001, with the same values of `status` (0 done, 1 not found, 2 exists,
-- 3 precondition failed), the same rules and the same order of refusals. Each group of arrays is one table's rows.
CREATE FUNCTION fhir_binary.commit_resource(
    new_change smallint, in_project uuid, in_author uuid, in_type text, in_id text, new_version uuid, expected uuid,
    may_create boolean, new_meta text, new_body text,
    attachment_path text[], attachment_binary text[], attachment_version text[], attachment_pin uuid[],
    attachment_url_offset integer[], attachment_url_length integer[], attachment_end_offset integer[],
    attachment_present smallint[],
    token_name text[], token_code_term bigint[], token_system_term bigint[], token_system text[], token_code text[],
    token_text text[],
    string_name text[], string_parameter bigint[], string_text text[], string_exact text[],
    reference_name text[], reference_target_term bigint[], reference_identifier_term bigint[], reference_type text[],
    reference_id text[], reference_identifier_system text[], reference_identifier_value text[],
    date_name text[], date_parameter bigint[], date_low bigint[], date_high bigint[],
    uri_name text[], uri_parameter bigint[], uri_uri text[],
    OUT status integer, OUT version_id uuid, OUT sequence bigint, OUT last_updated timestamptz, OUT change smallint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    head fhir_binary.resource%ROWTYPE;
    known boolean;
    indexed boolean;
BEGIN
    last_updated := date_trunc('milliseconds', clock_timestamp());
    LOOP
        SELECT r.* INTO head FROM fhir_binary.resource r
            WHERE r.project_id = in_project AND r.type = in_type AND r.id = in_id FOR UPDATE;
        known := FOUND;
        status := CASE
            WHEN known AND new_change = 3 AND head.deleted AND (expected IS NULL OR expected = head.version_id) THEN 0
            WHEN EXISTS (SELECT FROM fhir_binary.resource_version v WHERE v.version_id = new_version) THEN 2
            WHEN known AND new_change = 1 THEN 2
            WHEN NOT known AND new_change <> 1 AND NOT (new_change = 2 AND may_create) THEN 1
            WHEN expected <> coalesce(head.version_id, new_version) THEN 3
            ELSE 0 END;
        IF status <> 0 THEN
            RETURN;
        END IF;
        EXIT WHEN known;
        INSERT INTO fhir_binary.resource (project_id, type, id, version_id, sequence, deleted, last_updated)
            VALUES (in_project, in_type, in_id, new_version, 1, false, last_updated)
            ON CONFLICT DO NOTHING RETURNING key INTO head.key;
        EXIT WHEN FOUND;
    END LOOP;

    IF known AND new_change = 3 AND head.deleted THEN
        version_id := head.version_id;
        sequence := head.sequence;
        last_updated := head.last_updated;
        change := 3;
        RETURN;
    END IF;
    indexed := known AND NOT head.deleted;
    version_id := new_version;
    sequence := coalesce(head.sequence, 0) + 1;
    change := new_change;
    IF known THEN
        last_updated := greatest(date_trunc('milliseconds', clock_timestamp()),
                                 head.last_updated + interval '1 millisecond', last_updated);
    END IF;
    INSERT INTO fhir_binary.resource_version (version_id, key, sequence, change, last_updated, author_id,
            attachment_count, meta, body)
        VALUES (new_version, head.key, sequence, new_change, last_updated, in_author,
            coalesce(cardinality(attachment_path), 0), new_meta, new_body)
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the version id is taken' USING ERRCODE = 'ZB002';
    END IF;
    IF known THEN
        UPDATE fhir_binary.resource r
            SET version_id = new_version, sequence = commit_resource.sequence, deleted = (new_change = 3),
                last_updated = commit_resource.last_updated
            WHERE r.key = head.key;
    END IF;
    IF indexed THEN
        DELETE FROM fhir_binary.resource_token x WHERE x.key = head.key;
        DELETE FROM fhir_binary.resource_string x WHERE x.key = head.key;
        DELETE FROM fhir_binary.resource_reference x WHERE x.key = head.key;
        DELETE FROM fhir_binary.resource_date x WHERE x.key = head.key;
        DELETE FROM fhir_binary.resource_uri x WHERE x.key = head.key;
    END IF;
    IF cardinality(attachment_path) > 0 THEN
        INSERT INTO fhir_binary.attachment (version_id, position, project_id, key, sequence, path, binary_id,
                binary_version_id, pin, url_offset, url_length, end_offset, present)
            SELECT new_version, x.position, in_project, head.key, commit_resource.sequence, x.path, x.binary_id,
                x.binary_version_id, x.pin, x.url_offset, x.url_length, x.end_offset, x.present
            FROM unnest(attachment_path, attachment_binary, attachment_version, attachment_pin, attachment_url_offset,
                    attachment_url_length, attachment_end_offset, attachment_present) WITH ORDINALITY
                AS x (path, binary_id, binary_version_id, pin, url_offset, url_length, end_offset, present, position);
    END IF;
    IF cardinality(token_name) > 0 THEN
        INSERT INTO fhir_binary.resource_token (key, name, code_term, system_term, system, code, text)
            SELECT head.key, x.* FROM unnest(token_name, token_code_term, token_system_term, token_system, token_code,
                token_text) x;
    END IF;
    IF cardinality(string_name) > 0 THEN
        INSERT INTO fhir_binary.resource_string (key, name, parameter, text, exact)
            SELECT head.key, x.* FROM unnest(string_name, string_parameter, string_text, string_exact) x;
    END IF;
    IF cardinality(reference_name) > 0 THEN
        INSERT INTO fhir_binary.resource_reference (key, name, target_term, identifier_term, target_type, target_id,
                identifier_system, identifier_value)
            SELECT head.key, x.* FROM unnest(reference_name, reference_target_term, reference_identifier_term,
                reference_type, reference_id, reference_identifier_system, reference_identifier_value) x;
    END IF;
    IF cardinality(date_name) > 0 THEN
        INSERT INTO fhir_binary.resource_date (key, name, parameter, low, high)
            SELECT head.key, x.* FROM unnest(date_name, date_parameter, date_low, date_high) x;
    END IF;
    IF cardinality(uri_name) > 0 THEN
        INSERT INTO fhir_binary.resource_uri (key, name, parameter, uri)
            SELECT head.key, x.* FROM unnest(uri_name, uri_parameter, uri_uri) x;
    END IF;
END
$$;
