-- The audit trail: one row per interaction, in one chain over all projects and nodes. core/fhir/audit_event.def names the
-- columns, core/meta/meta_audit_chain.c says what is hashed. The rows of a batch and the new head are one transaction
-- that holds the head's row, so that sequences have no gaps and hashes follow each other.
CREATE TABLE fhir_binary.audit_event (
    sequence bigint PRIMARY KEY,
    id uuid NOT NULL,
    project_id uuid,
    recorded timestamptz NOT NULL,
    interaction text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    outcome smallint NOT NULL,
    outcome_text text,
    agent_kind smallint NOT NULL,
    agent_issuer text COLLATE "C",
    agent_subject text COLLATE "C",
    agent_profile text COLLATE "C",
    membership_id uuid,
    address text COLLATE "C",
    source text COLLATE "C",
    entity_type text COLLATE "C",
    entity_id text COLLATE "C",
    entity_version text COLLATE "C",
    query text COLLATE "C",
    context text COLLATE "C",
    detail text,
    request_id text COLLATE "C",
    status smallint NOT NULL,
    bytes_sent bigint NOT NULL,
    flags smallint NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);
-- Searches are newest first. An event's id begins with its time, so that it needs no index of its own.
CREATE INDEX audit_event_by_time ON fhir_binary.audit_event (project_id, recorded, sequence);
CREATE INDEX audit_event_by_entity
    ON fhir_binary.audit_event (project_id, entity_type, entity_id, recorded, sequence);

-- One row. The chain begins behind `first_previous_hash`: 32 zero bytes, or the hash of the last row that was pruned.
CREATE TABLE fhir_binary.audit_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    first_sequence bigint NOT NULL,
    first_previous_hash bytea NOT NULL CHECK (octet_length(first_previous_hash) = 32),
    last_sequence bigint NOT NULL,
    last_hash bytea NOT NULL CHECK (octet_length(last_hash) = 32),
    CHECK (first_sequence >= 1 AND last_sequence >= first_sequence - 1)
);
INSERT INTO fhir_binary.audit_head (first_sequence, first_previous_hash, last_sequence, last_hash)
    VALUES (1, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'));

CREATE FUNCTION fhir_binary.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' OR current_setting('fhir_binary.pruning', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'audit events never change; prune_audit() removes the oldest';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER audit_event_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON fhir_binary.audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION fhir_binary.refuse_audit_change();

-- Removes at most `most` of the oldest rows, as long as each was recorded before `older_than`, and moves the beginning of
-- the chain behind them. Gives how many.
CREATE FUNCTION fhir_binary.prune_audit(older_than timestamptz, most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    head fhir_binary.audit_head;
    last_pruned bigint;
    last_pruned_hash bytea;
BEGIN
    SELECT * INTO head FROM fhir_binary.audit_head FOR UPDATE;
    SELECT min(e.sequence) - 1 INTO last_pruned
        FROM (SELECT x.sequence, x.recorded FROM fhir_binary.audit_event x WHERE x.sequence >= head.first_sequence
              ORDER BY x.sequence LIMIT most) e
        WHERE e.recorded >= older_than;
    last_pruned := coalesce(last_pruned, least(head.first_sequence + most - 1, head.last_sequence));
    IF last_pruned < head.first_sequence THEN
        RETURN 0;
    END IF;
    SELECT e.hash INTO last_pruned_hash FROM fhir_binary.audit_event e WHERE e.sequence = last_pruned;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'audit event % is missing: see fhirbinctl audit verify', last_pruned;
    END IF;
    PERFORM set_config('fhir_binary.pruning', 'on', true);
    DELETE FROM fhir_binary.audit_event e WHERE e.sequence BETWEEN head.first_sequence AND last_pruned;
    PERFORM set_config('fhir_binary.pruning', 'off', true);
    UPDATE fhir_binary.audit_head SET first_sequence = last_pruned + 1, first_previous_hash = last_pruned_hash;
    RETURN last_pruned - head.first_sequence + 1;
END
$$;
