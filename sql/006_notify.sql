-- What processes remember of keys, clients, memberships and projects is forgotten everywhere when one of them changes:
-- every httpd child listens to the channel `fhir_binary` (core/meta/meta_listen.c). Policies need no word: which version
-- counts is loaded with each request.
CREATE FUNCTION fhir_binary.notify_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('fhir_binary', TG_ARGV[0]);
    RETURN NULL;
END
$$;
CREATE TRIGGER signing_key_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON fhir_binary.signing_key
    FOR EACH STATEMENT EXECUTE FUNCTION fhir_binary.notify_change('keys');
CREATE TRIGGER client_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON fhir_binary.client
    FOR EACH STATEMENT EXECUTE FUNCTION fhir_binary.notify_change('access');
CREATE TRIGGER membership_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON fhir_binary.membership
    FOR EACH STATEMENT EXECUTE FUNCTION fhir_binary.notify_change('access');
CREATE TRIGGER project_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON fhir_binary.project
    FOR EACH STATEMENT EXECUTE FUNCTION fhir_binary.notify_change('access');
