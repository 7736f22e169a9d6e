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
    {"client create", "--project PROJECT --name NAME [--admin] [--profile REFERENCE] [--id UUID] [--secret SECRET]",
     "create a client and print its id and secret",
     "The secret is printed this one time; the database keeps a bcrypt hash of it. --profile names the FHIR resource\n"
     "that acts, as in Practitioner/1. --id and --secret set what is otherwise random.",
     fhir_ctl_client_create},
    {"client list", "[--project PROJECT] [--json]", "list the clients", NULL, fhir_ctl_client_list},
    {"client disable", "ID", "refuse a client from now on", NULL, fhir_ctl_client_disable},
    {"client enable", "ID", "undo a client disable", NULL, fhir_ctl_client_enable},
    {"client secret", "ID", "give a client a new secret and print it", "The old secret ends at once.",
     fhir_ctl_client_secret},
    {"membership create",
     "--project PROJECT [--issuer URL --subject SUBJECT] [--user NAME] [--admin] [--profile REFERENCE]",
     "let a user in who logs in elsewhere",
     "Either --issuer and --subject, the `iss` and `sub` of the tokens of a trusted issuer, or --user, the name that "
     "an\n"
     "authentication module of httpd (LDAP, Kerberos, OpenID Connect) has established.",
     fhir_ctl_membership_create},
    {"membership list", "[--project PROJECT] [--json]", "list the memberships, those of clients too", NULL,
     fhir_ctl_membership_list},
    {"membership disable", "ID", "refuse a member from now on", NULL, fhir_ctl_membership_disable},
    {"membership enable", "ID", "undo a membership disable", NULL, fhir_ctl_membership_enable},
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
    {"store health", "[--json]", "ask each store whether it works", "Exit status 3 if one does not.",
     fhir_ctl_store_health},
    {"store orphans", "[--store NAME] [--older-than AGE] [--json]", "list what unfinished uploads have left behind",
     "Both directions: uploads that the database knows as pending, and objects in a store that no row knows. Only "
     "what\n"
     "is older than AGE, default 1h. Nothing is removed. Exit status 3 if there is any.",
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
    {"config check", "", "read the configuration as httpd would and say what is wrong", NULL, fhir_ctl_config_check},
    {NULL, NULL, NULL, NULL, NULL}};

const fhir_ctl_command_t *fhir_ctl_find(const char *first, const char *second, apr_pool_t *pool)
{
    const char *name = apr_pstrcat(pool, first, " ", second, NULL);
    for (const fhir_ctl_command_t *command = fhir_ctl_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}
