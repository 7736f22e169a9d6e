/* Links in a narrative (FHIR R4 narrative.html): src and href of its XHTML. Private to the files behind resource.h. */
#ifndef FHIR_FHIR_NARRATIVE_LINKS_H
#define FHIR_FHIR_NARRATIVE_LINKS_H

#include "resource.h"

/* The div with links resolved; NULL if none changed. */
const char *fhir_narrative_resolve(const char *div, fhir_resolve_fn resolve, void *baton, apr_pool_t *pool);

#endif
