-- Access policies. AccessPolicy and ProjectMembership are resources like others; the row of `membership` that every
-- request reads is derived from the ProjectMembership of the same id, in the transaction that writes it.
-- kind 4 is the project's operator: who may run fhirbinctl. It has one row per project and no resource.
-- own_access: what the ProjectMembership gives, [{"policy": id, "parameter": [{"name": ..., "value": ...}]}], null: it
-- gives nothing. access: that, or else the project's default policy, or else null. policy_ids: the policies in it.
ALTER TABLE fhir_binary.membership
    DROP CONSTRAINT membership_kind_check,
    ADD CONSTRAINT membership_kind_check CHECK (kind BETWEEN 1 AND 4),
    ADD CONSTRAINT membership_operator_check CHECK (kind <> 4 OR (admin AND subject = project_id::text)),
    ADD COLUMN own_access jsonb,
    ADD COLUMN access text,
    ADD COLUMN policy_ids text[] COLLATE "C";

ALTER TABLE fhir_binary.project
    ADD COLUMN default_policy text COLLATE "C" CHECK (default_policy ~ '^[A-Za-z0-9.-]{1,64}$');

-- What every request asks for is computed when it changes. The locks make a change that runs at the same time wait.
CREATE OR REPLACE FUNCTION fhir_binary.set_membership_active() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    home fhir_binary.project%ROWTYPE;
    effective jsonb;
BEGIN
    SELECT p.* INTO home FROM fhir_binary.project p WHERE p.id = NEW.project_id FOR SHARE;
    PERFORM FROM fhir_binary.client c WHERE c.id = NEW.client_id FOR SHARE;
    NEW.active := NEW.disabled_at IS NULL AND home.id IS NOT NULL AND home.disabled_at IS NULL
        AND NOT EXISTS (SELECT FROM fhir_binary.client c WHERE c.id = NEW.client_id AND c.disabled_at IS NOT NULL);
    effective := NEW.own_access;
    IF effective IS NULL AND home.default_policy IS NOT NULL THEN
        effective := jsonb_build_array(jsonb_build_object('policy', home.default_policy));
    END IF;
    NEW.access := effective::text;
    NEW.policy_ids := (SELECT array_agg(DISTINCT e ->> 'policy') FROM jsonb_array_elements(effective) e);
    RETURN NEW;
END
$$;
DROP TRIGGER project_memberships ON fhir_binary.project;
CREATE TRIGGER project_memberships AFTER UPDATE OF disabled_at, default_policy ON fhir_binary.project
    FOR EACH ROW EXECUTE FUNCTION fhir_binary.refresh_memberships();

CREATE FUNCTION fhir_binary.add_operator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fhir_binary.membership (id, project_id, kind, issuer, subject, admin)
        VALUES (gen_random_uuid(), NEW.id, 4, '', NEW.id::text, true);
    RETURN NULL;
END
$$;
CREATE TRIGGER project_operator AFTER INSERT ON fhir_binary.project
    FOR EACH ROW EXECUTE FUNCTION fhir_binary.add_operator();
INSERT INTO fhir_binary.membership (id, project_id, kind, issuer, subject, admin)
    SELECT gen_random_uuid(), p.id, 4, '', p.id::text, true FROM fhir_binary.project p;

-- The memberships that are there already get their resources.
WITH made AS (
    INSERT INTO fhir_binary.resource (project_id, type, id, version_id, sequence, deleted, last_updated)
        SELECT m.project_id, 'ProjectMembership', m.id::text, gen_random_uuid(), 1, false,
            date_trunc('milliseconds', clock_timestamp())
        FROM fhir_binary.membership m WHERE m.kind <> 4
        RETURNING key, project_id, id, version_id, last_updated)
INSERT INTO fhir_binary.resource_version (version_id, key, sequence, change, last_updated, author_id, attachment_count,
        meta, body)
    SELECT made.version_id, made.key, 1, 1, made.last_updated, operator.id, 0, '', concat_ws(',',
        '"user":' || CASE m.kind
            WHEN 1 THEN json_build_object('reference', 'ClientApplication/' || m.client_id)
            WHEN 2 THEN json_build_object('identifier', json_build_object('system', m.issuer, 'value', m.subject))
            ELSE json_build_object('identifier', json_build_object('value', m.subject)) END,
        '"profile":' || CASE WHEN m.profile IS NOT NULL THEN json_build_object('reference', m.profile) END,
        '"admin":' || m.admin,
        CASE WHEN m.disabled_at IS NOT NULL THEN '"active":false' END)
    FROM made
    JOIN fhir_binary.membership m ON m.id = made.id::uuid
    JOIN fhir_binary.membership operator ON operator.project_id = made.project_id AND operator.kind = 4;

-- ZB101: the resource can't be a membership. ZB102: another membership is in the way. The sentence is for the client,
-- the "column" is the element.
CREATE FUNCTION fhir_binary.refuse_membership(element text, sentence text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'ZB101', MESSAGE = sentence, COLUMN = element;
END
$$;

-- The id in `AccessPolicy/{id}`.
CREATE FUNCTION fhir_binary.policy_id(policy jsonb, element text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    id text := substring(policy ->> 'reference' FROM '^AccessPolicy/([A-Za-z0-9.-]{1,64})$');
BEGIN
    IF id IS NULL THEN
        PERFORM fhir_binary.refuse_membership(element, 'A policy is named by a reference: AccessPolicy/{id}.');
    END IF;
    RETURN id;
END
$$;

-- The list in the element; null: there is none.
CREATE FUNCTION fhir_binary.list_of(list jsonb, element text) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
BEGIN
    IF list IS NULL THEN
        RETURN;
    END IF;
    IF jsonb_typeof(list) <> 'array' OR jsonb_array_length(list) > 100 THEN
        PERFORM fhir_binary.refuse_membership(element, 'This must be a list of at most 100 entries.');
    END IF;
    RETURN QUERY SELECT e FROM jsonb_array_elements(list) e;
END
$$;

CREATE FUNCTION fhir_binary.membership_access(resource jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    made jsonb := '[]';
    entry jsonb;
    parameter jsonb;
    parameters jsonb;
    value text;
BEGIN
    IF resource ? 'accessPolicy' THEN
        made := jsonb_build_array(jsonb_build_object('policy',
            fhir_binary.policy_id(resource -> 'accessPolicy', 'ProjectMembership.accessPolicy')));
    END IF;
    FOR entry IN SELECT fhir_binary.list_of(resource -> 'access', 'ProjectMembership.access') LOOP
        parameters := '[]';
        FOR parameter IN
            SELECT fhir_binary.list_of(entry -> 'parameter', 'ProjectMembership.access.parameter')
        LOOP
            value := coalesce(parameter ->> 'valueString', parameter #>> '{valueReference,reference}');
            IF value IS NULL OR parameter ->> 'name' IS NULL THEN
                PERFORM fhir_binary.refuse_membership('ProjectMembership.access.parameter',
                    'A parameter has a name and either valueString or valueReference.reference.');
            END IF;
            parameters := parameters || jsonb_build_object('name', parameter ->> 'name', 'value', value);
        END LOOP;
        made := made || (jsonb_build_object('policy',
                fhir_binary.policy_id(entry -> 'policy', 'ProjectMembership.access.policy'))
            || CASE WHEN parameters = '[]' THEN '{}' ELSE jsonb_build_object('parameter', parameters) END);
    END LOOP;
    IF octet_length(made::text) > 16384 THEN
        PERFORM fhir_binary.refuse_membership('ProjectMembership.access',
            'Policies and their parameters take at most 16 KiB: name fewer, or shorter values.');
    END IF;
    RETURN nullif(made, '[]');
END
$$;

-- Whom the resource is for. The client must be of the same project.
CREATE FUNCTION fhir_binary.membership_principal(in_project uuid, resource jsonb,
    OUT kind smallint, OUT issuer text, OUT subject text, OUT client_id uuid) LANGUAGE plpgsql AS $$
DECLARE
    reference text := resource #>> '{user,reference}';
BEGIN
    issuer := '';
    IF reference IS NOT NULL THEN
        SELECT 1, c.id::text, c.id INTO kind, subject, client_id FROM fhir_binary.client c
            WHERE c.project_id = in_project AND reference = 'ClientApplication/' || c.id;
        IF NOT FOUND THEN
            PERFORM fhir_binary.refuse_membership('ProjectMembership.user.reference',
                'There is no such client in this project. Other users are named by user.identifier.');
        END IF;
        RETURN;
    END IF;
    subject := resource #>> '{user,identifier,value}';
    issuer := coalesce(resource #>> '{user,identifier,system}', '');
    kind := CASE WHEN issuer = '' THEN 3 ELSE 2 END;
    IF coalesce(subject, '') = '' THEN
        PERFORM fhir_binary.refuse_membership('ProjectMembership.user',
            'A membership has a user: {"reference": "ClientApplication/{id}"}, or an identifier with a value.');
    END IF;
    IF octet_length(subject) > 1000 OR octet_length(issuer) > 1000 THEN
        PERFORM fhir_binary.refuse_membership('ProjectMembership.user.identifier',
            'System and value of an identifier have at most 1000 bytes.');
    END IF;
END
$$;

-- The row that follows from the current version. The lock of the project comes first, as where the project changes.
CREATE FUNCTION fhir_binary.derive_membership() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    head fhir_binary.resource%ROWTYPE;
    old fhir_binary.membership%ROWTYPE;
    made fhir_binary.membership%ROWTYPE;
    body jsonb;
    first jsonb;
BEGIN
    SELECT r.* INTO STRICT head FROM fhir_binary.resource r WHERE r.key = NEW.key;
    IF head.id !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        PERFORM fhir_binary.refuse_membership('ProjectMembership.id',
            'The id of a ProjectMembership is a UUID in lower case: let the server choose it.');
    END IF;
    PERFORM FROM fhir_binary.project p WHERE p.id = head.project_id FOR SHARE;
    SELECT m.* INTO old FROM fhir_binary.membership m WHERE m.id = head.id::uuid FOR UPDATE;
    IF old.project_id <> head.project_id OR old.kind = 4 THEN
        RAISE EXCEPTION USING ERRCODE = 'ZB102', COLUMN = 'ProjectMembership.id',
            MESSAGE = 'This id can''t be used for a membership: let the server choose one.';
    END IF;
    IF head.deleted THEN
        DELETE FROM fhir_binary.membership m WHERE m.id = old.id;
        RETURN NULL;
    END IF;
    SELECT ('{' || v.body || '}')::jsonb INTO STRICT body FROM fhir_binary.resource_version v
        WHERE v.version_id = head.version_id;
    SELECT ('{' || v.body || '}')::jsonb INTO STRICT first FROM fhir_binary.resource_version v
        WHERE v.key = head.key AND v.sequence = 1;
    SELECT p.* INTO made.kind, made.issuer, made.subject, made.client_id
        FROM fhir_binary.membership_principal(head.project_id, body) p;
    IF (made.kind, made.issuer, made.subject) <> (SELECT p.kind, p.issuer, p.subject
            FROM fhir_binary.membership_principal(head.project_id, first) p) THEN
        PERFORM fhir_binary.refuse_membership('ProjectMembership.user',
            'The user of a membership never changes: delete this one and create another.');
    END IF;
    made.profile := body #>> '{profile,reference}';
    made.admin := coalesce(body -> 'admin' = 'true', false);
    made.disabled_at := CASE WHEN body -> 'active' <> 'true' THEN coalesce(old.disabled_at, clock_timestamp()) END;
    made.own_access := fhir_binary.membership_access(body);
    IF old.id IS NOT NULL THEN
        UPDATE fhir_binary.membership m
            SET profile = made.profile, admin = made.admin, disabled_at = made.disabled_at,
                own_access = made.own_access
            WHERE m.id = old.id;
        RETURN NULL;
    END IF;
    INSERT INTO fhir_binary.membership (id, project_id, kind, issuer, subject, client_id, profile, admin, disabled_at,
            own_access)
        VALUES (head.id::uuid, head.project_id, made.kind, made.issuer, made.subject, made.client_id, made.profile,
            made.admin, made.disabled_at, made.own_access);
    RETURN NULL;
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION USING ERRCODE = 'ZB102', COLUMN = 'ProjectMembership.user',
        MESSAGE = 'This user has a membership already: a user belongs to one project, once.';
END
$$;

-- In which compartments the resources are that are there already: by the parameters of core/fhir/compartments.def as of
-- this version, and the compartment's own resource.
INSERT INTO fhir_binary.resource_reference (key, name, target_term, target_type, target_id)
    WITH compartment AS (
        SELECT l.name, split_part(m, ':', 1) AS type, p AS parameter FROM (VALUES
        ('Device',
         'Account:subject Appointment:actor AppointmentResponse:actor AuditEvent:agent '
         'ChargeItem:enterer|performer-actor Claim:detail-udi|item-udi|procedure-udi|subdetail-udi '
         'Communication:recipient|sender CommunicationRequest:recipient|sender Composition:author '
         'DetectedIssue:author DeviceRequest:device|performer|requester|subject DeviceUseStatement:device '
         'DiagnosticReport:subject DocumentManifest:author|subject DocumentReference:author|subject '
         'ExplanationOfBenefit:detail-udi|item-udi|procedure-udi|subdetail-udi Flag:author Group:member '
         'Invoice:participant List:source|subject Media:subject MedicationAdministration:device '
         'MessageHeader:target Observation:device|subject Provenance:agent QuestionnaireResponse:author '
         'RequestGroup:author RiskAssessment:performer Schedule:actor ServiceRequest:performer|requester '
         'Specimen:subject SupplyRequest:requester'),
        ('Encounter',
         'CarePlan:encounter CareTeam:encounter ChargeItem:context Claim:encounter ClinicalImpression:encounter '
         'Communication:encounter CommunicationRequest:encounter Composition:encounter Condition:encounter '
         'DeviceRequest:encounter DiagnosticReport:encounter DocumentManifest:related-ref '
         'DocumentReference:encounter ExplanationOfBenefit:encounter Media:encounter '
         'MedicationAdministration:context MedicationRequest:encounter NutritionOrder:encounter '
         'Observation:encounter Procedure:encounter QuestionnaireResponse:encounter RequestGroup:encounter '
         'ServiceRequest:encounter VisionPrescription:encounter'),
        ('Patient',
         'Account:subject AdverseEvent:subject AllergyIntolerance:asserter|patient|recorder Appointment:actor '
         'AppointmentResponse:actor AuditEvent:patient Basic:author|patient BodyStructure:patient '
         'CarePlan:patient|performer CareTeam:participant|patient ChargeItem:subject Claim:patient|payee '
         'ClaimResponse:patient ClinicalImpression:subject Communication:recipient|sender|subject '
         'CommunicationRequest:recipient|requester|sender|subject Composition:attester|author|subject '
         'Condition:asserter|patient Consent:patient Coverage:beneficiary|payor|policy-holder|subscriber '
         'CoverageEligibilityRequest:patient CoverageEligibilityResponse:patient DetectedIssue:patient '
         'DeviceRequest:performer|subject DeviceUseStatement:subject DiagnosticReport:subject '
         'DocumentManifest:author|recipient|subject DocumentReference:author|subject Encounter:patient '
         'EnrollmentRequest:subject EpisodeOfCare:patient ExplanationOfBenefit:patient|payee '
         'FamilyMemberHistory:patient Flag:patient Goal:patient Group:member ImagingStudy:patient '
         'Immunization:patient ImmunizationEvaluation:patient ImmunizationRecommendation:patient '
         'Invoice:patient|recipient|subject List:source|subject MeasureReport:patient Media:subject '
         'MedicationAdministration:patient|performer|subject MedicationDispense:patient|receiver|subject '
         'MedicationRequest:subject MedicationStatement:subject MolecularSequence:patient NutritionOrder:patient '
         'Observation:performer|subject Patient:link Person:patient Procedure:patient|performer Provenance:patient '
         'QuestionnaireResponse:author|subject RelatedPerson:patient RequestGroup:participant|subject '
         'ResearchSubject:individual RiskAssessment:subject Schedule:actor ServiceRequest:performer|subject '
         'Specimen:subject SupplyDelivery:patient SupplyRequest:subject VisionPrescription:patient'),
        ('Practitioner',
         'Account:subject AdverseEvent:recorder AllergyIntolerance:asserter|recorder Appointment:actor '
         'AppointmentResponse:actor AuditEvent:agent Basic:author CarePlan:performer CareTeam:participant '
         'ChargeItem:enterer|performer-actor Claim:care-team|enterer|payee|provider ClaimResponse:requestor '
         'ClinicalImpression:assessor Communication:recipient|sender '
         'CommunicationRequest:recipient|requester|sender Composition:attester|author|subject Condition:asserter '
         'CoverageEligibilityRequest:enterer|provider CoverageEligibilityResponse:requestor DetectedIssue:author '
         'DeviceRequest:performer|requester DiagnosticReport:performer DocumentManifest:author|recipient|subject '
         'DocumentReference:authenticator|author|subject Encounter:participant|practitioner '
         'EpisodeOfCare:care-manager ExplanationOfBenefit:care-team|enterer|payee|provider Flag:author Group:member '
         'Immunization:performer Invoice:participant Linkage:author List:source Media:operator|subject '
         'MedicationAdministration:performer MedicationDispense:performer|receiver MedicationRequest:requester '
         'MedicationStatement:source MessageHeader:author|enterer|receiver|responsible NutritionOrder:provider '
         'Observation:performer Patient:general-practitioner PaymentNotice:provider PaymentReconciliation:requestor '
         'Person:practitioner PractitionerRole:practitioner Procedure:performer Provenance:agent '
         'QuestionnaireResponse:author|source RequestGroup:author|participant ResearchStudy:principalinvestigator '
         'RiskAssessment:performer Schedule:actor ServiceRequest:performer|requester Specimen:collector '
         'SupplyDelivery:receiver|supplier SupplyRequest:requester VisionPrescription:prescriber'),
        ('RelatedPerson',
         'AdverseEvent:recorder AllergyIntolerance:asserter Appointment:actor AppointmentResponse:actor '
         'Basic:author CarePlan:performer CareTeam:participant ChargeItem:enterer|performer-actor Claim:payee '
         'Communication:recipient|sender CommunicationRequest:recipient|requester|sender Composition:author '
         'Condition:asserter Coverage:payor|policy-holder|subscriber DocumentManifest:author|recipient '
         'DocumentReference:author Encounter:participant ExplanationOfBenefit:payee Invoice:recipient '
         'MedicationAdministration:performer MedicationStatement:source Observation:performer Patient:link '
         'Person:link Procedure:performer Provenance:agent QuestionnaireResponse:author|source '
         'RequestGroup:participant Schedule:actor ServiceRequest:performer SupplyRequest:requester')
        ) l (name, members)
        CROSS JOIN LATERAL string_to_table(l.members, ' ') m
        CROSS JOIN LATERAL string_to_table(split_part(m, ':', 2), '|') p)
    SELECT f.key, '_compartment', fhir_binary.search_term(f.project_id, f.type, '_compartment', f.target_id), f.name,
        f.target_id
    FROM (SELECT r.key, r.project_id, r.type, c.name, x.target_id
            FROM fhir_binary.resource_reference x
            JOIN fhir_binary.resource r ON r.key = x.key
            JOIN compartment c ON c.type = r.type AND c.parameter = x.name AND c.name = x.target_type
            WHERE NOT r.deleted AND x.target_id ~ '^[A-Za-z0-9.-]{1,64}$'
        UNION SELECT r.key, r.project_id, r.type, r.type, r.id FROM fhir_binary.resource r
            WHERE NOT r.deleted AND r.type IN (SELECT c.name FROM compartment c)) f;

-- Every read of a Binary asks for the compartments of its context, which may have many other references.
CREATE INDEX resource_reference_compartments ON fhir_binary.resource_reference (key)
    WHERE name = '_compartment';

-- Binaries that nobody's rights protect, for those who look for them.
CREATE INDEX binary_version_without_context ON fhir_binary.binary_version (project_id, binary_id)
    WHERE security_context IS NULL AND change <> 3;

-- After the resources of this migration: their rows are there. Deferred: the version is written after its head.
CREATE CONSTRAINT TRIGGER project_membership AFTER INSERT OR UPDATE ON fhir_binary.resource
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.type = 'ProjectMembership')
    EXECUTE FUNCTION fhir_binary.derive_membership();
