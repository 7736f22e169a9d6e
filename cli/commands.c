/* The commands of fhirbinctl: the parser and the help texts are derived from this table. */
#include "ctl.h"

#include <string.h>

const fhir_ctl_command_t fhir_ctl_commands[] = {
    {"db upgrade", "", "bring the database schema to this version's",
     "May be repeated and run on several nodes at once. Refuses a database that is newer. Also makes the first key "
     "for\n"
     "access tokens and the first one for signed URLs if there is none yet.",
     fhir_ctl_db_upgrade},
    {"db status", "", "tell the schema version of the database and whether it fits", NULL, fhir_ctl_db_status},
    {"project create", "NAME", "create a project and print its id",
     "A project is a tenant: it sees its own Binaries only.", fhir_ctl_project_create},
    {"project list", "[--json]", "list the projects", NULL, fhir_ctl_project_list},
    {"project disable", "PROJECT", "refuse all members of a project (id or name)", NULL, fhir_ctl_project_disable},
    {"project enable", "PROJECT", "undo a project disable", NULL, fhir_ctl_project_enable},
    {"project default-policy", "PROJECT AccessPolicy-ID|none",
     "say what members may do who have no policy of their own",
     "Without a default policy they may do nothing. Administrators need none.\n"
     "\n"
     "  fhirbinctl project default-policy demo AccessPolicy/readers",
     fhir_ctl_project_default_policy},
    {"client create",
     "--project PROJECT --name NAME [--admin] [--policy ID]... [--parameter NAME=VALUE]... [--profile REFERENCE] "
     "[--id UUID] [--secret SECRET]",
     "create a client and print its id and secret",
     "The secret is printed this one time; the database keeps a bcrypt hash of it. --profile names the FHIR resource\n"
     "that acts, as in Practitioner/1. --id and --secret set what is otherwise random. --admin makes it an\n"
     "administrator of the project; another client may do what its policies permit, without any what the project's\n"
     "default policy permits, and nothing if there is none. A --parameter belongs to the --policy before it.\n"
     "\n"
     "  fhirbinctl client create --project demo --name backup --admin\n"
     "  fhirbinctl client create --project demo --name portal --policy patient --parameter patient=Patient/1",
     fhir_ctl_client_create},
    {"client list", "[--project PROJECT] [--json]", "list the clients", NULL, fhir_ctl_client_list},
    {"client disable", "ID", "refuse a client from now on", NULL, fhir_ctl_client_disable},
    {"client enable", "ID", "undo a client disable", NULL, fhir_ctl_client_enable},
    {"client secret", "ID", "give a client a new secret and print it", "The old secret ends at once.",
     fhir_ctl_client_secret},
    {"membership create",
     "--project PROJECT [--issuer URL --subject SUBJECT] [--user NAME] [--admin] [--policy ID]... "
     "[--parameter NAME=VALUE]... [--profile REFERENCE]",
     "let a user in who logs in elsewhere",
     "Either --issuer and --subject, the `iss` and `sub` of the tokens of a trusted issuer, or --user, the name that "
     "an\n"
     "authentication module of httpd (LDAP, Kerberos, OpenID Connect) has established. Policies as in client create.\n"
     "\n"
     "  fhirbinctl membership create --project demo --user joe --profile Practitioner/2 --policy readers\n"
     "  fhirbinctl membership create --project demo --issuer https://login.example.org --subject 17 \\\n"
     "      --profile Patient/1 --policy patient",
     fhir_ctl_membership_create},
    {"membership list", "[--project PROJECT] [--json]", "list the memberships, those of clients too",
     "`access` is what decides: the policies of the membership, else the project's default policy.",
     fhir_ctl_membership_list},
    {"membership show", "ID", "print a ProjectMembership", NULL, fhir_ctl_membership_show},
    {"membership disable", "ID", "refuse a member from now on", NULL, fhir_ctl_membership_disable},
    {"membership enable", "ID", "undo a membership disable", NULL, fhir_ctl_membership_enable},
    {"membership set-policy", "ID [--policy ID]... [--parameter NAME=VALUE]... [--none]",
     "give a member other policies",
     "Instead of those that it had. --none: what the project's default policy permits.\n"
     "\n"
     "  fhirbinctl membership set-policy ID --policy patient --parameter patient=Patient/1 --policy readers",
     fhir_ctl_membership_set_policy},
    {"membership delete", "ID", "remove a member", "Its history stays. `membership disable` can be undone, this can't.",
     fhir_ctl_membership_delete},
    {"policy list", "--project PROJECT [--json]", "list the access policies of a project", NULL, fhir_ctl_policy_list},
    {"policy show", "--project PROJECT ID", "print an AccessPolicy", NULL, fhir_ctl_policy_show},
    {"policy put", "--project PROJECT [--id ID] FILE", "create or change an access policy",
     "FILE is an AccessPolicy in JSON, `-` for standard input. Its id is that of the file or of --id, else a new one.\n"
     "It counts at once. What can't be evaluated in it permits nothing, and is told.\n"
     "\n"
     "  echo '{\"resourceType\": \"AccessPolicy\", \"name\": \"Own record\", \"resource\": [{\"resourceType\": \"*\",\n"
     "      \"criteria\": \"*?_compartment=%patient\", \"readonly\": true}]}' |\n"
     "      fhirbinctl policy put --project demo --id patient -",
     fhir_ctl_policy_put},
    {"policy delete", "--project PROJECT ID", "delete an access policy",
     "Who has no other may do nothing from then on.", fhir_ctl_policy_delete},
    {"policy check", "FILE|AccessPolicy/ID [--project PROJECT] [--membership ID] [--json]",
     "say what in an access policy is wrong or can't be evaluated",
     "With the parameters that the membership gives, else as if each had a value. Exit status 3 if there is a "
     "problem.\n"
     "\n"
     "  fhirbinctl policy check policy.json\n"
     "  fhirbinctl policy check AccessPolicy/patient --project demo",
     fhir_ctl_policy_check},
    {"explain",
     "[PRINCIPAL] INTERACTION TYPE/ID [--issuer URL --subject SUBJECT] [--scope SCOPES] [--patient ID] [--address IP] "
     "[--context REFERENCE] [--project PROJECT] [--json]",
     "say what somebody's request would be answered, and why",
     "PRINCIPAL is the id of a client or membership, or user:NAME of a user of httpd; users of an issuer are named by\n"
     "--issuer and --subject. INTERACTION is read, vread, update, delete, history, presigned-url or presigned-upload "
     "of "
     "a\n"
     "TYPE/ID (vread: TYPE/ID/_history/VERSION), create or search of a TYPE. --scope and --patient are those of a "
     "token,\n"
     "--address the client's. --context is the securityContext that a create or update of a Binary brings. Nothing is\n"
     "read, changed or audited. Exit status 0 if it is allowed, 3 if refused.\n"
     "\n"
     "  fhirbinctl explain 0a0a0a0a-0b0b-4c0c-8d0d-0e0e0e0e0e0e read Binary/1\n"
     "  fhirbinctl explain user:joe create Binary --context Patient/1\n"
     "  fhirbinctl explain --issuer https://login.example.org --subject 17 update Binary/1 --scope 'patient/*.rs' "
     "--patient 1",
     fhir_ctl_explain},
    {"key rotate", "[--signing] [--algorithm ALGORITHM]", "make a new key and retire the one in use",
     "For access tokens, ES256 (default) or RS256; with --signing for signed URLs (HS256). A retired key still "
     "verifies\n"
     "what it has signed.",
     fhir_ctl_key_rotate},
    {"key list", "[--signing] [--json]", "list the keys that still verify",
     "Of access tokens, or with --signing of signed URLs.", fhir_ctl_key_list},
    {"key revoke", "ID", "end a key: what it has signed is no longer accepted",
     "If it is the one in use, a new key is made first.", fhir_ctl_key_revoke},
    {"store list", "[--json]", "list the stores of the configuration", NULL, fhir_ctl_store_list},
    {"store health", "[--json]", "ask each store whether it works, and how long that takes",
     "One after the other; each is told as soon as it has answered. Exit status 3 if one does not work.",
     fhir_ctl_store_health},
    {"store stat", "[--json]", "count what is in each store",
     "By the database: objects and their bytes, projects, uploads that are not finished, copies that are being "
     "written\n"
     "or are left over of a move. Exit status 3 if objects are in a store that the configuration does not have: they\n"
     "can't be read.",
     fhir_ctl_store_stat},
    {"store migrate", "--from STORE --to STORE [--project PROJECT] [--rate SIZE] [--grace AGE] [--dry-run]",
     "move objects to another store while httpd runs",
     "First let FhirBinaryDefaultStore name the new store and reload httpd gracefully; both stores stay configured. "
     "Each\n"
     "object is copied, read back and compared with its SHA-256 before its row names the new place; what it leaves\n"
     "behind is removed after --grace, when readers of the old place have ended: by default 60s, or as long as signed\n"
     "URLs live if clients are redirected to the old store (FhirBinaryStoreRedirect). --rate: bytes a second\n"
     "that are read at most, of both stores together. It may be stopped or killed at any time and run again, also\n"
     "several times at once. --dry-run only counts. Exit status 3 if objects could not be moved: they are missing or\n"
     "altered, are told, and stay as they are.\n"
     "\n"
     "  fhirbinctl store migrate --from main --to s3 --rate 50M",
     fhir_ctl_store_migrate},
    {"store verify",
     "[--store STORE] [--project PROJECT] [--sample PERCENT] [--since TIME] [--rate SIZE] [--repair] [--json]",
     "read the stored objects again and compare them with what was stored",
     "Tells what is missing, altered or unreadable, and what is in a store that the configuration does not have; and,\n"
     "without --project, what is in the stores and is older than an hour, but known to no row. --sample: so many per\n"
     "cent of the objects, taken by chance. --since: what was stored since a date, a time, or for an age such as 7d.\n"
     "Of a store that keeps copies (mirror) every copy is read; --repair writes those anew that are missing or "
     "altered,\n"
     "which are told then, too, but are no reason for exit status 3. A store that fails is given up, and the others\n"
     "are checked. Says nothing if all is well, unless to a terminal. Exit status 3 if something was found, 1 if it, "
     "or\n"
     "one of the stores, could not be checked.\n"
     "\n"
     "  fhirbinctl store verify --sample 1% --rate 20M",
     fhir_ctl_store_verify},
    {"store orphans", "[--store NAME] [--older-than AGE] [--remove] [--unknown] [--json]",
     "list what unfinished uploads and moves have left behind, and remove it",
     "Both directions: uploads that the database knows as pending, and objects in a store that no row knows. Only "
     "what\n"
     "is older than AGE, default 1h, with --remove 24h: an upload that still runs then is refused when it ends. "
     "Nothing\n"
     "is removed without --remove, and never what a version needs, nor what looks unknown because the configuration\n"
     "names another database or lacks a store. Exit status 3 if there is any, or if some remain; 1 if one of the "
     "stores\n"
     "could not be looked through.",
     fhir_ctl_store_orphans},
    {"binary uses", "--project PROJECT ID [--json]", "list the resources that point to a Binary",
     "Attachments of every version; `current` says whether the resource's newest version still has it.",
     fhir_ctl_binary_uses},
    {"binary unlinked", "--project PROJECT [--older-than AGE] [--json]", "list the Binaries that no resource points to",
     "By no attachment of a current version. Only what was last changed more than AGE ago, default 24h. Nothing is\n"
     "removed. Exit status 3 if there is any.",
     fhir_ctl_binary_unlinked},
    {"fetch list", "[--project PROJECT] [--failed] [--json]", "list the attachments fetched from other servers",
     "Those that wait, are done or have failed, newest first, at most 1000; with --failed only those that failed, and\n"
     "why. Done ones are kept for 30 days.",
     fhir_ctl_fetch_list},
    {"fetch retry", "ID", "fetch an attachment again that failed", "It has all its attempts again, beginning now.",
     fhir_ctl_fetch_retry},
    {"audit security-context", "--project PROJECT [--apply] [--dry-run] [--any-author] [--batch NUMBER] [--json]",
     "find the Binaries without a security context, and give them the one that follows",
     "Lists what points to each, and the context that follows from it: whom the referring resource is about, or that\n"
     "resource itself. Where several could be it, or it is not there, the Binary is left alone, and so is one to "
     "which\n"
     "only others point than administrators and its own writer: --any-author trusts them all. With --apply each gets "
     "a\n"
     "new version that has the context, if nobody changed it meanwhile; without, nothing changes. It may be stopped "
     "at\n"
     "any time and run again, also twice at once. --batch: how many are looked up together, default 100, at most 400.\n"
     "Exit status 3 if some remain.",
     fhir_ctl_audit_security_context},
    {"audit list",
     "[--project PROJECT] [--entity REFERENCE] [--membership ID] [--since DATE] [--limit NUMBER] [--json]",
     "list audit events, newest first",
     "At most NUMBER, default 100, most 1000. --since takes dates such as 2026-11-21 and times such as\n"
     "2026-11-21T08:00:00Z. --membership: what that member did or tried (`membership list` has the ids). Without\n"
     "--project also what belongs to none: who was not known, as after a wrong secret.\n"
     "\n"
     "  fhirbinctl audit list --project demo --entity Binary/1",
     fhir_ctl_audit_list},
    {"audit verify", "", "check that no audit event was altered, removed, inserted or moved",
     "Reads the whole trail. Exit status 3 with the first event that is not right. Whoever may write to the database\n"
     "can cut off the end and the head together: compare the last hash with the stream of FhirBinaryAuditLog.",
     fhir_ctl_audit_verify},
    {"audit prune", "--older-than AGE", "remove old audit events",
     "The chain begins behind them then, and can be verified as before. FhirBinaryAuditRetention does it hourly.",
     fhir_ctl_audit_prune},
    {"config check", "", "read the configuration as httpd would and say what is wrong",
     "Asks the database, if it is there, whether objects are in a store that the configuration does not have: exit\n"
     "status 3 then.",
     fhir_ctl_config_check},
    {NULL, NULL, NULL, NULL, NULL}};

const fhir_ctl_command_t *fhir_ctl_find(const char *first, const char *second, apr_pool_t *pool)
{
    const char *name = apr_pstrcat(pool, first, second ? " " : "", second, NULL);
    for (const fhir_ctl_command_t *command = fhir_ctl_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}
