-- Bytes that no row of `object` names, and why: what `fhirbinctl store migrate` writes at an object's new place
-- (state 1), and what is to be removed (state 2): at the old place, or what nobody knew. The row is there before the
-- first byte is stored and until the last is gone; so after a crash the next run finishes what was begun. `lease` is
-- whose turn it is until `due_at`; without a lease, nothing is removed before `due_at`. An object has one copy at a time.
-- The key of what belongs to no object is a random one, so there is no foreign key.
CREATE TABLE fhir_binary.object_copy (
    object_key uuid PRIMARY KEY,
    store text COLLATE "C" NOT NULL,
    locator text COLLATE "C" NOT NULL CHECK (octet_length(locator) BETWEEN 1 AND 512),
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 2),
    lease uuid,
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (locator, store),
    CHECK (state = 2 OR lease IS NOT NULL)
);
CREATE INDEX object_copy_due ON fhir_binary.object_copy (due_at);
CREATE INDEX object_copy_lease ON fhir_binary.object_copy (lease) WHERE lease IS NOT NULL;

-- What a store holds, in pages; and which stores rows name at all.
CREATE INDEX object_stored ON fhir_binary.object (store, object_key) WHERE committed_at IS NOT NULL;
