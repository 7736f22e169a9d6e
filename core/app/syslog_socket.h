/* Lines to the syslog daemon of this host. Not syslog(3): that waits for a daemon that stands still, for ever, and says
 * nothing where there is none. Private to core/app. */
#ifndef FHIR_APP_SYSLOG_SOCKET_H
#define FHIR_APP_SYSLOG_SOCKET_H

#include <apr.h>

/* -1: none can be made. May be shared by processes. */
int fhir_syslog_open(void);
/* One message. `path` is the daemon's socket, `priority` facility and level of syslog(3). 0, or what went wrong: it was
 * not sent. */
int fhir_syslog_send(int descriptor, const char *path, int priority, const char *line, apr_size_t length,
                     int milliseconds);

#endif
