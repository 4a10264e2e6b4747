/* As an ISO dialect: -std=c99. */
#include "facts.h"

#include "chosen.h"

FACTS(with_iso) { chosen(); }
