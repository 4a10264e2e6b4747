/* With types of other kinds. */
#include "facts.h"

#include "chosen.h"

FACTS(with_types) { chosen(); }
