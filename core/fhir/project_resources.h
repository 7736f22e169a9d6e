/* The resources that a project is administered with. They are not of FHIR R4: AccessPolicy and ProjectMembership in the
 * form that Medplum gave them.
 *
 * AccessPolicy: see core/auth/policy.h; `name` is required. resource[].resourceType is a known type or "*";
 * hiddenFields and readonlyFields name elements that the type has (for "*" any type), of choices `value` or
 * `valueQuantity`. At most 1000 entries and rules, 200 names in a list, 100 policies of a membership, 200 parameters of
 * a policy, 1 MiB in all.
 *
 * ProjectMembership: user (required, never changes): who it is for,
 *     {"reference": "ClientApplication/{client id}"}                    a client of this server
 *     {"identifier": {"system": "{issuer URL}", "value": "{sub}"}}      a user of an outside issuer
 *     {"identifier": {"value": "{user}"}}                               a user that httpd itself authenticates
 *   profile: {"reference": "Practitioner/1"}; admin: boolean; active: boolean, absent: true;
 *   accessPolicy: {"reference": "AccessPolicy/x"}, the same as one entry of access without parameters;
 *   access[]: policy {"reference"}, parameter[]: name, valueString | valueReference {"reference"}.
 *   Kept, and without meaning here: project, invitedBy, userConfiguration (objects), userName, externalId (strings),
 *   identifier (a list of objects), which Medplum writes.
 *
 * Policies and profiles are named `Type/id`, or `urn:uuid:...` where a transaction puts the reference in. */
#ifndef FHIR_FHIR_PROJECT_RESOURCES_H
#define FHIR_FHIR_PROJECT_RESOURCES_H

#include "resource.h"

/* AccessPolicy or ProjectMembership, written and read by administrators only. */
int fhir_is_project_resource(const char *type);
/* Checks the shape, after fhir_resource_check. Unknown members are refused here: a misspelt restriction must not pass
 * for none. UNPROCESSABLE with an expression and advice. Other types: nothing. */
fhir_error_t *fhir_project_resource_check(const fhir_sent_resource_t *sent, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
