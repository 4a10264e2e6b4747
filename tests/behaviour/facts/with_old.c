/* As gcc understood C before 5: -std=gnu89, -fcommon, -fno-strict-aliasing. */
#include "facts.h"

#include "chosen.h"

FACTS(with_old) { chosen(); }
