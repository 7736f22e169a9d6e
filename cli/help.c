/* Help, printed from the table of commands. */
#include "ctl.h"

#include <stdio.h>
#include <string.h>

static void print_all(void)
{
    size_t width = 0;
    puts("fhirbinctl administers mod_fhir_binary.\n"
         "\n"
         "Usage: fhirbinctl [-c FILE] COMMAND [OPTIONS]\n"
         "\n"
         "  -c FILE  the httpd configuration file with the FhirBinary... lines; else $FHIR_BINARY_CONFIG, else\n"
         "           /etc/apache2/mods-enabled/fhir_binary.conf\n"
         "\n"
         "Commands:");
    for (const fhir_ctl_command_t *command = fhir_ctl_commands; command->name; command++) {
        width = strlen(command->name) > width ? strlen(command->name) : width;
    }
    for (const fhir_ctl_command_t *command = fhir_ctl_commands; command->name; command++) {
        printf("  %-*s  %s\n", (int)width, command->name, command->summary);
    }
    puts("  help [COMMAND]\n"
         "  version\n"
         "\n"
         "Exit status: 0 done, 1 failed, 2 wrong use, 3 found something (store verify, policy check ...) or\n"
         "refused (explain).");
}

/* "store" stands for all the commands that begin with it. */
int fhir_ctl_help_group(const char *group)
{
    size_t length = strlen(group);
    int count = 0;
    for (const fhir_ctl_command_t *command = fhir_ctl_commands; command->name; command++) {
        if (strncmp(command->name, group, length) == 0 && command->name[length] == ' ') {
            printf("fhirbinctl %s %s\n    %s\n", command->name, command->syntax, command->summary);
            count++;
        }
    }
    return count;
}

void fhir_ctl_help(const fhir_ctl_command_t *command)
{
    if (!command) {
        print_all();
        return;
    }
    printf("fhirbinctl %s%s%s\n\n%s\n", command->name, *command->syntax ? " " : "", command->syntax, command->summary);
    if (command->details) {
        printf("\n%s\n", command->details);
    }
}
